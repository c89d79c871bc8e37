#!/usr/bin/python3
"""Asks servers of echo_server.py, one request after another up to the first error, and says what
came of it as one JSON object.

    probe.py [-n COUNT] [--timeout SECONDS] [--bytes N] [--from PORT] [--unconnected]
             tcp|udp ADDRESS PORT
    probe.py --until FILE … ADDRESS PORT         until that file exists; goes on after errors
    probe.py --keep SECONDS … udp ADDRESS PORT   from one port, an answer or not, a line as each
                                                 answer or error comes: `SECONDS NAME-or-error`

answers   who answered → how often
servers   the address that they were asked at → how often
clients   the address that the servers saw → how often
errors    refused, timeout, unreachable, stray (an answer from elsewhere), damaged → how often
"""

import argparse
import collections
import http.client
import ipaddress
import json
import os
import socket
import time

PAUSE_SECONDS = 0.05


class Stray(Exception):
    pass


class Damaged(Exception):
    pass


def name_error(error):
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, PermissionError):
        return "forbidden"
    if isinstance(error, (Stray, Damaged)):
        return type(error).__name__.lower()
    if isinstance(error, OSError) and error.errno in (101, 113):
        return "unreachable"
    return f"{type(error).__name__}: {error}"


def parse(text, sent):
    first, _, rest = text.partition(b"\n")
    if rest != sent:
        raise Damaged
    return first.decode().split(" ")


def ask_tcp(options, sent):
    source = ("", options.source_port) if options.source_port else None
    connection = http.client.HTTPConnection(options.address, options.port,
                                            timeout=options.timeout, source_address=source)
    try:
        connection.connect()
        peer = connection.sock.getpeername()
        if peer[:2] != (options.address, options.port):
            raise Stray
        connection.request("POST", "/", sent)
        return parse(connection.getresponse().read(), sent)
    finally:
        connection.close()


def open_udp(options):
    family = socket.AF_INET6 if ipaddress.ip_address(options.address).version == 6 \
        else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_DGRAM)
    connection.settimeout(options.timeout)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if options.source_port:
        connection.bind(("", options.source_port))
    if not options.unconnected:
        connection.connect((options.address, options.port))
    return connection


def exchange(connection, options, sent):
    if not options.unconnected:
        connection.send(sent)
        return parse(connection.recv(65535), sent)
    connection.sendto(sent, (options.address, options.port))
    text, server = connection.recvfrom(65535)
    if server[:2] != (options.address, options.port):
        raise Stray
    return parse(text, sent)


def ask_udp(options, sent):
    with open_udp(options) as connection:
        return exchange(connection, options, sent)


def keep_asking(options):
    """Until the time is over; an answer that comes late counts as the next one's, and after an
    error another socket goes on from the same port, as applications do."""
    start = time.monotonic()
    connection = None
    while time.monotonic() < start + options.keep:
        try:
            connection = connection or open_udp(options)
            what = exchange(connection, options, b"x")[0]
        except OSError as error:
            what = name_error(error)
            if connection and what != "timeout":
                connection.close()
                connection = None
        print(f"{time.monotonic() - start:.2f} {what}", flush=True)
        time.sleep(PAUSE_SECONDS)


def ask_all(options):
    answers, clients, servers, errors = (collections.Counter() for _ in range(4))
    sent = b"x" * options.bytes
    ask = ask_tcp if options.protocol == "tcp" else ask_udp
    number = 0
    while not os.path.exists(options.until) if options.until else number < options.count:
        number += 1
        try:
            name, client, server = ask(options, sent)
            answers[name] += 1
            clients[client] += 1
            servers[server] += 1
        except (OSError, http.client.HTTPException, Stray, Damaged) as error:
            errors[name_error(error)] += 1
            if not options.until:
                break
        time.sleep(0.005 if options.until else 0)
    return {"answers": answers, "clients": clients, "servers": servers, "errors": errors}


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("-n", dest="count", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=1)
    parser.add_argument("--bytes", type=int, default=1)
    parser.add_argument("--from", dest="source_port", type=int, default=0)
    parser.add_argument("--unconnected", action="store_true")
    parser.add_argument("--keep", type=float)
    parser.add_argument("--until")
    parser.add_argument("protocol", choices=("tcp", "udp"))
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    options = parser.parse_args()
    if options.keep:
        keep_asking(options)
    else:
        print(json.dumps(ask_all(options)))


if __name__ == "__main__":
    main()
