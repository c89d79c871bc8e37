#!/usr/bin/python3
"""Tells the API server of the tests what there is; its socket is $KUBE_CONTROL.

    kubectl.py apply [-n NAMESPACE] -f FILE|-       objects, in JSON or YAML, several or a List
    kubectl.py delete KIND [NAMESPACE/]NAME
    kubectl.py patch KIND [NAMESPACE/]NAME JSON     a merge patch
    kubectl.py get KIND[,KIND…] [[NAMESPACE/]NAME]
    kubectl.py pod NAME KEY=VALUE…          a Pod in short: ip=A,B node=N labels=k=v,…
                                            ports=http:80,… ready=no terminating=yes phase=Failed
                                            hostNetwork=yes
    kubectl.py service NAME KEY=VALUE…      a Service in short: selector=k=v,… labels=k=v,…
                                            ports=NAME:PORT:TARGET[/UDP][@NODE-PORT],… and any field
                                            of its spec
    kubectl.py clear NAMESPACE              deletes all in it
    kubectl.py pool NODE IP[,IP]…           addresses for the Pods of Deployments
    kubectl.py fault NAME [ARGUMENT…]       see faults.py
    kubectl.py requests                     what was asked for since the last time

It exits with 1 and the server's message where that refuses. (Not kubectl: for what tests need.)
"""

import json
import os
import socket
import sys


def ask(*request):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.environ["KUBE_CONTROL"])
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile() as lines:
            answer = json.loads(lines.readline())
    if "error" in answer:
        sys.exit(f"error: {answer['error']}")
    return answer["answer"]


def read_objects(name):
    with sys.stdin if name == "-" else open(name, encoding="utf-8") as file:
        text = file.read()
    if text.lstrip().startswith("{"):
        return [json.loads(text)]
    import yaml  # python3-yaml: JSON needs it not
    return [item for item in yaml.safe_load_all(text) if item]


def pairs(text, separator):
    return [word.partition(separator)[::2] for word in text.split(",") if word]


def parse_port(name, number):
    number, _, protocol = number.partition("/")
    return {"name": name, "containerPort": int(number), "protocol": protocol or "TCP"}


def make_pod(name, words):
    """A Pod as kubectl shows it, of what a proxy's controllers look at."""
    given = dict(word.split("=", 1) for word in words)
    namespace, _, name = name.rpartition("/")
    addresses = [address for address in given.get("ip", "").split(",") if address]
    ready = "False" if given.get("ready") == "no" else "True"
    pod = {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace or "default",
                     "labels": dict(pairs(given.get("labels", ""), "="))},
        "spec": {"nodeName": given.get("node", "node"),
                 "containers": [{"name": "main", "ports": [
                     parse_port(*pair) for pair in pairs(given.get("ports", ""), ":")]}]},
        "status": {"phase": given.get("phase", "Running"),
                   "podIP": addresses[0] if addresses else "",
                   "podIPs": [{"ip": address} for address in addresses],
                   "conditions": [{"type": "Ready", "status": ready}]},
    }
    if given.get("terminating") == "yes":
        pod["metadata"]["deletionTimestamp"] = "2026-01-05T09:00:00Z"
    if given.get("hostNetwork") == "yes":
        pod["spec"]["hostNetwork"] = True
    return pod


def parse_service_port(text):
    """NAME:PORT:TARGET[/PROTOCOL][@NODEPORT]; a target that is no number is a port's name."""
    text, _, node_port = text.partition("@")
    text, _, protocol = text.partition("/")
    name, number, target = text.split(":")
    port = {"name": name, "port": int(number), "protocol": protocol or "TCP",
            "targetPort": int(target) if target.isdigit() else target}
    return port | ({"nodePort": int(node_port)} if node_port else {})


def parse_value(text):
    try:
        return json.loads(text)
    except ValueError:
        return text


def make_service(name, words):
    given = dict(word.split("=", 1) for word in words)
    namespace, _, name = name.rpartition("/")
    metadata = {"name": name, "namespace": namespace or "default",
                "labels": dict(pairs(given.pop("labels", ""), "="))}
    spec = {}
    if "selector" in given:
        spec["selector"] = dict(pairs(given.pop("selector"), "="))
    if "ports" in given:
        spec["ports"] = [parse_service_port(word) for word in given.pop("ports").split(",")]
    spec |= {key: parse_value(value) for key, value in given.items()}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def main(words):
    if not words:
        sys.exit(__doc__)
    command, *arguments = words
    if command == "get":
        print(json.dumps(ask("get", *arguments), indent=1))
        return
    if command == "apply":
        lines = ask("apply", read_objects(arguments[-1]),
                    arguments[1] if arguments[0] == "-n" else "default")
    elif command == "pod":
        lines = ask("apply", [make_pod(arguments[0], arguments[1:])], "default")
    elif command == "service":
        lines = ask("apply", [make_service(arguments[0], arguments[1:])], "default")
    elif command == "patch":
        lines = ask("patch", *arguments[:2], json.loads(arguments[2]))
    elif command in ("clear", "delete", "pool", "fault", "requests"):
        lines = ask(command, *arguments)
    else:
        sys.exit(__doc__)
    for line in lines:
        print(line)


if __name__ == "__main__":
    main(sys.argv[1:])
