#!/usr/bin/python3
"""What an application on the node sees of a service; each prints one JSON object.

    socket_probe.py tcp [--mapped] ADDRESS PORT      a request of http_server.py
    socket_probe.py udp [--mapped] [--connect] [-n N] ADDRESS PORT
                                                     N datagrams to udp_echo.py from one socket
    socket_probe.py refused [--udp] ADDRESS PORT     what connect() comes to, and how soon
    socket_probe.py trickle [--seconds S] ADDRESS PORT
                                                     a request that takes so long
    socket_probe.py late ADDRESS PORT                reads the answer after a line from stdin
    socket_probe.py stay [--seconds S] ADDRESS PORT  a connected UDP socket: a datagram each 0.1 s,
                                                     and connects anew when the kernel ends it
    socket_probe.py stay --then ADDRESS:PORT …       once it has had an answer, it connects there

--mapped: by an IPv6 socket that is given an IPv4-mapped address
peer      what getpeername() says
sources   where answers came from, as recvfrom() says
backends  whose they were
"""

import argparse
import errno
import ipaddress
import json
import socket
import sys
import time


def name_of(end):
    return f"{end[0].removeprefix('::ffff:')}:{end[1]}"


def open_socket(options, kind):
    version = ipaddress.ip_address(options.address).version
    address = f"::ffff:{options.address}" if options.mapped else options.address
    family = socket.AF_INET6 if options.mapped or version == 6 else socket.AF_INET
    opened = socket.socket(family, kind)
    opened.settimeout(options.timeout)
    return opened, (address, options.port)


def ask(options, path):
    client, service = open_socket(options, socket.SOCK_STREAM)
    client.connect(service)
    peer = name_of(client.getpeername())
    client.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    answer = b""
    while more := client.recv(65536):
        answer += more
    head, _, body = answer.partition(b"\r\n\r\n")
    length = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    return {"peer": peer, "backend": body.split(b"\n")[0].decode(),
            "whole": len(body) == int(length[0].split(b":")[1])}


def tcp(options):
    return ask(options, "/")


def trickle(options):
    return ask(options, f"/trickle?seconds={options.seconds}")


def exchange(client, text, service=None):
    """The backend that answers, and from where."""
    if service:
        client.sendto(text, service)
    else:
        client.send(text)
    answer, source = client.recvfrom(65535)
    backend, _, echoed = answer.partition(b" ")
    assert echoed == text, echoed
    return backend.decode(), name_of(source)


def udp(options):
    client, service = open_socket(options, socket.SOCK_DGRAM)
    peer = None
    if options.connect:
        client.connect(service)
        peer = name_of(client.getpeername())
    backends, sources = set(), set()
    for number in range(options.count):
        backend, source = exchange(client, str(number).encode(),
                                   None if options.connect else service)
        backends.add(backend)
        sources.add(source)
    return {"peer": peer, "backends": sorted(backends), "sources": sorted(sources)}


def refused(options):
    client, service = open_socket(options, socket.SOCK_DGRAM if options.udp else
                                  socket.SOCK_STREAM)
    start = time.monotonic()
    try:
        if options.udp and not options.connect:
            client.sendto(b"x", service)
        else:
            client.connect(service)
        error = None
    except OSError as failure:
        error = errno.errorcode.get(failure.errno, str(failure))
    return {"error": error, "ms": (time.monotonic() - start) * 1000}


def late(options):
    client, service = open_socket(options, socket.SOCK_DGRAM)
    client.sendto(b"late", service)
    sys.stdin.readline()
    return {"sources": [name_of(client.recvfrom(65535)[1])]}


def pause(client):
    """As an application does that waits for what else may come."""
    client.settimeout(0.1)
    try:
        client.recv(65535)
    except TimeoutError:
        client.settimeout(2)


def stay(options):
    end = None
    told = []
    backends = []
    while not end or time.monotonic() < end:
        client, service = open_socket(options, socket.SOCK_DGRAM)
        client.connect(service)
        try:
            while not end or time.monotonic() < end:
                backend = exchange(client, b"still")[0]
                if not end and options.then:
                    then, port = options.then.rsplit(":", 1)
                    client.connect((then, int(port)))
                end = end or time.monotonic() + options.seconds
                if backend not in backends:
                    backends.append(backend)
                    print(backend, file=sys.stderr, flush=True)
                pause(client)
        except OSError as failure:
            told.append(errno.errorcode.get(failure.errno, str(failure)))
    return {"told": told, "backends": backends}


def main():
    verbs = {"tcp": tcp, "udp": udp, "refused": refused, "trickle": trickle,
             "late": late, "stay": stay}
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=verbs)
    parser.add_argument("--mapped", action="store_true")
    parser.add_argument("--connect", action="store_true")
    parser.add_argument("--udp", action="store_true")
    parser.add_argument("--timeout", type=float, default=2)
    parser.add_argument("-n", dest="count", type=int, default=1)
    parser.add_argument("--then")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    options = parser.parse_args()
    print(json.dumps(verbs[options.verb](options)))


main()
