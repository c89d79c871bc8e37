"""What the tests tell the API server over its UNIX socket: a line of JSON, a line back."""

import copy
import json
import os
import socketserver
import threading
import time

import faults as wrong
from query import ApiError
from store import key_of, resource_of


def merge(old, change):
    """RFC 7386: null removes, objects are merged, all else is replaced."""
    if not isinstance(change, dict):
        return change
    merged = dict(old) if isinstance(old, dict) else {}
    for key, value in change.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def key_from(resource, name):
    namespace, _, name = name.rpartition("/")
    return key_of(resource, {"metadata": {"name": name, "namespace": namespace or "default"}})


COMMANDS = ("apply", "clear", "delete", "fault", "get", "patch", "pool", "requests")


class Commands:
    def __init__(self, server, has_controllers):
        self.server = server
        self.store = server.store
        self.faults = server.faults
        self.cluster = None
        if has_controllers:
            from cluster import Cluster
            self.cluster = Cluster(self.store)

    def put(self, item):
        """`created` or `configured`, as kubectl says it."""
        resource = resource_of(item["kind"])
        old = self.store.get(resource, key_of(resource, item))
        if self.cluster:
            self.cluster.admit(resource, item, old)
        self.store.put(resource, item)
        if self.cluster:
            self.cluster.reconcile(resource, item)
        return "configured" if old else "created"

    def apply(self, objects, namespace):
        lines = []
        for item in objects:
            if str(item.get("kind", "")).endswith("List"):
                lines += self.apply(item["items"], namespace)
                continue
            item["metadata"].setdefault("namespace", namespace)
            try:
                outcome = self.put(item)
            except KeyError:
                outcome = "ignored"  # a kind that no proxy asks for
            lines.append(f"{item.get('kind')}/{item['metadata']['name']} {outcome}")
        return lines

    def patch(self, kind, name, change):
        resource = resource_of(kind)
        old = self.store.get(resource, key_from(resource, name))
        if old is None:
            raise ApiError(404, "NotFound", f"{kind} {name} not found")
        return [f"{kind}/{name} {self.put(copy.deepcopy(merge(old, change)))}"]

    def delete(self, kind, name):
        resource = resource_of(kind)
        old = self.store.remove(resource, key_from(resource, name))
        if old is None:
            raise ApiError(404, "NotFound", f"{kind} {name} not found")
        if self.cluster:
            self.cluster.reconcile(resource, old.item)
        return [f"{kind}/{name} deleted"]

    def clear(self, namespace):
        lines = []
        for resource in ("services", "deployments", "statefulsets", "pods", "endpointslices"):
            for item in self.store.items(resource):
                if item["metadata"]["namespace"] == namespace and \
                        self.store.get(resource, key_of(resource, item)):
                    lines += self.delete(resource, f"{namespace}/{item['metadata']['name']}")
        return lines

    def get(self, kinds, name=None):
        items = []
        for kind in kinds.split(","):
            resource = resource_of(kind)
            if name:
                items.append(self.store.get(resource, key_from(resource, name)))
            else:
                items += self.store.items(resource)
        if None in items:
            raise ApiError(404, "NotFound", f"{kinds} {name} not found")
        return items[0] if name else {"kind": "List", "apiVersion": "v1", "items": items}

    def pool(self, node, *addresses):
        self.cluster.pools.setdefault(node, []).extend(address.split(",") for address in addresses)
        return []

    def requests(self):
        """What was asked over HTTP since this was last asked."""
        seen, self.server.requests = self.server.requests, []
        return seen

    def fault(self, name, *arguments):
        if name in wrong.STRIKES:
            self.faults.strike(name)
        elif name in wrong.COUNTED:
            self.faults.set_count(name, *arguments)
        elif name in wrong.LASTING:
            self.faults.last(name, *arguments)
        elif name == "status":
            self.faults.set_count(name, arguments[1], (arguments[0],) + arguments[2:])
        elif name == "hang":
            self.faults.hangs_until = time.monotonic() + float(arguments[0])
        elif name == "refuse":
            self.server.refuse(float(arguments[0]))
        elif name == "expire":
            self.server.pages.lists.clear()
        elif name == "compact":
            self.store.compact()
        elif name == "off":
            self.faults.clear()
        else:
            self.spoil(name, *arguments)
        self.store.wake()
        return []

    def spoil(self, name, kind, where, *arguments):
        change = {"wrong-types": wrong.with_wrong_types, "huge": wrong.with_huge_annotation}[name]
        resource = resource_of(kind)
        self.store.put(resource, change(self.store.get(resource, key_from(resource, where)),
                                        *arguments))

    def run(self, request):
        name, *arguments = request
        if name not in COMMANDS:
            raise ValueError(f"no command {name}")
        with self.store.changed:
            return getattr(self, name)(*arguments)


def serve(path, commands):
    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            try:
                answer = {"answer": commands.run(json.loads(self.rfile.readline()))}
            except ApiError as error:
                answer = {"error": str(error)}
            except (KeyError, TypeError, ValueError) as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            self.wfile.write(json.dumps(answer).encode() + b"\n")

    if os.path.exists(path):
        os.unlink(path)
    server = socketserver.ThreadingUnixStreamServer(path, Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
