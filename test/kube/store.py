"""What a Kubernetes API server keeps: objects by resource, one counter of versions, and the changes
of the last while, which watches are answered from. It knows nothing of HTTP, and nothing of what
the objects mean."""

import bisect
import collections
import copy
import datetime
import json
import threading
import uuid

Resource = collections.namedtuple("Resource", "group kind is_namespaced")
RESOURCES = {
    "services": Resource("v1", "Service", True),
    "endpointslices": Resource("discovery.k8s.io/v1", "EndpointSlice", True),
    "nodes": Resource("v1", "Node", False),
    "pods": Resource("v1", "Pod", True),
    "deployments": Resource("apps/v1", "Deployment", True),
    "statefulsets": Resource("apps/v1", "StatefulSet", True),
}
PLURAL = {resource.kind: name for name, resource in RESOURCES.items()}
SHORT = {"svc": "services", "ep": "endpointslices", "po": "pods", "no": "nodes"}

Event = collections.namedtuple("Event", "version old new")  # old, new: entries, or None


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def encode(value):
    return json.dumps(value, separators=(",", ":")).encode()


def resource_of(word):
    """The plural that a kind, a plural, a singular or kubectl's short word means."""
    if word in PLURAL:
        return PLURAL[word]
    word = word.lower()
    for name in (word, word + "s", SHORT.get(word)):
        if name in RESOURCES:
            return name
    raise KeyError(f"no resource {word}")


def key_of(resource, item):
    metadata = item["metadata"]
    namespace = metadata.get("namespace", "default") if RESOURCES[resource].is_namespaced else ""
    return namespace, metadata["name"]


class Entry:
    """An object as it was at a version: never changed, so that watches and pages may share it."""

    __slots__ = ("key", "item", "encoded", "version")

    def __init__(self, key, item, version):
        self.key = key
        self.item = item
        self.version = version
        self.encoded = encode(item)


class Collection:
    def __init__(self):
        self.entries = {}
        self.events = []
        self.oldest = 0  # changes after this version are known


class Store:
    def __init__(self, history=100000):
        self.changed = threading.Condition(threading.RLock())
        self.version = 1000
        self.history = history
        self.collections = {name: Collection() for name in RESOURCES}

    def stamp(self, resource, item, old):
        metadata = item["metadata"]
        kept = old.item["metadata"] if old else {}
        item.setdefault("apiVersion", RESOURCES[resource].group)
        item.setdefault("kind", RESOURCES[resource].kind)
        if RESOURCES[resource].is_namespaced:
            metadata.setdefault("namespace", "default")
        else:
            metadata.pop("namespace", None)
        metadata["uid"] = kept.get("uid") or metadata.get("uid") or str(uuid.uuid4())
        metadata["creationTimestamp"] = kept.get("creationTimestamp") or now()[:19] + "Z"
        metadata["resourceVersion"] = str(self.version)

    def note(self, resource, old, new):
        collection = self.collections[resource]
        collection.events.append(Event(self.version, old, new))
        if len(collection.events) > 2 * self.history:
            collection.oldest = collection.events[self.history - 1].version
            del collection.events[:self.history]
        self.changed.notify_all()

    def put(self, resource, item):
        """Stores the object, which is the store's from then on."""
        with self.changed:
            key = key_of(resource, item)
            entries = self.collections[resource].entries
            old = entries.get(key)
            self.version += 1
            self.stamp(resource, item, old)
            entries[key] = Entry(key, item, self.version)
            self.note(resource, old, entries[key])
            return old

    def remove(self, resource, key):
        with self.changed:
            old = self.collections[resource].entries.pop(key, None)
            if old is None:
                return None
            self.version += 1
            item = copy.deepcopy(old.item)
            item["metadata"]["resourceVersion"] = str(self.version)
            self.note(resource, Entry(key, item, self.version), None)
            return old

    def get(self, resource, key):
        with self.changed:
            entry = self.collections[resource].entries.get(key)
            return entry.item if entry else None

    def items(self, resource):
        with self.changed:
            return [entry.item for entry in self.collections[resource].entries.values()]

    def snapshot(self, resource):
        """(version, entries in the order of their keys)"""
        with self.changed:
            entries = self.collections[resource].entries
            return self.version, [entries[key] for key in sorted(entries)]

    def events_since(self, resource, version):
        """What changed after that version, nothing where that is yet to come; None where it is no
        longer known."""
        with self.changed:
            collection = self.collections[resource]
            if version < collection.oldest:
                return None
            first = bisect.bisect_right(collection.events, version, key=lambda event: event[0])
            return collection.events[first:]

    def wait(self, resource, version, seconds):
        """Until something of this resource changes after that version, or somebody wakes all."""
        with self.changed:
            events = self.collections[resource].events
            if not events or events[-1].version <= version:
                self.changed.wait(seconds)

    def wake(self):
        with self.changed:
            self.changed.notify_all()

    def compact(self):
        """Forgets all history: whoever watches from before has to list again."""
        with self.changed:
            self.version += 1
            for collection in self.collections.values():
                collection.oldest = self.version
                collection.events = []
