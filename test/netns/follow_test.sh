#!/bin/bash
# What changes in the kernel without a word about it, or where lbd cannot see it, is followed all
# the same: routes that go with their nexthop object, a veth's other end in a nameless namespace.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

NAMELESS=$WORK/nameless # a mount of a network namespace, not where lbd looks for them

leave_nameless() {
    umount -l "$NAMELESS" 2>/dev/null
    clean_up
}
trap leave_nameless EXIT

# ---- nexthop objects

neighbour_is() { # ADDRESS EXPRESSION
    lbctl_says '.neighbours[] | select(.address == "'"$1"'") | '"$2" neighbour list
}

add_routed_address() { # NAME, of the pod that answers at 10.2.0.1 and fd00:2::1
    inside "pod-$1" ip address add 10.2.0.1/32 dev lo &&
    inside "pod-$1" ip -6 address add fd00:2::1/128 dev lo nodad
}

route_by_object() {
    inside node ip nexthop add id 5 via 10.1.0.11 dev veth-a &&
    inside node ip route add 10.2.0.0/24 nhid 5 &&
    inside node ip nexthop add id 6 via fd00:1::11 dev veth-a &&
    inside node ip -6 route add fd00:2::/64 nhid 6
}

# The kernel removes the routes of an object that goes, and tells of the object alone
# (net/ipv4/nexthop.c, remove_nexthop).
test_nexthop_objects() {
    add_routed_address a
    add_routed_address b
    check "routes by nexthop objects are added" route_by_object
    check "a service of a backend behind one is added" \
        lbctl service add 10.96.0.40:80 --backend 10.2.0.1:8080
    check "and one over IPv6" lbctl service add '[fd00:96::40]:80' --backend '[fd00:2::1]:8080'
    check "the IPv4 backend is resolved by the object's gateway" within 2 neighbour_is 10.2.0.1 \
        '.state == "resolved" and .gateway == "10.1.0.11" and .interface == "veth-a"'
    check "so is the IPv6 one" within 2 neighbour_is fd00:2::1 \
        '.state == "resolved" and .gateway == "fd00:1::11" and .interface == "veth-a"'
    check "it answers" answers client 10.96.0.40:80

    check "an object is replaced" inside node ip nexthop replace id 5 via 10.1.0.12 dev veth-b
    check "its new gateway is used within 1 s" within 1 neighbour_is 10.2.0.1 \
        '.state == "resolved" and .gateway == "10.1.0.12" and .interface == "veth-b"'
    check "which answers" answers client 10.96.0.40:80

    check "the object goes" inside node ip nexthop del id 5
    check "the backend is no longer resolved within 1 s" within 1 neighbour_is 10.2.0.1 \
        '.state != "resolved" and .mac == null'
    check "the IPv6 object goes" inside node ip nexthop del id 6
    check "nor is the IPv6 one within 1 s" within 1 neighbour_is fd00:2::1 \
        '.state != "resolved" and .mac == null'
    check "others still are" neighbour_is 10.1.0.11 '.state == "resolved"'
    check "both routes come back" route_by_object
    check "and the backends are resolved" within 2 wait_resolved
    check "and answer" answers client '[fd00:96::40]:80'
}

# ---- a namespace that nothing names

# The process that made it is gone: a mount alone holds it.
make_nameless() {
    local holder
    touch "$NAMELESS"
    unshare --net sleep 600 &
    holder=$!
    PIDS+=("$holder")
    within 2 is_elsewhere "$holder" &&
    mount --bind "/proc/$holder/ns/net" "$NAMELESS" || return
    {
        kill -9 "$holder"
        wait "$holder"
    } 2>/dev/null
    mountpoint -q "$NAMELESS"
}

is_elsewhere() { # PID
    [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}

interface_says() { # INTERFACE EXPRESSION
    lbctl_says '.interfaces[] | select(.name == "'"$1"'") | '"$2" interface list
}

# iproute2 takes a path for a namespace, so nobody has to enter it, and lbd could see no one there.
make_veth_into_nameless() { # NAME PEER
    inside node ip link add name "$1" type veth peer name "$2" netns "$NAMELESS" &&
    inside node ip link set "$1" up
}

# The kernel tells of the move with the next news of the interface; until then nothing changes, as
# the end that moved keeps what lbd made of it.
make_veth_and_move_its_end() { # NAME PEER
    inside node ip link add name "$1" type veth peer name "$2" &&
    inside node ip link set "$1" up &&
    within 2 interface_says "$1" '.transmit == "redirect" and .error == null' &&
    inside node ip link set "$2" netns "$NAMELESS" &&
    inside node ip link set "$1" down &&
    inside node ip link set "$1" up
}

test_nameless() {
    if ! make_nameless; then
        skip "a veth's end in a nameless namespace is followed" "no such namespace can be made"
        return
    fi
    check "a veth is made whose other end is where lbd cannot see it" \
        make_veth_into_nameless veth-n end-n
    check "one that lbd knows moves its end there" make_veth_and_move_its_end veth-m end-m
    check "the one that was made so is left to the stack" within 2 interface_says veth-n \
        '.transmit == "stack"'
    check "lbctl tells why" interface_says veth-n '.error | test("namespace")'
    check "the other one is too" within 2 interface_says veth-m '.transmit == "stack"'
    check "lbctl tells why" interface_says veth-m '.error | test("namespace")'
    nsenter --net="$NAMELESS" sleep 600 &
    PIDS+=($!)
    check "once a process is there frames are redirected within 5 s" within 5 interface_says \
        veth-n '.transmit == "redirect" and .mode == "'"$XDP_MODE"'"'
    check "and nothing is told as an error any more" interface_says veth-n '.error == null'
    check "to the other one too" within 5 interface_says veth-m \
        '.transmit == "redirect" and .mode == "'"$XDP_MODE"'"'
    check "and nothing is told of it either" interface_says veth-m '.error == null'
    check "services answer as ever" answers client "$HTTP_SERVICE"
}

make_topology
run_with bpf net_admin perfmon sys_admin sys_ptrace # to find a namespace by a process
check "lbd becomes ready" node_lbd
check "services over IPv4 and IPv6 are added and resolved" add_services
test_nexthop_objects
test_nameless

finish
