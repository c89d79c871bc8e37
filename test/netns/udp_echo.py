#!/usr/bin/python3
"""The UDP server of one pod: answers each datagram with the pod's name, a blank and the datagram.

    udp_echo.py NAME PORT…           serve over IPv4 and IPv6 until killed
"""

import select
import socket
import sys


def listen(port):
    server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.bind(("::", port))
    return server


def main(arguments):
    if len(arguments) < 2:
        sys.exit(__doc__)
    name = arguments[0].encode() + b" "
    servers = [listen(int(port)) for port in arguments[1:]]
    while True:
        for server in select.select(servers, [], [])[0]:
            datagram, client = server.recvfrom(65535)
            server.sendto(name + datagram, client)


if __name__ == "__main__":
    main(sys.argv[1:])
