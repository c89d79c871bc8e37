#!/usr/bin/python3
"""UDP datagrams of as many flows, as fast as one process sends them; answers are not waited for.

    udp_flood.py FLOWS INTERFACE GATEWAY-MAC ADDRESS PORT

Sources are 198.18.0.0/15 (RFC 2544), 1,000 ports of each. Prints how many were sent, in how long.
"""

import socket
import struct
import sys
import time

PORTS = range(20000, 21000)
FIRST_SOURCE = 0xC6120001  # 198.18.0.1
PAYLOAD = b"flood of new flows"
ETHERNET_IPV4 = 0x0800


def checksum(header):
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    total = (total & 0xffff) + (total >> 16)
    return ~((total & 0xffff) + (total >> 16)) & 0xffff


def ip_header(source, destination):
    length = 20 + 8 + len(PAYLOAD)
    header = struct.pack("!BBHHHBBHI4s", 0x45, 0, length, 0, 0x4000, 64, socket.IPPROTO_UDP, 0,
                         source, destination)
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:]


def frames(flows, ethernet, destination, port):
    """UDP without a checksum (RFC 768: zero), so that a port is all that changes."""
    for number in range(flows):
        if number % len(PORTS) == 0:
            start = ethernet + ip_header(FIRST_SOURCE + number // len(PORTS), destination)
        yield start + struct.pack("!HHHH", PORTS[number % len(PORTS)], port, 8 + len(PAYLOAD),
                                  0) + PAYLOAD


def main(flows, interface, gateway, address, port):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind((interface, 0))
    ethernet = (bytes.fromhex(gateway.replace(":", "")) + wire.getsockname()[4]
                + struct.pack("!H", ETHERNET_IPV4))
    started = time.monotonic()
    for frame in frames(int(flows), ethernet, socket.inet_aton(address), int(port)):
        while True:
            try:
                wire.send(frame)
                break
            except OSError:  # no buffer left: the queue is full for a moment
                time.sleep(0.001)
    print(f"{flows} flows in {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
