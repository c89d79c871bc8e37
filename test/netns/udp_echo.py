#!/usr/bin/python3
"""The UDP server of one pod: answers each datagram with the pod's name, a blank and the datagram,
from the address that it was sent to.

    udp_echo.py NAME PORT…           serve over IPv4 and IPv6 until killed
"""

import select
import socket
import sys

PKTINFO_BYTES = 20  # struct in6_pktinfo: an address and the index of an interface


def listen(port):
    server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    server.bind(("::", port))
    return server


def answer(server, name):
    datagram, told, _, client = server.recvmsg(65535, socket.CMSG_SPACE(PKTINFO_BYTES))
    told = [(level, kind, value[:16] + bytes(4)) for level, kind, value in told]  # by any interface
    server.sendmsg([name + datagram], told, 0, client)


def main(arguments):
    if len(arguments) < 2:
        sys.exit(__doc__)
    name = arguments[0].encode() + b" "
    servers = [listen(int(port)) for port in arguments[1:]]
    while True:
        for server in select.select(servers, [], [])[0]:
            answer(server, name)


if __name__ == "__main__":
    main(sys.argv[1:])
