#!/usr/bin/python3
"""The servers of one pod or node: who answers, and which client was seen, by HTTP and UDP.

    echo_server.py NAME TCP-PORT,… UDP-PORT,…     serve over IPv4 and IPv6 until killed

HTTP: the first line of the body is `NAME CLIENT SERVER`, two addresses, then what was sent (POST).
GET /hold keeps the connection, and sends a line each 0.1 s. UDP: the same line, what was sent.
"""

import http.server
import select
import socket
import sys
import threading
import time

from http_server import Server  # of test/netns, which PYTHONPATH names


def plain(address):
    return address.removeprefix("::ffff:")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    name = "nobody"

    def say(self, sent=b""):
        ends = plain(self.client_address[0]), plain(self.connection.getsockname()[0])
        body = " ".join((self.name, *ends)).encode() + b"\n" + sent
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def do_GET(self):
        if self.path != "/hold":
            return self.say()
        while True:
            self.wfile.write(f"{self.name}\n".encode())
            time.sleep(0.1)

    def do_POST(self):
        self.say(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    def log_message(self, *_):
        pass


class Datagrams:
    """Answers come from the address that was asked: of a wildcard socket the kernel has to be told
    which that was."""

    def __init__(self, name, port):
        self.name = name.encode()
        self.socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        self.socket.bind(("::", port))

    def fileno(self):
        return self.socket.fileno()

    def answer(self):
        datagram, asked, _, client = self.socket.recvmsg(65535, 256)
        asked = [(level, kind, value[:16] + bytes(4)) for level, kind, value in asked]
        server = socket.inet_ntop(socket.AF_INET6, asked[0][2][:16])
        ends = f" {plain(client[0])} {plain(server)}\n".encode()
        text = self.name + ends + datagram
        try:
            self.socket.sendmsg([text], asked, 0, client)
        except OSError:
            pass  # refused: a client's error comes back at the next call


def main(arguments):
    if len(arguments) != 3:
        sys.exit(__doc__)
    Handler.name = arguments[0]
    for port in arguments[1].split(","):
        server = Server(("::", int(port)), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    servers = [Datagrams(arguments[0], int(port)) for port in arguments[2].split(",")]
    while True:
        for server in select.select(servers, [], [])[0]:
            server.answer()


if __name__ == "__main__":
    main(sys.argv[1:])
