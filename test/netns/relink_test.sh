#!/bin/bash
# Interfaces that were renamed, swapped or replaced while no lbd looked: links follow the interface
# and not its name, and a link whose interface has left is not taken for that of its successor.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

ifindex() { # INTERFACE
    inside node ip -j link show dev "$1" | jq '.[0].ifindex'
}

link_id() { # INTERFACE, of the link that is pinned for it
    bpftool -j link show pinned "$PIN/link/$1" | jq '.id // empty'
}

has_link() { # INTERFACE ID
    echo "$1 has link $(link_id "$1"), wanted $2"
    [ -n "$2" ] && [ "$(link_id "$1")" = "$2" ]
}

program_on() { # NAMESPACE INTERFACE: the id of its program; nothing where there is none
    inside "$1" ip -j -d link show dev "$2" |
        jq -r '.[0].xdp.prog.id // empty'
}

runs_lbds_program() { # INTERFACE
    local pinned
    pinned=$(bpftool -j prog show pinned "$PIN/program/lb" | jq '.id')
    echo "pinned $pinned, on $1: $(program_on node "$1")"
    [ "$(program_on node "$1")" = "$pinned" ]
}

is_attached() { # INTERFACE
    runs_lbds_program "$1" && lbctl_says '.interfaces[] | select(.name == "'"$1"'") |
        .mode == "'"$XDP_MODE"'" and .error == null' interface list
}

# Kernels before 6.2 rename only what is down.
rename_interface() { # FROM TO
    inside node ip link set dev "$1" name "$2" 2>/dev/null && return
    inside node ip link set dev "$1" down &&
    inside node ip link set dev "$1" name "$2" &&
    inside node ip link set dev "$2" up
}

none_broke() {
    wait_load "$LOAD_PID"
    says "$WORK/trickle.json" '.failures == 0 and (.backends | length) == 3'
}

test_rename() {
    local id
    id=$(link_id uplink0)
    trickle_start 30 4
    lbd_kill KILL
    check "the uplink is renamed while lbd is down" rename_interface uplink0 wan0
    check "lbd starts with the new name" node_lbd_bare --interface wan0 --interface 'veth-*'
    check "it is attached there" is_attached wan0
    check "by the link that was there" has_link wan0 "$id"
    check "whose pin has the new name" test -e "$PIN/link/wan0"
    check "and not the old one" fails test -e "$PIN/link/uplink0"
    check "no connection broke" none_broke
}

swap_names() { # A B
    rename_interface "$1" swapped &&
    rename_interface "$2" "$1" &&
    rename_interface swapped "$2"
}

test_swap() {
    local a b wan
    a=$(link_id veth-a) b=$(link_id veth-b) wan=$(link_id wan0)
    trickle_start 30 4
    lbd_kill KILL
    check "two interfaces swap their names while lbd is down" swap_names veth-a veth-b
    check "and two others, one of them the uplink" swap_names wan0 veth-c
    check "lbd starts" node_lbd_bare --interface wan0 --interface 'veth-*'
    for interface in wan0 veth-a veth-b veth-c; do
        check "$interface is attached" is_attached "$interface"
    done
    check "veth-a by the link it had as veth-b" has_link veth-a "$b"
    check "veth-b by that of veth-a" has_link veth-b "$a"
    check "veth-c by that of the uplink" has_link veth-c "$wan"
    check "four links are pinned" test "$(find "$PIN/link" -type f | wc -l)" = 4
    check "no connection broke" none_broke
    lbd_kill KILL
    check "the uplink gets its name back" swap_names wan0 veth-c
    check "lbd starts" node_lbd_bare --interface wan0 --interface 'veth-*'
    check "requests are answered" answers client "$HTTP_SERVICE"
}

# The other end goes along with nothing: it stays in the node.
make_other() { # NAME PEER [INDEX]
    inside node ip link add name "$1" ${3:+index "$3"} type veth peer name "$2" &&
    inside node ip link set "$1" up
}

# Its index is free here then, and its link lives on, with the index it has there.
move_away() { # NAME
    inside node ip link set dev "$1" netns "$PREFIX-client"
}

test_successor() { # NAME PEER, of the one that takes the index of other0
    local index
    check "lbd starts on other0" node_lbd_bare --interface wan0 --interface 'veth-*' \
        --interface other0
    check "it is attached there" is_attached other0
    index=$(ifindex other0)
    lbd_kill KILL
    check "other0 leaves for another namespace" move_away other0
    check "its link goes on there" test -n "$(program_on client other0)"
    check "a new $1 has its index here" make_other "$1" "$2" "$index"
    check "indeed" test "$(ifindex "$1")" = "$index"
    check "lbd starts on $1" node_lbd_bare --interface wan0 --interface 'veth-*' --interface "$1"
    check "the new $1 runs lbd's program" is_attached "$1"
    check "its link is pinned" test -e "$PIN/link/$1"
    check "the one that left is rid of it" test -z "$(program_on client other0)"
    check "requests are answered" answers client "$HTTP_SERVICE"
    inside client ip link del other0
}

make_topology
check "lbd becomes ready" node_lbd
check "services over IPv4 and IPv6 are added and resolved" add_services
test_rename
test_swap
lbd_kill KILL
make_other other0 peer0
test_successor other0 peer1
lbd_kill KILL
test_successor third0 peer2
check "the old name has no pin" fails test -e "$PIN/link/other0"

finish
