#!/usr/bin/python3
"""A Kubernetes API server for tests: what a proxy lists and watches, over HTTP/1.1, with the faults
that real ones and the networks before them have.

    api_server.py --control PATH [--listen ADDRESS:PORT] [--port-file FILE]
                  [--certificate FILE --key FILE [--client-ca FILE]] [--token-file FILE]
                  [--history EVENTS] [--controllers]

Objects come by the UNIX socket --control (kubectl.py). With --client-ca or --token-file a request
needs a certificate of that authority or the token that the file has at that moment, else it is
answered 401. --controllers fills in what an API server and the controllers behind it do: addresses
and ports of Services, the EndpointSlices of selectors, the Pods of Deployments. Port 0 is any; the
file is told which.
"""

import argparse
import base64
import gzip
import http.server
import json
import os
import socket
import ssl
import threading
import time

import control
from faults import Faults
from query import ApiError, Query, expired
from store import RESOURCES, Store, encode
from watching import Cut, Watch, cut

PAGES_SECONDS = 300
GZIP_BYTES = 128 << 10  # as API servers compress
VERSION = {"major": "1", "minor": "34", "gitVersion": "v1.34.0-test", "platform": "linux/amd64"}


class Pages:
    """Lists of which a page was given: the rest is as it was then."""

    def __init__(self):
        self.lists = {}

    def keep(self, version, entries):
        oldest = time.monotonic() - PAGES_SECONDS
        self.lists = {token: kept for token, kept in self.lists.items() if kept[2] > oldest}
        token = base64.urlsafe_b64encode(os.urandom(12)).decode()
        self.lists[token] = (version, entries, time.monotonic())
        return token

    def get(self, token):
        if token not in self.lists:
            raise expired("The provided continue parameter is too old.")
        return self.lists[token][:2]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "api"

    def setup(self):
        if self.server.tls:
            self.request.settimeout(10)
            self.request.do_handshake()
            self.request.settimeout(None)
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().setup()

    def is_admitted(self):
        options = self.server.options
        if not options.client_ca and not options.token_file:
            return True
        if options.client_ca and self.connection.getpeercert():
            return True
        if not options.token_file:
            return False
        with open(options.token_file, encoding="ascii") as file:
            return self.headers.get("Authorization") == "Bearer " + file.read().strip()

    def do_GET(self):
        faults = self.server.faults
        faults.hang()
        failure = None
        try:
            if not self.is_admitted():
                raise ApiError(401, "Unauthorized", "Unauthorized")
            failure = faults.take("status")
            if failure:
                raise ApiError(int(failure[0]), "InternalError", "a fault on command")
            self.answer()
        except ApiError as error:
            after = {"Retry-After": failure[1]} if failure and len(failure) > 1 else {}
            self.send_json(error.status["code"], encode(error.status), after)
        except (Cut, OSError):
            cut(self.connection)
            self.close_connection = True

    def answer(self):
        path = self.path.split("?")[0]
        if path == "/version":
            return self.send_json(200, encode(VERSION))
        if path in ("/readyz", "/livez", "/healthz"):
            return self.send_body(200, b"ok", "text/plain", {})
        query = Query(self.path)
        if query.watches:
            return Watch(self, query, self.server.store, self.server.faults).run()
        if query.name:
            return self.send_one(query)
        return self.send_list(query)

    def send_one(self, query):
        item = self.server.store.get(query.resource, (query.namespace or "", query.name))
        if item is None:
            raise ApiError(404, "NotFound", f'{query.resource} "{query.name}" not found')
        self.send_json(200, encode(item))

    def send_list(self, query):
        if query.page:
            version, entries = self.server.pages.get(query.page)
        else:
            version, entries = self.server.store.snapshot(query.resource)
            entries = [entry for entry in entries if query.selects(entry)]
        metadata = {"resourceVersion": str(version)}
        if query.limit and len(entries) > query.limit:
            metadata["continue"] = self.server.pages.keep(version, entries[query.limit:])
            if not query.labels and not query.fields:
                metadata["remainingItemCount"] = len(entries) - query.limit
            entries = entries[:query.limit]
        known = RESOURCES[query.resource]
        body = b'{"kind":"%sList","apiVersion":"%s","metadata":%s,"items":[%s]}\n' % (
            known.kind.encode(), known.group.encode(), encode(metadata),
            b",".join(entry.encoded for entry in entries))
        if self.server.faults.take("broken-list"):
            body = body[:len(body) // 2] + b" " * (len(body) - len(body) // 2)
        self.send_json(200, body)

    def send_json(self, code, body, more=()):
        headers = dict(more)
        if len(body) > GZIP_BYTES and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
        self.send_body(code, body, "application/json", headers)

    def send_body(self, code, body, kind, headers):
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.send(body)

    def begin_chunks(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def send_chunk(self, piece):
        self.send(b"%x\r\n%s\r\n" % (len(piece), piece))

    def send_half_a_chunk(self, piece):
        self.send(b"%x\r\n%s" % (len(piece), piece[:len(piece) // 2]))

    def end_chunks(self):
        self.send(b"0\r\n\r\n")

    def send(self, octets):
        pause = self.server.faults.lasting.get("slow")
        if pause is None:
            self.wfile.write(octets)
            return
        for octet in octets:
            self.wfile.write(bytes([octet]))
            time.sleep(self.server.faults.lasting.get("slow", 0) / 1e6)

    def log_message(self, format, *arguments):
        self.server.requests.append(f"{self.command} {self.path}")
        print(self.client_address[0], format % arguments, flush=True)


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def __init__(self, options):
        self.options = options
        host, port = options.listen.rsplit(":", 1)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.tls = make_tls(options)
        self.store = Store(options.history)
        self.faults = Faults()
        self.pages = Pages()
        self.requests = []  # so far, one a line
        super().__init__((host.strip("[]"), int(port)), Handler)

    def get_request(self):
        connection, address = super().get_request()
        if self.tls:
            connection = self.tls.wrap_socket(connection, server_side=True,
                                              do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, *_):
        pass  # a client that went away, or has no certificate

    def refuse(self, seconds):
        """Closes the listening socket, and makes it again after that time."""
        threading.Thread(target=self.listen_again_after, args=(seconds,), daemon=True).start()

    def listen_again_after(self, seconds):
        self.shutdown()
        self.socket.close()
        time.sleep(seconds)
        self.socket = socket.socket(self.address_family, self.socket_type)
        self.server_bind()
        self.server_activate()
        self.serve_forever(poll_interval=0.05)


def make_tls(options):
    if not options.certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.certificate, options.key)
    context.set_alpn_protocols(["http/1.1"])
    if options.client_ca:
        context.load_verify_locations(options.client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def parse_options():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--listen", default="127.0.0.1:0")
    for name in ("--control", "--port-file", "--certificate", "--key", "--client-ca",
                 "--token-file"):
        parser.add_argument(name)
    parser.add_argument("--history", type=int, default=100000)
    parser.add_argument("--controllers", action="store_true")
    return parser.parse_args()


def main():
    options = parse_options()
    server = Server(options)
    if options.control:
        control.serve(options.control, control.Commands(server, options.controllers))
    if options.port_file:
        with open(options.port_file + ".new", "w", encoding="ascii") as file:
            file.write(f"{server.server_address[1]}\n")
        os.rename(options.port_file + ".new", options.port_file)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
