#!/usr/bin/python3
"""Writes a tables document of many services in the grammar of docs/tables.schema.json.

    make_tables.py SERVICES BACKENDS

Service i is 10.100.0.1 + i, port 80; its backends are the three pods of _init.sh, on ports 8080,
8081, … so that any number of backends is distinct and those on 8080 and 8081 really answer.
"""

import ipaddress
import json
import sys

FIRST_SERVICE = ipaddress.ip_address("10.100.0.1")
PODS = ("10.1.0.11", "10.1.0.12", "10.1.0.13")


def service(index, backends):
    return {
        "name": f"scale/service-{index}",
        "address": str(FIRST_SERVICE + index),
        "port": 80,
        "protocol": "tcp",
        "backends": [{"address": PODS[i % len(PODS)], "port": 8080 + i // len(PODS)}
                     for i in range(backends)],
    }


def main(arguments):
    if len(arguments) != 2:
        sys.exit(__doc__)
    services, backends = map(int, arguments)
    json.dump({"services": [service(i, backends) for i in range(services)]}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
