"""What is asked of lbd while calls fail: changes of each kind, from one state back to the same."""

import json

STORED = "stored, but not wholly in force"
DONE = "what was asked is done"
GONE = ("hung up", "silent", "reset", "Broken pipe", "not lbd", DONE)
AGAIN = ("exists", "does not exist", "has no backend", "is not", "already")

DOCUMENT = {"services": [
    {"address": "10.96.2.1", "port": 80, "protocol": "tcp", "name": "many/one",
     "backends": [{"address": "10.1.0.14", "port": 80}, {"address": "10.1.0.15", "port": 80}]},
    {"address": "10.96.2.2", "port": 80, "protocol": "tcp", "name": "many/two",
     "backends": [{"address": "10.1.0.16", "port": 80}]},
    {"address": "10.96.2.3", "port": 53, "protocol": "udp", "name": "many/three",
     "backends": [{"address": "10.1.0.17", "port": 53}]}],
    "deny": [{"prefix": "203.0.113.0/25"}]}
BASE = {"services": [
    {"address": "10.96.1.1", "port": 80, "protocol": "tcp", "name": "base/web",
     "backends": [{"address": "10.1.0.11", "port": 80}, {"address": "10.1.0.12", "port": 80}]}],
    "deny": [{"prefix": "203.0.113.128/25"}]}

WEB = "10.96.1.2:80"
UDP = "10.96.1.3:53/udp"


def write_documents(work):
    (work / "many.json").write_text(json.dumps(DOCUMENT))
    (work / "base.json").write_text(json.dumps(BASE))


def script(work):
    """Commands; each changes something, or asks."""
    return [line.split() for line in f"""\
        service add {WEB} --name a/web --backend 10.1.0.11:8080 --backend 10.1.0.12:8080
        service add {UDP} --backend 10.1.0.13:53 --source-range 192.0.2.0/24 --affinity 60
        backend add {WEB} 10.1.0.13:8080
        backend set {WEB} 10.1.0.12:8080 --state draining --deadline 1h
        backend set {WEB} 10.1.0.12:8080 --state down
        service list
        backend del {WEB} 10.1.0.11:8080
        service set {UDP} --source-range 192.0.2.0/25
        deny add 192.0.2.128/25
        deny add 192.0.2.64/26 --for 1h
        stats
        apply {work}/many.json
        interface add extra0
        status
        interface list
        neighbour list
        connection list
        interface del extra0
        deny del 192.0.2.64/26
        service del {WEB}
        export
        apply {work}/base.json --prune""".splitlines()]
