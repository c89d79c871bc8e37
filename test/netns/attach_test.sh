#!/bin/bash
# Where lbd attaches: to what is named, to what matches a glob and to what appears later, with
# nothing disturbed elsewhere; a program of somebody else is left alone and named.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

# As people look for it.
ip_shows_xdp() { # INTERFACE
    local word=xdp
    [ "$XDP_MODE" = generic ] && word=xdpgeneric
    inside node ip -d link show dev "$1" >"$WORK/link.txt"
    cat "$WORK/link.txt"
    grep -q 'prog/xdp id' "$WORK/link.txt" && grep -qw "$word" "$WORK/link.txt"
}

interface_says() { # INTERFACE EXPRESSION
    lbctl_says '.interfaces[] | select(.name == "'"$1"'") | '"$2" interface list
}

is_not_listed() { # INTERFACE
    lbctl_says 'all(.interfaces[]; .name != "'"$1"'" or .index == 0)' interface list
}

load_foreign_program() { # a program of somebody else, pinned as $WORK/bpf/foreign
    printf '%s\n' '__attribute__((section("xdp"), used))' \
        'int foreign_pass(void *context) { return 2; }' \
        'char gpl[] __attribute__((section("license"), used)) = "GPL";' >"$WORK/foreign.c"
    mount_bpffs
    clang -O2 -g -target bpf -c "$WORK/foreign.c" -o "$WORK/foreign.o" &&
    bpftool prog load "$WORK/foreign.o" "$WORK/bpf/foreign" type xdp
}

attach_foreign_program() { # INTERFACE
    inside node ip link set dev "$1" xdp pinned "$WORK/bpf/foreign"
}

has_foreign_program() { # INTERFACE
    inside node ip -d link show dev "$1" | grep -q 'name foreign_pass'
}

test_names_and_globs() {
    check "lbd becomes ready" node_lbd
    for interface in uplink0 veth-a veth-b veth-c; do
        check "$interface has $XDP_MODE XDP" is_attached "$interface" "$XDP_MODE"
        check "ip link shows it on $interface" ip_shows_xdp "$interface"
        check "$interface is listed as $XDP_MODE" interface_says "$interface" \
            '.mode == "'"$XDP_MODE"'" and .error == null and .index > 0 and .kind == "veth"'
        check "the link of $interface is pinned" test -e "$PIN/link/$interface"
    done
    check "an interface that nothing names is left alone" is_bare other0
    check "the glob that asks for an interface is listed" interface_says veth-a '.asked == "veth-*"'
    check "what was done at a veth's other end is listed" interface_says veth-a \
        '.transmit == "redirect" and (.peer | type == "string" and length > 0)'
    check "the program is pinned as program/lb" bpftool prog show pinned "$PIN/program/lb"
    check "services are added and resolved" add_services
    check "the pinned map of services can be dumped" bpftool map dump pinned "$PIN/map/services"
    check "bpftool net list names the program" \
        sh -c "nsenter --net=/run/netns/$PREFIX-node bpftool net list | grep -q uplink0"
}

test_coming_and_going() {
    trickle_start 30 12
    check "a pod's interface that appears is attached within a second" appears
    check "one that vanishes is forgotten within a second" vanishes
    check "one that appears again is attached again" appears
    check "an interface added by hand is attached" by_hand add
    check "and one removed by hand is detached" by_hand del
    check "an interface can vanish while lbd handles it" flicker
    check "lbd still runs" lbd_is_running
    wait_load "$LOAD_PID"
    check "no download broke while other interfaces came and went" says "$WORK/trickle.json" \
        '.failures == 0 and (.backends | length) > 0'
}

appears() {
    if ip netns list | grep -q "^$PREFIX-pod-d"; then connect_pod d 14; else add_pod d 14; fi
    within 1 is_attached veth-d "$XDP_MODE" &&
    within 1 interface_says veth-d '.mode == "'"$XDP_MODE"'"'
}

vanishes() {
    disconnect_pod d
    within 1 is_not_listed veth-d
}

by_hand() { # add|del
    lbctl interface "$1" other0 || return
    if [ "$1" = add ]; then
        within 1 is_attached other0 "$XDP_MODE"
    else
        within 1 is_bare other0 && is_not_listed other0
    fi
}

flicker() {
    local i
    for i in 1 2 3 4 5 6 7 8; do
        inside node ip link add "veth-f$i" type veth peer name "flick$i"
        inside node ip link set "veth-f$i" up
        inside node ip link del "veth-f$i"
    done
    within 2 lbctl_says 'all(.interfaces[]; (.name | startswith("veth-f") | not) or .index == 0)' \
        interface list
}

test_conntrack() {
    if [ ! -e /proc/net/nf_conntrack ]; then
        skip "the node's conntrack table is empty" "no /proc/net/nf_conntrack in this kernel"
        return
    fi
    check "1,000 requests pass" http_load "$WORK/http.json" client -n 1000 -c 20 10.96.0.10 80
    inside node cat /proc/net/nf_conntrack >"$WORK/conntrack.txt"
    check "the node's conntrack table is empty" fails grep . "$WORK/conntrack.txt"
}

# Programs for tc are loaded at a start with --tc-interface, or not at all.
test_tc_later() {
    lbctl interface add veth-a --hook tc >"$WORK/out.txt" 2>"$WORK/err.txt"
    check "an interface is not added by tc later" test $? = 1
    check "which says what would be right" grep -q -- "--tc-interface" "$WORK/err.txt"
    check "and stays what it is" lbctl_says \
        'any(.interfaces[]; .name == "veth-a" and .mode != "none" and .transmit == "redirect")' \
        interface list
    check "and serves" within 5 answers client "$HTTP_SERVICE"
}

test_foreign_program() {
    check "a program of somebody else is on other0" attach_foreign_program other0
    lbctl interface add other0 >"$WORK/out.txt" 2>"$WORK/err.txt"
    check "adding that interface is refused with status 1" test $? = 1
    check "in one line that names the program" grep -c 'foreign_pass' "$WORK/err.txt"
    check "and nothing else" test "$(wc -l <"$WORK/err.txt")" = 1
    check "the foreign program is still there" has_foreign_program other0
    lbd_forget
    check "lbd refuses to start over it and names it" lbd_refuses foreign_pass --interface other0
    check "the foreign program is still there then" has_foreign_program other0
    inside node ip link set dev other0 xdp off
}

test_unknown_interface() {
    lbd_forget
    check "lbd refuses an interface that does not exist" lbd_refuses later0 \
        --interface uplink0 --interface later0
    lbd_forget
    check "but waits for what a glob may bring" node_lbd_bare \
        --interface uplink0 --interface 'later*'
    inside node ip link add later0 type veth peer name later1
    inside node ip link set later0 up
    check "it is attached once it appears" within 1 is_attached later0 "$XDP_MODE"
    check "uplink0 is attached" is_attached uplink0 "$XDP_MODE"
    check "veth-a, which is not named, is not" is_bare veth-a
    lbd_kill TERM
    check "SIGTERM leaves the programs attached" is_attached uplink0 "$XDP_MODE"
}

make_topology
inside node ip link add other0 type veth peer name other1
inside node ip link set other0 up
check "the foreign program is loaded" load_foreign_program

test_names_and_globs
test_coming_and_going
test_conntrack
test_tc_later
test_foreign_program
test_unknown_interface

finish
