#!/usr/bin/python3
"""A POST to /sum of http_server.py that goes on for as long as its caller wants, as JSON.

    slow_post.py [--timeout SECONDS] ADDRESS PORT

Sends a piece when it has connected and one for each line of standard input; after the line "end"
the rest. Prints {"pod": who answered, "right": whether the sum is} or {"error": reason}.
"""

import argparse
import hashlib
import http.client
import json
import sys

PIECE_BYTES = 1000
MAX_PIECES = 100


def post(options, lines):
    connection = http.client.HTTPConnection(options.address, options.port,
                                            timeout=options.timeout)
    connection.putrequest("POST", "/sum")
    connection.putheader("Content-Length", str(PIECE_BYTES * MAX_PIECES))
    connection.endheaders()
    digest = hashlib.sha256()
    sent = 0
    for number in range(MAX_PIECES):
        piece = f"{number} ".encode().ljust(PIECE_BYTES, b"x")
        digest.update(piece)
        connection.send(piece)
        sent += 1
        if lines.readline().strip() == "end":
            break
    for number in range(sent, MAX_PIECES):
        piece = f"{number} ".encode().ljust(PIECE_BYTES, b"x")
        digest.update(piece)
        connection.send(piece)
    answer = connection.getresponse()
    said = answer.read().decode().strip()
    return {"pod": answer.getheader("X-Pod"), "right": said == digest.hexdigest()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--timeout", type=float, default=5)
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    try:
        result = post(parser.parse_args(), sys.stdin)
    except OSError as problem:
        result = {"error": str(problem)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
