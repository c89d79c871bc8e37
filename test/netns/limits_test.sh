#!/bin/bash
# Limits are the sizes of pinned maps; where a start wants others, others take their places
# (resize_test.sh: with traffic).
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

is_limited_to() { # SERVICES
    lbctl_says '.limits.services == '"$1" status
}

# Two services of up to seven and of five backends in tables of just that size: there is seldom room
# for a ring and the one before it.
change_backends() { # TURN
    lbctl backend "$([ $(($1 % 2)) = 0 ] && echo add || echo del)" 10.96.0.20:80 10.1.0.11:17 &&
        lbctl backend set 10.96.0.21:80 10.1.0.11:1 \
            --state "$([ $(($1 % 3)) = 0 ] && echo draining || echo active)"
}

test_tight_rings() {
    local turn backends=() service
    for turn in 11 12 13 14 15 16; do
        backends+=(--backend "10.1.0.11:$turn")
    done
    check "lbd starts with tables of two services and twelve backends" \
        node_lbd --max-services 2 --max-backends 12
    check "a service of six backends" lbctl service add 10.96.0.20:80 "${backends[@]}"
    check "and one of five" lbctl service add 10.96.0.21:80 --backend 10.1.0.11:1 \
        --backend 10.1.0.11:2 --backend 10.1.0.11:3 --backend 10.1.0.11:4 --backend 10.1.0.11:5
    for turn in $(seq 0 29); do
        check "change $turn fits" change_backends "$turn"
    done
    check "nothing had to be repaired" lbctl_says '.repaired == 0' status
    for service in 10.96.0.20 10.96.0.21; do
        check "$service goes" lbctl service del "$service:80"
    done
    lbd_forget
}

make_topology
test_tight_rings
check "lbd starts with room for 100 services" node_lbd --max-services 100
lbd_kill KILL
check "and then with room for 200" node_lbd --max-services 200
check "which it has" is_limited_to 200
lbd_kill KILL
for link in uplink0 veth-a veth-b veth-c; do
    inside node ip link del "$link"
done
inside node ip link add uplink0 type veth peer name other0
check "without its interfaces lbd starts with room for 300" \
    node_lbd --max-services 300 --interface uplink0
check "and has it" is_limited_to 300
finish
