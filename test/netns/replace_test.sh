#!/bin/bash
# Somebody else's XDP program on an interface: refused by its name, taken over with --replace, and
# refused even then where a bpf_link holds it, which only its owner can let go.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

NATIVE=1 # IFLA_XDP_ATTACHED of linux/if_link.h
GENERIC=2
OURS=$NATIVE # how lbd attaches where it is not told
[ "$XDP_MODE" = generic ] && OURS=$GENERIC

load_foreign_program() { # pinned as $WORK/bpf/foreign
    printf '%s\n' '__attribute__((section("xdp"), used))' \
        'int foreign_pass(void *context) { return 2; }' \
        'char gpl[] __attribute__((section("license"), used)) = "GPL";' >"$WORK/foreign.c"
    mount_bpffs
    rm -f "$WORK/bpf/foreign"
    clang -O2 -g -target bpf -c "$WORK/foreign.c" -o "$WORK/foreign.o" &&
    bpftool prog load "$WORK/foreign.o" "$WORK/bpf/foreign" type xdp
}

attach_foreign() { # MODE (xdpgeneric, xdpdrv)
    inside node ip link set dev other0 "$1" pinned "$WORK/bpf/foreign"
}

has_foreign() { # MODE
    inside node ip -j -d link show dev other0 >"$WORK/link.json"
    says "$WORK/link.json" '.[0].xdp | .mode == '"$1"' and .prog.name == "foreign_pass"'
}

# Programs of old pins go a moment after them (bpf_link_put defers it).
is_bare() {
    [ -z "$(inside node ip -j -d link show dev other0 | jq -r '.[0].xdp.mode // empty')" ]
}

has_lbd() { # MODE
    local pinned
    pinned=$(bpftool -j prog show pinned "$PIN/program/lb" | jq '.id')
    inside node ip -j -d link show dev other0 >"$WORK/link.json"
    says "$WORK/link.json" '.[0].xdp | .mode == '"$1"' and .prog.id == '"$pinned"
}

start_over() {
    lbd_forget
    within 2 is_bare && load_foreign_program
}

test_netlink_program() { # HOW MODE
    check "other0 has no program, and there is a foreign one" start_over
    check "it is attached by ip link, $1" attach_foreign "$1"
    check "lbd refuses to start over it, by name" lbd_refuses foreign_pass --interface other0
    check "and says how to take it over" grep -q -e '--replace' "$LBD_LOG"
    check "it is still there" has_foreign "$2"
    check "with --replace lbd starts" node_lbd --replace --interface other0
    check "its program is there instead, $XDP_MODE" has_lbd "$OURS"
    check "by a pinned link" test -e "$PIN/link/other0"
}

test_at_run_time() {
    check "other0 has no program, and there is a foreign one" start_over
    check "lbd with --replace becomes ready elsewhere" node_lbd --replace
    check "the foreign program is attached" attach_foreign xdpgeneric
    check "lbctl interface add takes other0 over" lbctl interface add other0
    check "lbd's program is there" has_lbd "$OURS"
}

test_generic_mode() {
    check "other0 has no program, and there is a foreign one" start_over
    check "it is attached natively" attach_foreign xdpdrv
    check "with --replace and --xdp-mode generic lbd starts" node_lbd_bare --replace \
        --xdp-mode generic --interface other0
    check "its program is there instead, generic" has_lbd "$GENERIC"
}

is_refused_by_link() { # OPTION…
    lbd_refuses foreign_pass "$@" --interface other0
}

test_held_by_a_link() {
    check "other0 has no program, and there is a foreign one" start_over
    spawn holder node "$PYTHON" "$HERE/hold_link.py" "$WORK/bpf/foreign" other0
    if ! within 5 grep -q held "$WORK/holder.log"; then
        skip "a program that a bpf_link holds is refused" "$(tail -n 1 "$WORK/holder.log")"
        return
    fi
    check "a bpf_link holds it" has_foreign "$NATIVE"
    check "lbd refuses to start, by name" is_refused_by_link
    check "also with --replace" is_refused_by_link --replace
    check "and says that a bpf_link holds it" grep -q bpf_link "$LBD_LOG"
    check "it is still there" has_foreign "$NATIVE"
    check "no pin of lbd's is left" fails test -e "$PIN"
    kill "${PIDS[-1]}"
    check "once its owner has let go of it lbd starts" within 3 node_lbd --interface other0
    check "its program is there" has_lbd "$OURS"
}

make_topology
inside node ip link add other0 type veth peer name other1
inside node ip link set other0 up
test_netlink_program xdpgeneric "$GENERIC"
test_netlink_program xdpdrv "$NATIVE"
test_at_run_time
test_generic_mode
test_held_by_a_link

finish
