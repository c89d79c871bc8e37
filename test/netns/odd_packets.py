"""What scanners and broken senders make, by scapy: see odd_test.sh.

    odd_packets.py scan ADDRESS FLAGS WANTED    TCP with these flags to port 80; `nothing`, or the
                                                answer's flags, which must come from ADDRESS
    odd_packets.py flood MAC SERVICE SERVICE6   contradictions and attacks of old, then each of them
                                                cut anywhere, and each with a bit turned
"""
import random
import sys

from scapy.all import (ICMP, IP, TCP, UDP, Ether, IPOption, IPv6, IPv6ExtHdrDestOpt,
                       IPv6ExtHdrFragment, Raw, conf, fragment, sendp, sr1)

INTERFACE = "eth0"


def scan(address, flags, wanted):
    network = IPv6(dst=address) if ":" in address else IP(dst=address)
    port = random.randrange(20000, 60000)
    segment = TCP(sport=port, dport=80, flags="" if flags == "none" else flags)
    answer = sr1(network / segment, timeout=1, retry=0)
    seen = str(answer[TCP].flags) if answer and TCP in answer else "nothing"
    print(f"{flags}: {seen} from {answer.src if answer else 'nobody'}, wanted {wanted}")
    return seen == wanted and (not answer or answer.src == address)


def odd_ipv4(service):
    syn = TCP(sport=4000, dport=80, flags="S")
    udp = UDP(sport=4000, dport=53)
    yield from (IP(dst=service, **fields) / syn for fields in (
        {"version": 5}, {"ihl": 4}, {"ihl": 15}, {"len": 21}, {"len": 65535}, {"ttl": 0},
        {"ttl": 1}, {"chksum": 0xdead}, {"flags": "evil"}, {"src": "127.0.0.1"}, {"src": "0.0.0.0"},
        {"src": "255.255.255.255"}, {"src": "224.0.0.1"}, {"src": service, "id": 1},
        {"options": [IPOption(b"\x83\x03\x10")]}))  # a loose source route, cut short
    yield from (IP(dst=service) / TCP(sport=4000, **fields) for fields in (
        {"dport": 80, "flags": "SFRPAUEC"}, {"dport": 80, "dataofs": 1},
        {"dport": 80, "dataofs": 15}, {"dport": 0}))
    yield IP(dst=service, src=service) / TCP(sport=80, dport=80, flags="S")  # land
    yield IP(dst=service) / UDP(sport=4000, dport=53, len=4) / Raw(b"x" * 30)
    yield IP(dst=service) / UDP(sport=4000, dport=53, len=60000) / Raw(b"x" * 30)
    yield IP(dst=service, flags="MF") / udp / Raw(b"x" * 28)  # teardrop, with the next
    yield IP(dst=service, frag=3, proto=17) / Raw(b"x" * 4)
    yield IP(dst=service, frag=1, proto=6) / Raw(b"\x50\x02" + b"x" * 6)  # RFC 3128
    yield IP(dst=service, frag=8189, proto=1) / Raw(b"x" * 1000)  # the ping of death
    yield IP(dst=service) / ICMP(type=3, code=4) / IP(src=service, dst="192.0.2.2") / syn
    yield IP(dst=service) / ICMP(type=5)
    yield IP(dst=service) / IP(dst=service) / syn
    yield from fragment(IP(dst=service) / udp / Raw(b"x" * 1000), fragsize=8)


def odd_ipv6(service):
    syn = TCP(sport=4000, dport=80, flags="S")
    yield from (IPv6(dst=service, **fields) / syn for fields in (
        {"version": 4}, {"plen": 0}, {"plen": 65535}, {"hlim": 0}, {"src": "::1"},
        {"src": "ff02::1"}, {"src": "::ffff:192.0.2.2"}, {"src": service}))
    yield IPv6(dst=service, nh=59) / Raw(b"x")
    yield IPv6(dst=service, nh=0) / Raw(b"\x06\xff" + b"x" * 6)
    yield IPv6(dst=service) / IPv6ExtHdrFragment(offset=1, m=1, nh=6) / Raw(b"x" * 8)
    chain = IPv6(dst=service)
    for _ in range(20):
        chain = chain / IPv6ExtHdrDestOpt()
    yield chain / syn


def flood(mac, service, service6):
    packets = [*odd_ipv4(service), *odd_ipv6(service6)]
    frames = [bytes(Ether(src="02:00:00:00:00:07", dst=mac) / packet) for packet in packets]
    random.seed(20240607)
    for frame in list(frames):
        frames.append(frame[:random.randrange(14, len(frame))])
        turned = bytearray(frame)
        turned[random.randrange(14, len(frame))] ^= 1 << random.randrange(8)
        frames.append(bytes(turned))
    sendp([Raw(frame) for frame in frames], iface=INTERFACE)
    print(len(frames), "frames")
    return True


if __name__ == "__main__":
    conf.verb = 0
    sys.exit(not {"scan": scan, "flood": flood}[sys.argv[1]](*sys.argv[2:]))
