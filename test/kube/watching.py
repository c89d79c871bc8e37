"""One watch: the changes that a query selects, as chunks of JSON lines, with bookmarks between."""

import select
import socket
import time

import faults as wrong
from query import expired
from store import RESOURCES, encode

BOOKMARK_SECONDS = 1
LONGEST_SECONDS = 3600


class Cut(Exception):
    """The connection ends here, whatever was announced."""


class Watch:
    def __init__(self, handler, query, store, faults):
        self.handler = handler
        self.query = query
        self.store = store
        self.faults = faults
        self.strikes = []
        self.version = 0
        self.has_begun = False  # those that are there at the start have been sent

    def run(self):
        refusal = self.faults.take("gone")
        if refusal == "status" or not self.find_start():
            raise expired()
        self.handler.begin_chunks()
        if refusal:
            self.send(b'{"type":"ERROR","object":%s}\n' % encode(expired().status))
            return self.handler.end_chunks()
        with self.faults.lock:
            self.faults.watches.add(self)
        try:
            self.send_all()
            self.handler.end_chunks()
        finally:
            with self.faults.lock:
                self.faults.watches.discard(self)

    def find_start(self):
        """Sets the version to go on from; without one (or 0) what there is comes first."""
        self.initial = []
        if self.query.version not in ("", "0") and not self.query.wants_initial:
            self.version = int(self.query.version)
            return self.store.events_since(self.query.resource, self.version) is not None
        self.version, entries = self.store.snapshot(self.query.resource)
        self.initial = [entry for entry in entries if self.query.selects(entry)]
        return True

    def send_all(self):
        for entry in self.initial:
            self.send_event("ADDED", entry.encoded)
        if self.query.wants_initial:
            self.send_bookmark({"k8s.io/initial-events-end": "true"})
        end = time.monotonic() + (self.query.timeout or LONGEST_SECONDS)
        bookmark = time.monotonic() + BOOKMARK_SECONDS
        while time.monotonic() < end and not self.client_has_gone():
            self.store.wait(self.query.resource, self.version,
                            min(end, bookmark) - time.monotonic())
            self.strike()
            if not self.send_changes():
                return
            if time.monotonic() >= bookmark:
                bookmark += BOOKMARK_SECONDS
                if self.query.wants_bookmarks and self.version <= self.store.version:
                    self.send_bookmark()

    def client_has_gone(self):
        """Clients of a watch send nothing more: what can be read is the connection's end."""
        return bool(select.select([self.handler.connection], [], [], 0)[0])

    def strike(self):
        if "disconnect" in self.strikes:
            raise Cut
        if "broken-json" in self.strikes:
            self.strikes.remove("broken-json")
            self.send(b'{"type":"MODIFIED","object":{"kind":"Ser\x00vice",,\n')

    def send_changes(self):
        """False where the changes since the last ones are forgotten, and the watch at its end."""
        if "reorder" in self.faults.lasting:
            time.sleep(self.faults.lasting["reorder"] / 1000)
        with self.store.changed:
            events = self.store.events_since(self.query.resource, self.version)
            newest = self.store.version
        if events is None:
            self.send(b'{"type":"ERROR","object":%s}\n' % encode(expired().status))
            return False
        if "reorder" in self.faults.lasting:
            events = wrong.shuffle(events)
        for event in events:
            self.send_change(event)
        self.version = max(self.version, newest)
        return True

    def send_change(self, event):
        """What it is to this watch: an object may also come to be selected, or cease to be."""
        was = self.query.selects(event.old)
        if event.new is not None and self.query.selects(event.new):
            self.send_event("MODIFIED" if was else "ADDED", event.new.encoded)
        elif was:
            item = dict(event.old.item)
            item["metadata"] = item["metadata"] | {"resourceVersion": str(event.version)}
            self.send_event("DELETED", encode(item))

    def send_event(self, kind, encoded):
        line = b'{"type":"%s","object":%s}\n' % (kind.encode(), encoded)
        if "truncate" in self.strikes:
            self.handler.send_half_a_chunk(line)
            raise Cut
        self.send(line)
        if self.faults.take("duplicate"):
            self.send(line)

    def send_bookmark(self, annotations=None):
        known = RESOURCES[self.query.resource]
        metadata = {"resourceVersion": str(self.version), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        item = {"kind": known.kind, "apiVersion": known.group, "metadata": metadata}
        if known.kind in ("Service", "Node"):
            item |= {"spec": {}, "status": {}}
        self.send(b'{"type":"BOOKMARK","object":%s}\n' % encode(item))

    def send(self, line):
        size = self.faults.lasting.get("split", len(line))
        for start in range(0, len(line), size):
            self.handler.send_chunk(line[start:start + size])


def cut(connection):
    """Ends a connection at once: the client sees it end, not a last chunk."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
