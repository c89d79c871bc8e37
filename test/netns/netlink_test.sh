#!/bin/bash
# What lbd learns over netlink, without lbd: routes, neighbours and interfaces change, and the hooks
# hear of it within 100 ms. Peers of veths are made fit for XDP in whatever namespace they are.
. "$(dirname "${BASH_SOURCE[0]}")/_netlink.sh"

# What is watched; a slot is an index here.
ADDRESSES=(10.9.0.2 10.10.0.7 fd09::2 fd10::7 10.11.0.7 10.9.2.2 10.9.0.99 10.9.0.1 10.12.0.1)
ON_LINK=0 GATEWAYED=1 ON_LINK6=2 GATEWAYED6=3 BY_OTHER_FAMILY=4 NAMELESS=5

test_initial_resolution() { # START
    local mac_a
    mac_a=$(mac "$A" eth0)
    MAX_MS=500 # from the start of the program
    for slot in $ON_LINK $GATEWAYED $ON_LINK6 $GATEWAYED6 $BY_OTHER_FAMILY; do
        check "${ADDRESSES[$slot]} is resolved" becomes "$1" "$slot" "$mac_a" veth0
    done
    check "a backend in a nameless namespace is resolved" \
        within 1 grep -q "^resolved slot=$NAMELESS .* port=$(ifindex veth2) " "$LBD_LOG"
    MAX_MS=100
    check "the gateway is listed" lists 10.10.0.7 'gateway=10.9.0.2 .*state=resolved managed=1'
    check "a gateway of the other family is listed" \
        lists 10.11.0.7 'gateway=fd09::2 .*state=resolved managed=1'
    check "an address of this node is local" lists 10.9.0.1 'state=local'
    check "an unreachable address has no route" lists 10.12.0.1 'state=no-route'
    check "an address that nobody has is failed after a while" \
        within 5 lists 10.9.0.99 'state=failed'
}

change_mac_of_a() { # MAC
    ip -n "$A" link set dev eth0 address "$1"
}

test_announced_mac_change() {
    local start new=02:00:00:00:0a:01
    change_mac_of_a "$new"
    start=$(now_ms)
    ip netns exec "$A" arping -q -U -c 1 -I eth0 10.9.0.2
    check "a gratuitous ARP reaches the on-link backend" becomes "$start" $ON_LINK "$new" veth0
    check "and the one behind that gateway" becomes "$start" $GATEWAYED "$new" veth0
    start=$(now_ms)
    ip netns exec "$A" ping -6 -q -c 1 -W 1 fd09::1 >/dev/null
    for slot in $ON_LINK6 $GATEWAYED6 $BY_OTHER_FAMILY; do
        check "a neighbour solicitation reaches ${ADDRESSES[$slot]}" \
            becomes "$start" "$slot" "$new" veth0
    done
}

test_route_change() {
    local start mac_b
    mac_b=$(mac "$B" eth0)
    start=$(now_ms)
    ip -n "$NODE" route replace 10.10.0.0/16 via 10.9.1.2
    check "a route moves to another interface" becomes "$start" $GATEWAYED "$mac_b" veth1
    start=$(now_ms)
    ip -n "$NODE" route replace fd10::/64 via fd09:1::2
    check "an IPv6 route moves too" becomes "$start" $GATEWAYED6 "$mac_b" veth1
    start=$(now_ms)
    ip -n "$NODE" route replace unreachable 10.10.0.0/16
    check "a route that refuses leaves the slot unresolved" is_unresolved "$start" $GATEWAYED
    start=$(now_ms)
    ip -n "$NODE" rule add to 10.10.0.0/16 lookup 77 priority 10
    ip -n "$NODE" route add 10.10.0.0/16 via 10.9.1.2 table 77
    check "a rule leads elsewhere" becomes "$start" $GATEWAYED "$mac_b" veth1
    start=$(now_ms)
    ip -n "$NODE" address del 10.9.1.1/24 dev veth1
    ip -n "$NODE" route flush table 77
    check "an address taken away is noticed" is_unresolved "$start" $GATEWAYED
    ip -n "$NODE" rule del to 10.10.0.0/16 lookup 77
    ip -n "$NODE" address add 10.9.1.1/24 dev veth1
    start=$(now_ms)
    add_routes_by_a
    check "the first way is taken again" becomes "$start" $GATEWAYED "$(mac "$A" eth0)" veth0
}

test_interface_made_anew() {
    local start old
    old=$(ifindex veth0)
    start=$(now_ms)
    ip -n "$NODE" link del veth0
    check "the interface vanished" \
        within 1 printed_since "$start" "vanished name=veth0 ifindex=$old"
    for slot in $ON_LINK $GATEWAYED $ON_LINK6 $GATEWAYED6 $BY_OTHER_FAMILY; do
        check "${ADDRESSES[$slot]} is unresolved then" is_unresolved "$start" "$slot"
    done
    connect 0 "$A"
    start=$(now_ms)
    add_routes_by_a
    check "on the new interface the route works" \
        becomes "$start" $GATEWAYED "$(mac "$A" eth0)" veth0
    check "the on-link backend is there" within 1 lists 10.9.0.2 'state=resolved managed=1'
    check "the on-link IPv6 backend is there" within 3 lists fd09::2 'state=resolved managed=1'
}

is_managed() { # ADDRESS
    ip -n "$NODE" neighbour show to "$1" | grep -q managed
}

test_flush() {
    local start new=02:00:00:00:0a:02
    start=$(now_ms)
    ip -n "$NODE" neighbour flush dev veth0
    check "a flushed neighbour is managed again" within 1 is_managed 10.9.0.2
    check "a flushed IPv6 neighbour too" within 1 is_managed fd09::2
    ip -n "$NODE" neighbour del 10.9.0.2 dev veth0
    check "a deleted one too" within 1 is_managed 10.9.0.2
    check "the slot stays resolved meanwhile" \
        fails printed_since "$start" "resolved slot=$ON_LINK mac=00"
    change_mac_of_a "$new"
    start=$(now_ms)
    ip -n "$NODE" neighbour flush dev veth0
    check "what is learnt anew counts" becomes "$start" $ON_LINK "$new" veth0
    start=$(now_ms)
    ip -n "$NODE" neighbour replace 10.9.0.2 dev veth0 lladdr "$new" nud reachable
    check "a neighbour somebody replaced is managed again" within 7 is_managed 10.9.0.2
}

test_permanent_entry() {
    local start mac_b
    mac_b=$(mac "$B" eth0)
    ip -n "$NODE" neighbour replace 10.9.1.2 dev veth1 lladdr "$mac_b" nud permanent
    start=$(now_ms)
    ip -n "$NODE" route replace 10.10.0.0/16 via 10.9.1.2
    check "an operator's permanent entry is used" becomes "$start" $GATEWAYED "$mac_b" veth1
}

shows_none_of_ours() {
    ! ip -n "$NODE" neighbour show | grep 'proto 108'
}

test_nobody_needs_them() {
    kill -USR2 "$DRIVER"
    check "entries nobody needs are removed" within 1 shows_none_of_ours
    ip -n "$NODE" neighbour show to 10.9.1.2 >"$WORK/permanent"
    check "the operator's entry stays" grep -q PERMANENT "$WORK/permanent"
    check "the driver ends well" stop_driver
}

shows_ours() { # COUNT
    [ "$(ip -n "$NODE" neighbour show | grep -c 'proto 108')" = "$1" ]
}

test_restart() {
    start_driver 10.9.0.2 10.9.2.2
    within 1 shows_ours 2
    stop_driver
    check "entries outlive the program" shows_ours 2
    start_driver 10.9.0.2
    check "what the next one does not need it sweeps away" within 8 shows_ours 1
    check "what it needs stays managed" is_managed 10.9.0.2
    stop_driver
}

is_fit() { # COMMAND…, which enters the peer's namespace; then its interface
    local device=${*: -1}
    set -- "${@:1:$#-1}"
    "$@" ethtool -k "$device" | grep -q '^generic-receive-offload: on' &&
        "$@" ethtool -k "$device" | grep -q '^tx-checksumming: off'
}

peer_line() { # INTERFACE CHANGED
    grep "^peer name=$1 error=0 receives=1 full_checksum=1 changed=$2 home=1" "$LBD_LOG"
}

test_peers() {
    ip netns exec "$A" ethtool -K eth0 gro off tx on >/dev/null
    ip netns exec "$B" ethtool -K eth0 gro on tx on >/dev/null
    start_driver --peers
    check "a peer in a named namespace is prepared" peer_line veth0 11
    check "its GRO is on and its tx checksumming off" is_fit ip netns exec "$A" eth0
    check "GRO that was on is left alone" peer_line veth1 01
    check "a peer in a nameless namespace is prepared" peer_line veth2 11
    check "it is fit too" is_fit nsenter "--net=/proc/$HOLDER/ns/net" eth0
    check "a peer in the same namespace is prepared" peer_line veth3 11
    check "that one is fit" is_fit ip netns exec "$NODE" veth4
    ip -n "$A" link add eth5 type veth peer name veth5 netns "$NODE"
    check "a peer that appears is prepared, though made from its own side" \
        within 1 peer_line veth5 11
    check "no peer was looked for in vain" fails grep 'error=-' "$LBD_LOG"
    ip -n "$A" link del eth5
    check "no thread is left in another namespace" fails grep 'home=0' "$LBD_LOG"
    stop_driver
    start_driver --peers
    check "what is fit is not changed again" within 2 peer_line veth0 00
    stop_driver
}

has_link_locals() {
    [ "$(for name in "$NODE" "$A" "$B" "$HOLDER"; do
        nsenter "--net=$(namespace_file "$name")" ip -6 -o address show scope link -tentative
    done | wc -l)" = 6 ]
}

make_topology
test_peers
check "link-local addresses are usable" within 5 has_link_locals # a random while after links are up
START=$(now_ms)
start_driver "${ADDRESSES[@]}"
test_initial_resolution "$START"
test_announced_mac_change
test_route_change
test_interface_made_anew
test_flush
test_permanent_entry
test_nobody_needs_them
test_restart
finish
