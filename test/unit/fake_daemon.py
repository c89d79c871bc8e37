"""A daemon that is not one: it answers as a test says and remembers what it was asked."""

import json
import os
import socket
import tempfile
import threading


class FakeDaemon:
    """Listens in a thread of its own. `answer` gives, for one request, the bytes sent back."""

    def __init__(self, answer):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "lbd.sock")
        self.answer = answer
        self.requests = []
        self.hung = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(self.path)
        self.socket.listen(8)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        # Closed while it still listens, its number may become the next daemon's.
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(5)
        self.socket.close()
        for peer in self.hung:
            peer.close()
        self.folder.cleanup()

    def serve(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            try:
                self.converse(peer)
            except OSError:
                peer.close()  # lbctl has gone; what it said is what the test looks at

    def converse(self, peer):
        line = peer.makefile("rb").readline()
        self.requests.append(json.loads(line))
        answer = self.answer(self.requests[-1])
        if answer is None:  # never answers
            self.hung.append(peer)
            return
        for part in answer if isinstance(answer, list) else [answer]:
            peer.sendall(part)
        peer.shutdown(socket.SHUT_RDWR)
        peer.close()


def result(value):
    """What answers every request by this result."""
    line = json.dumps({"result": value}).encode() + b"\n"
    return lambda request: line


def refusal(text):
    line = json.dumps({"error": text}).encode() + b"\n"
    return lambda request: line


def raw(*parts):
    """What answers by these bytes, one write each."""
    return lambda request: list(parts)


def hang(request):
    return None
