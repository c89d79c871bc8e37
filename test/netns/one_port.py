#!/usr/bin/python3
"""One port of a client, and several services at once.

    one_port.py PORT ROUNDS ADDRESS…     TCP port 80 and UDP port 53 of each address

In every round PORT connects to each of them by TCP, all are asked for a page of a length of its
own, and by UDP for an echo, before any is heard; then the port is used again. Says what was wrong,
and then ends with 1: an answer that does not come, or as from another service than was asked.
"""

import socket
import sys

TIMEOUT_SECONDS = 3
BYTES = 100000


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def bind(kind, family, port):
    one = socket.socket(family, kind)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.settimeout(TIMEOUT_SECONDS)
    one.bind(("", port))
    return one


def connect(address, port):
    one = bind(socket.SOCK_STREAM, family_of(address), port)
    one.connect((address, 80))
    return one


def ask_tcp(connection, size):
    connection.sendall(f"GET /bytes?n={size} HTTP/1.1\r\nHost: it\r\n\r\n".encode())


def hear_tcp(connection, size):
    answer = b""
    while True:
        piece = connection.recv(65536)
        if not piece:
            break
        answer += piece
    head, body = answer.split(b"\r\n\r\n", 1)
    if b" 200 " not in head.split(b"\r\n", 1)[0] or len(body) != size:
        raise ValueError(f"{len(body)} of {size} bytes come, after {head[:40]!r}")
    connection.close()


def hear_udp(server, wanted):
    datagram, source = server.recvfrom(65536)
    if wanted.pop(source[0], None) != datagram.split(b" ", 1)[1]:
        raise ValueError(f"{source[0]} says {datagram!r}, of which nothing was asked")


def main(arguments):
    if len(arguments) < 3:
        sys.exit(__doc__)
    port, rounds, addresses = int(arguments[0]), int(arguments[1]), arguments[2:]
    server = bind(socket.SOCK_DGRAM, family_of(addresses[0]), port)
    for number in range(rounds):
        connections = [connect(address, port) for address in addresses]
        wanted = {address: f"{number} {address}".encode() for address in addresses}
        for index, address in enumerate(addresses):
            ask_tcp(connections[index], BYTES + index)
            server.sendto(wanted[address], (address, 53))
        for index, connection in enumerate(connections):
            hear_tcp(connection, BYTES + index)
            hear_udp(server, wanted)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (OSError, ValueError) as wrong:
        sys.exit(f"one_port.py: {wrong}")
