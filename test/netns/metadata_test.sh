#!/bin/bash
# With --metadata, what lbd's programs pass carries why, and the example for tc, bpf/mark.bpf.c,
# marks it by its class and holds services to a rate: as docs/metadata.md shows it, in native and in
# generic mode. nftables counts by mark, behind tc and before the stack judges packets.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

MARK=$ROOT/build/bpf/mark.bpf.o
TO_NODE=192.0.2.1
BY_STACK=10.96.0.20 # a service whose only backend is behind an interface without lbd's program
BY_STACK6=fd00:96::20
SENT=300
RATE=50

count_marks() {
    inside node nft -f - <<'NFT'
table netdev lbt {
    counter class0 {}
    counter class1 {}
    counter class2 {}
    counter class3 {}
    counter class4 {}
    chain marks {
        type filter hook ingress device "uplink0" priority 0
        meta mark & 0xf == 0 counter name class0
        meta mark & 0xf == 1 counter name class1
        meta mark & 0xf == 2 counter name class2
        meta mark & 0xf == 3 counter name class3
        meta mark & 0xf == 4 counter name class4
    }
}
NFT
}

start_counting() {
    inside node nft reset counters >/dev/null
}

counted() { # CLASS
    inside node nft -j list counter netdev lbt "class$1" |
        jq '.nftables[] | select(.counter) | .counter.packets'
}

# As many of that class, or up to MOST; ND and the like are of class 1 and come when they want.
counts() { # CLASS LEAST [MOST]
    local got
    got=$(counted "$1")
    echo "class $1: $got, wanted $2–${3:-$2}"
    [ "$got" -ge "$2" ] && [ "$got" -le "${3:-$2}" ]
}

# Datagrams that may be lost on their way; in between the receiver gets time to take them.
send_datagrams() { # ADDRESS PORT NUMBER TTL
    inside client "$PYTHON" - "$@" <<'PYTHON'
import socket, sys, time
address, port, number, ttl = sys.argv[1], *map(int, sys.argv[2:])
is_ipv6 = ":" in address
sock = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
if is_ipv6:
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
else:
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
for i in range(number):
    sock.sendto(b"x", (address, port))
    if i % 30 == 29:
        time.sleep(0.002)
PYTHON
}

# An IPv4 header that promises more bytes than the frame has.
send_malformed() { # NUMBER
    local mac
    mac=$(inside node ip -j link show dev uplink0 | jq -r '.[0].address')
    inside client "$PYTHON" - "$mac" "$1" <<'PYTHON'
import socket, sys
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sock.bind(("eth0", 0))
ethernet = sys.argv[1].replace(":", "") + "02c100000001" + "0800"
frame = bytes.fromhex(ethernet + "4500ffff") + bytes(56)
for _ in range(int(sys.argv[2])):
    sock.send(frame)
PYTHON
}

# RATES: the map of rates, as bpftool takes it.
attach_object() {
    local program map
    inside node tc qdisc add dev uplink0 clsact &&
    inside node tc filter add dev uplink0 ingress bpf da obj "$MARK" || return
    program=$(inside node tc -j filter show dev uplink0 ingress | jq '.[].options.prog.id // empty')
    for map in $(bpftool -j prog show id "$program" | jq '.map_ids[]'); do
        bpftool map show id "$map" | grep -q 'name service_rates' && RATES=(id "$map") && return
    done
    return 1
}

# libbpf makes every '.' of a path for maps a '_', so the path is a relative one.
attach_pinned() {
    (cd "$WORK/bpf" && bpftool prog load "$MARK" mark type classifier pinmaps mark_maps) &&
    inside node tc qdisc add dev uplink0 clsact &&
    inside node tc filter add dev uplink0 ingress bpf da pinned "$WORK/bpf/mark" &&
    RATES=(pinned "$WORK/bpf/mark_maps/service_rates")
}

limit() { # SERVICE RATE
    local id
    id=$(lbctl -o json service show "$1" | jq .id)
    # shellcheck disable=SC2046 # four words each
    bpftool map update "${RATES[@]}" key $(bytes "$id") value $(bytes "$2")
}

bytes() { # NUMBER, as the map has it
    echo $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24))
}

add_by_stack() {
    lbctl service add "$BY_STACK:53/udp" --backend 10.1.0.11:8053 &&
    lbctl service add "[$BY_STACK6]:53/udp" --backend '[fd00:1::11]:8053' && wait_resolved &&
    lbctl interface del veth-a
}

# What is sent, and of which class it must be found.
check_classes() {
    start_counting
    check "the client pings the node" inside client ping -q -c 5 -i 0.1 "$TO_NODE"
    check "pings and their like are of class 1" counts 1 5 20
    start_counting
    check "malformed packets are sent" send_malformed 5
    check "they are of class 2" counts 2 5
    for address in 10.96.0.10 fd00:96::10; do
        start_counting
        check "packets to $address are sent with one hop left" send_datagrams "$address" 53 20 1
        check "they are of class 3" counts 3 20
        check "and none is without a mark" counts 0 0
    done
    for address in "$BY_STACK" "$BY_STACK6"; do
        start_counting
        check "packets to $address are sent" send_datagrams "$address" 53 20 64
        check "they are of class 4, for the stack to send on" counts 4 20
        check "and none is without a mark" counts 0 0
    done
}

# What lbd forwards itself is not held up by what happens to the rest.
check_forwarded() {
    start_counting
    check "200 requests are made" http_load "$WORK/http.json" client -n 200 -c 10 10.96.0.11 80
    check "none fails" says "$WORK/http.json" '.failures == 0 and .requests == 200'
    check "what lbd forwards is not seen by tc" counts 4 0
}

# A bucket holds a second's worth; the sender took less than another second.
check_rate() {
    check "$BY_STACK is held to $RATE packets a second" limit "$BY_STACK:53/udp" "$RATE"
    sleep 1
    start_counting
    check "$SENT packets to it are sent" send_datagrams "$BY_STACK" 53 "$SENT" 64
    check "$RATE of them pass, or a few more" counts 4 "$RATE" $((2 * RATE))
    start_counting
    check "$SENT packets to another service are sent" send_datagrams "$BY_STACK6" 53 "$SENT" 64
    check "all of them pass" counts 4 "$SENT"
    sleep 1
    start_counting
    check "a second later some more are sent" send_datagrams "$BY_STACK" 53 $((RATE - 5)) 64
    check "and pass, all of them" counts 4 $((RATE - 5))
    check "a rate of 0 is set" limit "$BY_STACK:53/udp" 0
    start_counting
    check "packets are sent again" send_datagrams "$BY_STACK" 53 20 64
    check "and none passes" counts 4 0
}

# A frame in front of which another program has left no room for more.
pass_full() {
    head -c 280 /dev/zero >"$WORK/frame"
    printf '\xd8\0\0\0\x18\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0' >"$WORK/context" # 216, 280
    bpftool prog run pinned "$PIN/program/lb" data_in "$WORK/frame" ctx_in "$WORK/context"
}

# Behind uplink0 and pods b and c lbd forwards; what is for pod a, the stack must.
check_mode() { # MODE ATTACH
    echo "# $1"
    check "lbd becomes ready" node_lbd_bare --metadata --xdp-mode "$1" --interface uplink0 \
        --interface veth-a --interface veth-b --interface veth-c
    check "services are added and resolved" add_services
    check "one of pods b and c, too" lbctl service add 10.96.0.11:80 --backend 10.1.0.12:8080 \
        --backend 10.1.0.13:8080
    check "and two of pod a, which lbd then leaves to the stack" add_by_stack
    check "the example is attached by tc" "$2"
    check_classes
    check_forwarded
    check_rate
    check "no packet went without for lack of room" fails grep metadata-missing "$LBD_LOG"
    check "a packet that has no room for it passes all the same" pass_full
    check "and lbd says so" within 5 grep -w 'event=metadata-missing packets=1' "$LBD_LOG"
    check "the example is detached" inside node tc qdisc del dev uplink0 clsact
    lbd_forget
    mount_bpffs
}

check_without() {
    check "lbd without --metadata becomes ready" node_lbd_bare --interface uplink0
    check "services are added" lbctl service add 10.96.0.10:53/udp --backend 10.1.0.11:8053
    check "the example is attached by tc" attach_pinned
    start_counting
    check "the client pings the node" inside client ping -q -c 5 -i 0.1 "$TO_NODE"
    check "packets with one hop left are sent" send_datagrams 10.96.0.10 53 20 1
    check "without --metadata nothing is marked" counts 0 25 40
    for class in 1 2 3 4; do
        check "not with class $class" counts "$class" 0
    done
}

make_topology
check "nftables counts by mark" count_marks
check_mode native attach_object
check_mode generic attach_pinned
check_without

finish
