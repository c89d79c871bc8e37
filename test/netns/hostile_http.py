#!/usr/bin/python3
"""Badly behaved clients of an HTTP server.

    hostile_http.py ADDRESS PORT silent COUNT SECONDS  connect and send nothing
    hostile_http.py ADDRESS PORT drip COUNT SECONDS    send a request, a byte a second, without end
    hostile_http.py ADDRESS PORT deaf COUNT SECONDS PATH  ask and do not read the answer
    hostile_http.py ADDRESS PORT leave COUNT - PATH    ask and close before the answer
    hostile_http.py ADDRESS PORT head COUNT            send 1 MB of header lines
    hostile_http.py ADDRESS PORT body COUNT            send a body without end
    hostile_http.py ADDRESS PORT garbage COUNT         send what is no HTTP

Prints `open N` when all are connected, then how many the server closed and after how long the last.
"""

import select
import socket
import struct
import sys
import time


def connect(address, port, buffer=0):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    client = socket.socket(family, socket.SOCK_STREAM)
    if buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    client.settimeout(5)
    client.connect((address, int(port)))
    return client


def is_closed(client):
    """Reads and drops what has come."""
    try:
        client.setblocking(False)
        while True:
            if not client.recv(65536):
                return True
    except BlockingIOError:
        return False
    except OSError:
        return True


def wait_closed(clients, seconds, each_second=lambda client: None, looks=is_closed):
    started = time.monotonic()
    left, last = list(clients), 0.0
    while left and time.monotonic() - started < seconds:
        select.select(left, [], [], 0.2)
        now_open = [client for client in left if not looks(client)]
        if len(now_open) != len(left):
            last = time.monotonic() - started
        left = now_open
        for client in left:
            each_second(client)
        time.sleep(0.8 if left else 0)
    print(f"closed {len(clients) - len(left)} of {len(clients)} last {last:.1f}", flush=True)


def drip(client):
    try:
        client.send(b"x")
    except OSError:
        pass


def is_reset(client):
    """Without reading: whether the kernel knows the connection to be over."""
    state = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return state not in (1,)  # TCP_ESTABLISHED


def send_all(client, chunk, size):
    sent = 0
    try:
        while sent < size:
            sent += client.send(chunk)
    except OSError:
        pass


def main(address, port, behaviour, count, seconds="10", path="/healthz"):
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    buffer = 4096 if behaviour == "deaf" else 0
    clients = [connect(address, port, buffer) for _ in range(int(count))]
    print(f"open {len(clients)}", flush=True)
    for client in clients:
        if behaviour == "drip":
            client.send(b"GET /healthz HTTP/1.1\r\nX: ")
        elif behaviour == "deaf":
            client.send(request)
        elif behaviour == "leave":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.send(request)
            client.close()
        elif behaviour == "head":
            send_all(client, b"GET / HTTP/1.1\r\n" + b"X-Y: z\r\n" * 1000, 1_000_000)
        elif behaviour == "body":
            send_all(client, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n"
                     + b"x" * 65536, 10_000_000)
        elif behaviour == "garbage":
            send_all(client, b"\x00\xff\x16\x03\x01 no HTTP\r\n\r\n" * 10, 100)
    if behaviour == "leave":
        return
    wait_closed(clients, float(seconds), drip if behaviour == "drip" else lambda client: None,
                is_reset if behaviour == "deaf" else is_closed)


if __name__ == "__main__":
    main(*sys.argv[1:])
