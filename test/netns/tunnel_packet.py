#!/usr/bin/python3
"""Sends a datagram in a tunnel, as a node that encapsulates does, or anybody else.

    tunnel_packet.py TO CLIENT CLIENT-PORT SERVICE PORT TEXT

TO: the address that the outer header leads to, from the sender's own; the inner packet is UDP of
CLIENT to SERVICE, whose checksum is left out over IPv4.
"""

import ipaddress
import socket
import struct
import sys


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def inner(client, client_port, service, port, text):
    udp = struct.pack("!HHHH", client_port, port, 8 + len(text), 0) + text
    ends = client.packed + service.packed
    if client.version == 4:
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0x4000, 64, 17, 0) + ends
        return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + udp
    pseudo = ends + struct.pack("!II", len(udp), 17) + udp + b"\0" * (len(udp) % 2)
    udp = udp[:6] + struct.pack("!H", checksum(pseudo) or 0xffff) + udp[8:]
    return struct.pack("!IHBB", 6 << 28, len(udp), 17, 64) + ends + udp


def main():
    to, client, client_port, service, port, text = sys.argv[1:]
    packet = inner(ipaddress.ip_address(client), int(client_port),
                   ipaddress.ip_address(service), int(port), text.encode())
    family, protocol = ((socket.AF_INET, socket.IPPROTO_IPIP) if ":" not in to
                        else (socket.AF_INET6, socket.IPPROTO_IPV6))
    with socket.socket(family, socket.SOCK_RAW, protocol) as sock:
        sock.sendto(packet, (to, 0))


if __name__ == "__main__":
    main()
