#!/usr/bin/python3
"""Checks docs/examples/kubernetes/lbd.yaml without a cluster: YAML without a key given twice, names
that refer to something, no right that lbd does not use, and settings that lbd takes (LBD: which).
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
MANIFEST = ROOT / "docs/examples/kubernetes/lbd.yaml"
LBD = os.environ.get("LBD", str(ROOT / "build/control/lbd"))
FAILED = 0


class StrictLoader(yaml.SafeLoader):
    """Refuses mappings with a key twice, of which YAML's own loaders keep the last."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if len(keys) != len(set(keys)):
            raise yaml.YAMLError(f"a key twice in {keys}, {node.start_mark}")
        return super().construct_mapping(node, deep)


def check(sentence, holds):
    global FAILED
    print(("ok - " if holds else "not ok - ") + sentence)
    FAILED += not holds


def is_accepted(settings):
    """By lbd --check; without the key that needs a cluster to be there."""
    settings = {key: value for key, value in settings.items() if key != "kubernetes"}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(settings, file)
        file.flush()
        return subprocess.run([LBD, "--check", "--config", file.name], check=False).returncode == 0


def check_references(objects, pod, container):
    account, binding = objects["ServiceAccount"], objects["ClusterRoleBinding"]
    role, config = objects["ClusterRole"], objects["ConfigMap"]
    subject = {"kind": "ServiceAccount", **account["metadata"]}
    check("the binding binds the account to the role", binding["subjects"] == [subject]
          and binding["roleRef"]["name"] == role["metadata"]["name"]
          and binding["roleRef"]["kind"] == "ClusterRole")
    check("the pod runs as the account", pod["serviceAccountName"] == account["metadata"]["name"])
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    check("volumes are mounted, and nothing else is", volumes.keys() == mounts.keys())
    check("the settings are the ConfigMap's",
          volumes["config"]["configMap"]["name"] == config["metadata"]["name"])
    path = container["args"][container["args"].index("--config") + 1]
    check("lbd is told where they are", path.startswith(mounts["config"]["mountPath"] + "/")
          and pathlib.Path(path).name in config["data"])
    check("a host's directory is where it is on the host",
          all(volume["hostPath"]["path"] == mounts[name]["mountPath"]
              for name, volume in volumes.items() if "hostPath" in volume))


def check_rights(objects, pod, container):
    rules = {(group, resource): set(rule["verbs"]) for rule in objects["ClusterRole"]["rules"]
             for group in rule["apiGroups"] for resource in rule["resources"]}
    check("it lists and watches three resources, and may no more", rules == {
        ("", "services"): {"list", "watch"}, ("", "nodes"): {"list", "watch"},
        ("discovery.k8s.io", "endpointslices"): {"list", "watch"}})
    security = container["securityContext"]
    unit = (ROOT / "control/lbd.service.in").read_text(encoding="utf-8")
    of_unit = re.search(r"^AmbientCapabilities=(.*)$", unit, re.MULTILINE)[1].split()
    check("its capabilities are those of the unit",
          {"CAP_" + name for name in security["capabilities"]["add"]} == set(of_unit)
          and security["capabilities"]["drop"] == ["ALL"])
    check("it is not privileged and cannot write to its image", not security["privileged"]
          and security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"])
    check("it is in the host's network, and in no other namespace of the host",
          pod["hostNetwork"] and not pod.get("hostPID") and not pod.get("hostIPC"))


def check_probes(container):
    for probe, path in ("readinessProbe", "/healthz"), ("livenessProbe", "/livez"):
        get = container[probe]["httpGet"]
        check(f"the {probe} asks {path}", get["path"] == path and get["port"] == 10256)


def main():
    documents = list(yaml.load_all(MANIFEST.read_text(encoding="utf-8"), StrictLoader))
    objects = {document["kind"]: document for document in documents}
    check("each document is an object of Kubernetes", len(objects) == len(documents)
          and all(document["apiVersion"] and document["metadata"]["name"]
                  for document in documents))
    template = objects["DaemonSet"]["spec"]["template"]
    check("the DaemonSet selects its own pods", template["metadata"]["labels"]
          == objects["DaemonSet"]["spec"]["selector"]["matchLabels"])
    pod = template["spec"]
    container, = pod["containers"]
    check_references(objects, pod, container)
    check_rights(objects, pod, container)
    check_probes(container)
    check("it runs on every node, and is the last to be evicted",
          pod["tolerations"] == [{"operator": "Exists"}]
          and pod["priorityClassName"] == "system-node-critical")
    settings = json.loads(objects["ConfigMap"]["data"]["lbd.json"])
    check("lbd takes the settings, and they name a cluster",
          settings["kubernetes"] is True and is_accepted(settings))
    check("processes of the node reach Services, too", settings["socket-lb"] != "off")
    sys.exit(bool(FAILED))


if __name__ == "__main__":
    main()
