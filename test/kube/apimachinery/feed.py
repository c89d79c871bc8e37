#!/usr/bin/python3
"""Puts objects into an API server, or deletes them: JSON from the standard input, one a line.

    feed.py put|delete

$API is the server's address and port, $API_CA the authority of its certificate, $API_TOKEN whose
bearer this is. It says how many requests were answered otherwise than by 200 or 201, and exits with
1 if any was.
"""

import concurrent.futures
import http.client
import json
import os
import ssl
import sys
import threading

PATHS = {
    "Service": "/api/v1/namespaces/{}/services/",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices/",
    "Node": "/api/v1/nodes/",
}
CONNECTIONS = 8


class Feeder:
    def __init__(self, method):
        self.method = method
        self.own = threading.local()
        self.tls = ssl.create_default_context(cafile=os.environ["API_CA"])

    def connection(self):
        if not hasattr(self.own, "connection"):
            self.own.connection = http.client.HTTPSConnection(os.environ["API"], context=self.tls)
        return self.own.connection

    def send(self, line):
        """Whether the server did it."""
        item = json.loads(line)
        metadata = item["metadata"]
        path = PATHS[item["kind"]].format(metadata.get("namespace", "default"))
        connection = self.connection()
        connection.request(self.method, path + metadata["name"],
                           line if self.method == "PUT" else None,
                           {"Authorization": "Bearer " + os.environ["API_TOKEN"],
                            "Content-Type": "application/json"})
        answer = connection.getresponse()
        said = answer.read().decode()
        if answer.status in (200, 201):
            return True
        print(path + metadata["name"], answer.status, said[:300], file=sys.stderr)
        return False


def main():
    feeder = Feeder({"put": "PUT", "delete": "DELETE"}[sys.argv[1]])
    with concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as pool:
        refused = list(pool.map(feeder.send, sys.stdin)).count(False)
    sys.exit(f"{refused} requests were refused" if refused else 0)


if __name__ == "__main__":
    main()
