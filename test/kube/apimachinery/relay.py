#!/usr/bin/python3
"""relay.py PORT PORT2 SECONDS: passes on what comes to a port of the loopback to another one of it,
and what is answered, each piece so much later."""

import socket
import sys
import threading
import time


def pass_on(source, target, seconds):
    while piece := source.recv(65536):
        time.sleep(seconds)
        target.sendall(piece)
    target.shutdown(socket.SHUT_WR)


def main(port, port2, seconds):
    with socket.create_server(("127.0.0.1", int(port))) as listener:
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(("127.0.0.1", int(port2)))
            for arguments in ((client, server, 0), (server, client, float(seconds))):
                threading.Thread(target=pass_on, args=arguments, daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
