#!/usr/bin/python3
"""Datagrams in fragments that are cut and ordered here, as no kernel would send them.

    fragments.py ask [-n DATAGRAMS] [--order ORDER] [--size BYTES] [--pause SECONDS]
                     INTERFACE MAC SOURCE ADDRESS PORT
        Sends datagrams to udp_echo.py at ADDRESS from the own address SOURCE, through the next hop
        MAC, and waits for each answer. One JSON object, as udp_load.py's.

    fragments.py answer [--order ORDER] INTERFACE MAC ADDRESS PORT NAME
        Answers each datagram to ADDRESS as udp_echo.py does.

    fragments.py flood [-n FRAGMENTS] [--piece first|later] INTERFACE MAC SOURCE ADDRESS PORT
        Sends that piece of as many datagrams, of which no other piece follows.

ORDER is forward, backward or shuffled.
"""

import argparse
import collections
import ipaddress
import json
import random
import socket
import struct
import time

MTU = 1500
ETHERTYPES = {4: 0x0800, 6: 0x86DD}
FRAGMENT_HEADER = 44
SHUFFLE_SEED = 42


def checksum(data):
    words = struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2))
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def udp(source, target, payload):
    """A UDP datagram between two (address, port), its checksum over the whole (RFC 768)."""
    length = 8 + len(payload)
    ends = source[0].packed + target[0].packed
    pseudo = ends + struct.pack("!IHH", length, 0, socket.IPPROTO_UDP)
    header = struct.pack("!HHHH", source[1], target[1], length, 0)
    total = checksum(pseudo + header + payload) or 0xFFFF
    return header[:6] + struct.pack("!H", total) + payload


def ipv4(source, target, identification, offset, more, piece):
    def header(total):
        return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(piece), identification & 0xFFFF,
                           offset // 8 | more << 13, 64, socket.IPPROTO_UDP,
                           total) + source.packed + target.packed

    return header(checksum(header(0))) + piece


def ipv6(source, target, identification, offset, more, piece):
    extension = struct.pack("!BBHI", socket.IPPROTO_UDP, 0, offset | more, identification)
    return struct.pack("!IHBB", 6 << 28, len(extension) + len(piece), FRAGMENT_HEADER,
                       64) + source.packed + target.packed + extension + piece


def cut(source, target, identification, datagram):
    """The packets that carry the datagram."""
    build, headers = (ipv4, 20) if source.version == 4 else (ipv6, 48)
    room = (MTU - headers) // 8 * 8
    return [build(source, target, identification, at, at + room < len(datagram),
                  datagram[at:at + room]) for at in range(0, len(datagram), room)]


class Sender:
    """Puts packets on the wire of an interface, to one next hop."""

    def __init__(self, options):
        self.options = options
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
        self.mac = bytes.fromhex(options.mac.replace(":", ""))
        self.identification = random.randrange(1 << 16)
        self.random = random.Random(SHUFFLE_SEED)

    def put(self, packet, version):
        self.socket.sendto(packet, (self.options.interface, ETHERTYPES[version], 0, 0, self.mac))

    def pieces(self, source, target, payload):
        self.identification += 1
        return cut(source[0], target[0], self.identification, udp(source, target, payload))

    def send(self, source, target, payload):
        packets = self.pieces(source, target, payload)
        if self.options.order == "backward":
            packets.reverse()
        elif self.options.order == "shuffled":
            self.random.shuffle(packets)
        for packet in packets:
            self.put(packet, source[0].version)
            time.sleep(self.options.pause)


def family_of(address):
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


def ask(options):
    sender = Sender(options)
    target = (options.address, options.port)
    counts = collections.Counter(lost=0, stray=0, damaged=0)
    backends = collections.Counter()
    for number in range(options.datagrams):
        payload = f"{number} ".encode().ljust(options.size, b"x")
        with socket.socket(family_of(options.source), socket.SOCK_DGRAM) as receiver:
            receiver.settimeout(2)
            receiver.bind((str(options.source), 0))
            sender.send((options.source, receiver.getsockname()[1]), target, payload)
            try:
                reply, origin = receiver.recvfrom(65535)
            except TimeoutError:
                counts["lost"] += 1
                continue
        name, _, echoed = reply.partition(b" ")
        if origin[:2] != (str(options.address), options.port):
            counts["stray"] += 1
        elif echoed != payload:
            counts["damaged"] += 1
        else:
            backends[name.decode()] += 1
    print(json.dumps({"pairs": options.datagrams, **counts, "backends": dict(backends)}))


def answer(options):
    sender = Sender(options)
    server = socket.socket(family_of(options.address), socket.SOCK_DGRAM)
    server.bind((str(options.address), options.port))
    while True:
        payload, client = server.recvfrom(65535)
        sender.send((options.address, options.port),
                    (ipaddress.ip_address(client[0]), client[1]),
                    options.name.encode() + b" " + payload)


def flood(options):
    sender = Sender(options)
    which = 0 if options.piece == "first" else 1
    for _ in range(options.datagrams):
        pieces = sender.pieces((options.source, 40000), (options.address, options.port),
                               bytes(2000))
        sender.put(pieces[which], options.source.version)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    modes = parser.add_subparsers(dest="mode", required=True)
    for mode in (ask, answer, flood):
        words = modes.add_parser(mode.__name__, usage=__doc__)
        words.set_defaults(run=mode)
        words.add_argument("-n", dest="datagrams", type=int, default=100)
        words.add_argument("--order", choices=["forward", "backward", "shuffled"],
                           default="forward")
        words.add_argument("--size", type=int, default=4000)
        words.add_argument("--pause", type=float, default=0)
        words.add_argument("--piece", choices=["first", "later"], default="first")
        words.add_argument("interface")
        words.add_argument("mac")
        if mode is not answer:
            words.add_argument("source", type=ipaddress.ip_address)
        words.add_argument("address", type=ipaddress.ip_address)
        words.add_argument("port", type=int)
        if mode is answer:
            words.add_argument("name")
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
