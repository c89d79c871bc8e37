#!/usr/bin/python3
"""One badly behaved client of the control socket.

    hostile_client.py SOCKET silent SECONDS    connects and sends nothing
    hostile_client.py SOCKET half SECONDS      sends half a request, then nothing
    hostile_client.py SOCKET flood             sends 100 MB without a newline
    hostile_client.py SOCKET leave             sends a request and closes before the answer
    hostile_client.py SOCKET deaf SECONDS      sends requests with large answers and reads nothing
    hostile_client.py SOCKET garbage           sends a line that is no JSON object

Prints what lbd answered, if anything, and `closed` once lbd closed the connection. Exits 0 unless
it could not connect.
"""

import socket
import sys
import time

FLOOD_BYTES = 100_000_000
STATUS = b'{"command": "status"}\n'


def send_until_refused(client, chunk, size):
    sent = 0
    try:
        while sent < size:
            sent += client.send(chunk)
    except OSError:
        pass
    print(f"sent {sent}")


def read_until_closed(client, seconds):
    client.settimeout(seconds)
    try:
        while answer := client.recv(65536):
            print(answer.decode(errors="replace"), end="")
        print("closed")
    except ConnectionError:
        print("closed")
    except TimeoutError:
        print("still open")


def main(path, behaviour, seconds="10"):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.connect(path)
    seconds = float(seconds)
    if behaviour == "silent":
        time.sleep(seconds)
    elif behaviour == "half":
        client.sendall(STATUS[:10])
        read_until_closed(client, seconds)
    elif behaviour == "flood":
        client.settimeout(seconds)
        send_until_refused(client, b"x" * 65536, FLOOD_BYTES)
        read_until_closed(client, seconds)
    elif behaviour == "leave":
        client.sendall(STATUS)
    elif behaviour == "deaf":
        client.settimeout(seconds)
        send_until_refused(client, b'{"command": "export"}\n' * 1000, 10_000_000)
        time.sleep(seconds)
    elif behaviour == "garbage":
        client.sendall(b"\x00\xff not json\n")
        read_until_closed(client, seconds)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
