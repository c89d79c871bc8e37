#!/usr/bin/python3
"""A DNS server with one large answer: whatever is asked, a TXT record of BYTES bytes.

    dns_server.py PORT BYTES         serve over IPv4 and IPv6 until killed

Only as much of DNS (RFC 1035, RFC 6891) as `dig +bufsize=N TXT name` needs.
"""

import socket
import struct
import sys

TXT = 16
OPT = 41
ANSWER = 0x8400  # a response, authoritative
LARGEST = 4096   # that we say we take


def question_end(query):
    at = 12
    while query[at]:
        at += 1 + query[at]
    return at + 5


def respond(query, size):
    strings = b"".join(bytes([len(part)]) + part
                       for part in (b"x" * min(255, size - at) for at in range(0, size, 255)))
    question = query[12:question_end(query)]
    header = query[:2] + struct.pack("!HHHHH", ANSWER, 1, 1, 0, 1)
    record = b"\xc0\x0c" + struct.pack("!HHIH", TXT, 1, 60, len(strings)) + strings
    return header + question + record + struct.pack("!BHHIH", 0, OPT, LARGEST, 0, 0)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.bind(("::", int(sys.argv[1])))
    while True:
        query, client = server.recvfrom(LARGEST)
        server.sendto(respond(query, int(sys.argv[2])), client)


if __name__ == "__main__":
    main()
