#!/usr/bin/python3
"""UDP request/reply pairs against udp_echo.py, one after the other, as one JSON object.

    udp_load.py [-n PAIRS] [--one-port] [--source-port PORT] [--size BYTES]
                [--timeout SECONDS] ADDRESS PORT

lost        requests that got no answer in time; nothing is sent twice. After 20 of them the rest is
            not tried and counted as lost
stray       answers from an address that is not the service's, `sources` which
damaged     answers whose payload is not what was sent
backends    pod → good answers
"""

import argparse
import collections
import ipaddress
import json
import socket
import time

GIVE_UP_LOST = 20


class Client:
    def __init__(self, options):
        self.options = options
        self.family = (socket.AF_INET if ipaddress.ip_address(options.address).version == 4
                       else socket.AF_INET6)
        self.socket = None
        self.counts = collections.Counter(lost=0, stray=0, damaged=0)
        self.sources = collections.Counter()
        self.backends = collections.Counter()

    def open(self):
        """Not connected: the kernel must not hide an answer from a wrong address."""
        self.socket = socket.socket(self.family, socket.SOCK_DGRAM)
        self.socket.settimeout(self.options.timeout)
        self.socket.bind(("", self.options.source_port))

    def exchange(self, number):
        payload = f"{number} ".encode().ljust(self.options.size, b"x")
        self.socket.sendto(payload, (self.options.address, self.options.port))
        try:
            reply, source = self.socket.recvfrom(65535)
        except OSError:
            self.counts["lost"] += 1
            return
        self.sources[f"{source[0]}:{source[1]}"] += 1
        name, _, echoed = reply.partition(b" ")
        if source[:2] != (self.options.address, self.options.port):
            self.counts["stray"] += 1
        elif echoed != payload:
            self.counts["damaged"] += 1
        else:
            self.backends[name.decode()] += 1

    def run(self):
        for number in range(self.options.pairs):
            if self.counts["lost"] >= GIVE_UP_LOST:
                self.counts["lost"] += self.options.pairs - number
                return
            if self.socket is None or not self.options.one_port:
                if self.socket is not None:
                    self.socket.close()
                self.open()
            self.exchange(number)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("-n", "--pairs", type=int, default=100)
    parser.add_argument("--one-port", action="store_true")
    parser.add_argument("--source-port", type=int, default=0)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--timeout", type=float, default=1)
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    options = parser.parse_args()

    client = Client(options)
    started = time.monotonic()
    client.run()
    print(json.dumps({
        "pairs": options.pairs,
        "seconds": round(time.monotonic() - started, 3),
        **client.counts,
        "backends": dict(sorted(client.backends.items())),
        "sources": dict(client.sources),
    }))


if __name__ == "__main__":
    main()
