#!/usr/bin/python3
"""A server that also sends a segment far outside the client's window, which a connection survives
unless somebody between answers for one of the two.

    boom.py serve PORT          accepts, sends such a segment, then a line
    boom.py ask ADDRESS PORT    connects; exits with 0 when the line has come
"""

import socket
import struct
import sys
import time

LINE = b"still here\n"


def checksum(octets):
    octets += b"\0" * (len(octets) % 2)
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def stray_segment(source, destination):
    """An ACK with data, its sequence number far from any that the client expects."""
    def header(check):
        return struct.pack("!HHIIHHHH", source[1], destination[1], 0x80000001, 0x80000001,
                           5 << 12 | 0x18, 1024, check, 0)
    family = socket.AF_INET6 if ":" in source[0] else socket.AF_INET
    ends = socket.inet_pton(family, source[0]) + socket.inet_pton(family, destination[0])
    data = b"boom"
    pseudo = ends + struct.pack("!HH", socket.IPPROTO_TCP, 20 + len(data))
    return family, header(checksum(pseudo + header(0) + data)) + data


def plain(address):
    return address[0].removeprefix("::ffff:"), address[1]


def serve(port):
    server = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    while True:
        connection, client = server.accept()
        source, destination = plain(connection.getsockname()), plain(client)
        family, segment = stray_segment(source, destination)
        with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP) as raw:
            raw.bind((source[0], 0))
            for _ in range(3):
                raw.sendto(segment, (destination[0], 0))
        time.sleep(1)
        try:
            connection.sendall(LINE)
        except OSError:
            pass  # the client sees it
        connection.close()


def ask(address, port):
    with socket.create_connection((address, port), timeout=5) as connection:
        line = connection.makefile("rb").readline()
    sys.exit(line != LINE)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        ask(sys.argv[2], int(sys.argv[3]))
