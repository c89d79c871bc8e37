#!/usr/bin/python3
"""The web server of one pod, over IPv4 and IPv6, that says which pod answered.

    http_server.py NAME PORT…        serve until killed
    http_server.py --stream N        write the N bytes that /bytes?n=N answers with, and end

GET /                   the pod's name in the body, as in the header X-Pod of every answer
GET /trickle?seconds=N  the name, then a byte each 0.1 s for N seconds; the length is announced,
                        so a client can tell a broken download from a finished one
GET /bytes?n=N          N bytes, the same from every pod
POST /sum               the SHA-256 of what was sent
"""

import hashlib
import http.server
import socket
import sys
import threading
import time
import urllib.parse

BLOCK = 1 << 20
TICK_SECONDS = 0.1


def stream_blocks(size):
    """`size` bytes that no block repeats: each megabyte begins with its number."""
    pattern = hashlib.shake_128(b"service load balancer").digest(BLOCK)
    number = 0
    while size > 0:
        block = number.to_bytes(8, "big") + pattern[8:]
        yield block[:size]
        size -= BLOCK
        number += 1


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    pod = "nobody"

    def begin(self, length):
        self.send_response(200)
        self.send_header("X-Pod", self.pod)
        self.send_header("X-Client", self.client_address[0].removeprefix("::ffff:"))
        self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def answer(self, text):
        body = (text + "\n").encode()
        self.begin(len(body))
        self.wfile.write(body)

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/trickle":
            self.trickle(float(query.get("seconds", "10")))
        elif url.path == "/bytes":
            size = int(query.get("n", "0"))
            self.begin(size)
            for block in stream_blocks(size):
                self.wfile.write(block)
        else:
            self.answer(self.pod)

    def do_POST(self):
        digest = hashlib.sha256()
        left = int(self.headers.get("Content-Length", "0"))
        while left > 0:
            block = self.rfile.read(min(left, BLOCK))
            if not block:
                return
            digest.update(block)
            left -= len(block)
        self.answer(digest.hexdigest())

    def trickle(self, seconds):
        first = (self.pod + "\n").encode()
        ticks = round(seconds / TICK_SECONDS)
        self.begin(len(first) + ticks)
        self.wfile.write(first)
        for _ in range(ticks):
            time.sleep(TICK_SECONDS)
            self.wfile.write(b".")

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    request_queue_size = 512
    daemon_threads = True

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.bind(self.server_address)

    def handle_error(self, *_):
        pass  # a client that went away is the client's own finding


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "--stream":
        for block in stream_blocks(int(arguments[1])):
            sys.stdout.buffer.write(block)
        return
    if len(arguments) < 2:
        sys.exit(__doc__)
    Handler.pod = arguments[0]
    for port in arguments[1:]:
        server = Server(("::", int(port)), Handler)
        threading.Thread(target=server.serve_forever).start()


if __name__ == "__main__":
    main(sys.argv[1:])
