#!/bin/bash
# The modes of XDP themselves: each does what docs/configuration.md says of it, and connections
# stay when lbd is started again with another one. (Any other test runs in generic mode, too, with
# LBT_XDP_MODE=generic.)
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

interface_says() { # INTERFACE EXPRESSION
    lbctl_says '.interfaces[] | select(.name == "'"$1"'") | '"$2" interface list
}

answers_all() { # FILE NAME ADDRESS
    http_load "$1" "$2" -n 200 -c 10 "$3" 80 && says "$1" '.failures == 0 and .requests == 200'
}

# A request to a closed port of a pod: its error is for a program that is reached by a tail call.
is_refused() {
    inside client "$PYTHON" - <<'PYTHON'
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.connect(("10.96.0.30", 9))
    sock.settimeout(2)
    sock.send(b"anybody?")
    try:
        sock.recv(100)
    except ConnectionRefusedError:
        sys.exit(0)
    except TimeoutError:
        print("no answer at all")
sys.exit(1)
PYTHON
}

# lbd goes from the mode it is in to another one.
test_change() { # MODE
    lbd_kill TERM
    check "lbd starts again, with --xdp-mode $1" node_lbd --xdp-mode "$1"
    for interface in uplink0 veth-a veth-b veth-c; do
        check "$interface is $1" is_attached "$interface" "$1"
        check "and is listed so" interface_says "$interface" '.mode == "'"$1"'" and .error == null'
    done
    check "requests from outside are answered" answers_all "$WORK/http.json" client 10.96.0.10
    check "and those of a pod" answers_all "$WORK/http.json" pod-a fd00:96::10
    check "a closed port is refused" is_refused
}

test_changes() {
    check "lbd becomes ready" node_lbd --xdp-mode auto
    check "where the driver can, auto is native" is_attached uplink0 native
    check "services are added and resolved" add_services
    check "and one whose backend has a closed port" lbctl service add 10.96.0.30:9/udp \
        --backend 10.1.0.11:9
    trickle_start 30 8
    test_change generic
    test_change native
    test_change generic
    wait_load "$LOAD_PID"
    check "no download broke by any change" says "$WORK/trickle.json" \
        '.failures == 0 and (.backends | length) == 3'
    lbd_forget
    check "nothing is left behind" is_bare uplink0
}

# One line that names the interface, the mode and what would be right.
offload_is_refused() { # FILE INTERFACE
    cat "$1"
    grep -q "$2: the device cannot run XDP programs itself (offload)" "$1" &&
        grep -q 'use --xdp-mode auto, native or generic' "$1"
}

test_offload() {
    check "with --xdp-mode offload lbd does not start" lbd_refuses offload \
        --xdp-mode offload --interface uplink0
    check "it names the interface and what would be right" offload_is_refused "$LBD_LOG" uplink0
    check "uplink0 is left without a program" is_bare uplink0
    echo '{"xdp-mode": "offload", "interface": ["veth-b"]}' >"$WORK/config.json"
    inside node "${LBD_AS[@]}" "$LBD" --pin "$PIN" --socket "$SOCKET" --state "$STATE" \
        --config "$WORK/config.json" 2>"$WORK/err.txt"
    check "nor with the same in its file" test $? = 1
    check "it names that one then" offload_is_refused "$WORK/err.txt" veth-b
    check "without an interface it waits for one" node_lbd_bare --xdp-mode offload
    lbctl interface add veth-c >"$WORK/out.txt" 2>"$WORK/err.txt"
    check "adding one is refused with status 1" test $? = 1
    check "in the same words" offload_is_refused "$WORK/err.txt" veth-c
    check "in one line" test "$(wc -l <"$WORK/err.txt")" = 1
    check "veth-c is left without a program" is_bare veth-c
    lbd_forget
}

# A bridge has no native XDP. What the client sends is summed up as a network card's is.
make_bridge() {
    inside client ethtool -K eth0 tx off >/dev/null
    inside node ip link add br0 type bridge
    inside node ip link set uplink0 master br0
    inside node ip address flush dev uplink0
    inside node ip address add 192.0.2.1/24 dev br0
    inside node ip address add 2001:db8::1/64 dev br0 nodad
    inside node ip link set br0 up
}

test_without_native() {
    make_bridge
    check "with --xdp-mode native a bridge is an error" lbd_refuses br0 --xdp-mode native \
        --interface br0
    check "it says which mode it could not have" grep -q 'br0: cannot attach in native mode' \
        "$LBD_LOG"
    lbd_forget
    check "with auto lbd becomes ready" node_lbd_bare --xdp-mode auto --interface br0 \
        --interface 'veth-*'
    check "the bridge is generic then" is_attached br0 generic
    check "lbd warns of what that costs" grep -q 'level=warning event=generic-mode interface=br0' \
        "$LBD_LOG"
    check "pods are native beside it" is_attached veth-a native
    check "native programs leave what goes out by the bridge to the stack" interface_says br0 \
        '.mode == "generic" and .transmit == "stack"'
    check "services are added and resolved" add_services
    inside node sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
                       echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
    check "requests over IPv4 are answered" answers_all "$WORK/http.json" client 10.96.0.10
    check "and over IPv6" answers_all "$WORK/http.json" client fd00:96::10
    check "their replies went by the stack" lbctl_says '.verdicts["pass-by-stack"].packets > 400 and
        .verdicts.redirect.packets > 400' stats
}

make_topology
test_changes
mount_bpffs
test_offload
mount_bpffs
test_without_native

finish
