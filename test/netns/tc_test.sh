#!/bin/bash
# Pods' interfaces by tc: services answer over both families, large transfers arrive unchanged and
# pods keep their segmentation offload; by tcx and by filters of clsact; over a restart; what others
# take away is put back, and nothing is left in the end.
export READY_SECONDS=${READY_SECONDS:-30} # more programs are loaded
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"
. "$HERE/_tamper.sh"

SIZE=$((${MEBIBYTES:-64} << 20))
"$HERE/http_server.py" --stream "$SIZE" >"$WORK/stream"
SUM=$(sha256sum <"$WORK/stream" | cut -d ' ' -f 1)

TC_LBD=(--tc-interface uplink0 --tc-interface 'veth-*')

are_attached_by_tc() {
    lbctl_says '[.interfaces[] | select(.mode == "tc")] | length == 5' interface list
}

offload_is_on() { # FEATURE, of the interface in a pod
    inside pod-x ethtool -k eth0 | grep -q "^$1: on"
}

download_is_whole() { # NAME ADDRESS:PORT
    local sum
    sum=$(inside "$1" curl -sS -m 60 "http://$2/bytes?n=$SIZE" | sha256sum | cut -d ' ' -f 1)
    [ "$sum" = "$SUM" ]
}

upload_is_whole() { # NAME ADDRESS:PORT
    local sum
    sum=$(inside "$1" curl -sS -m 60 -X POST -H 'Expect:' -T "$WORK/stream" "http://$2/sum")
    [ "$sum" = "$SUM" ]
}

http_works() { # NAME ADDRESS
    http_load "$WORK/http.json" "$1" -n 60 "$2" 80
    says "$WORK/http.json" '.failures == 0 and (.backends | length == 3) and .slowest_ms < 900'
}

udp_works() { # NAME ADDRESS
    udp_load "$WORK/udp.json" "$1" -n 60 "$2" 53
    says "$WORK/udp.json" '.lost == 0 and .stray == 0 and .damaged == 0'
}

traffic_works() { # NAME
    check "$1 reaches the service over IPv4" http_works "$1" 10.96.0.10
    check "$1 reaches the service over IPv6" http_works "$1" fd00:96::10
    check "$1 reaches UDP over IPv4" udp_works "$1" 10.96.0.10
    check "$1 reaches UDP over IPv6" udp_works "$1" fd00:96::10
}

refuses_at_once() { # NAME ADDRESS:PORT
    local status
    inside "$1" curl -sS -m 3 "http://$2/"
    status=$?
    [ "$status" = 7 ] # 28: no answer
}

test_traffic() {
    local name service
    for name in pod-x client; do
        traffic_works "$name"
        for service in "$HTTP_SERVICE" "$HTTP_SERVICE6"; do
            check "$name, $service: a large download is whole" download_is_whole "$name" "$service"
            check "$name, $service: a large upload is whole" upload_is_whole "$name" "$service"
        done
        check "$name: a port that is none is refused at once" refuses_at_once "$name" 10.96.0.10:81
        check "$name: over IPv6, too" refuses_at_once "$name" '[fd00:96::10]:81'
    done
    check "the pod keeps TCP segmentation offload" offload_is_on tcp-segmentation-offload
    check "the pod keeps checksum offload" offload_is_on tx-checksumming
}

lbd_again() { # OPTION…
    lbd_kill KILL
    node_lbd_bare "${TC_LBD[@]}" "$@"
}

test_restart() { # OPTION…
    local load
    http_load_start "$WORK/load.json" pod-x -t 4 -c 2 --pause 0.005 10.96.0.10 80
    load=$LOAD_PID
    sleep 1
    check "lbd is killed and becomes ready again" lbd_again "$@"
    check "every interface is attached by tc" are_attached_by_tc
    check "nothing had to be repaired" lbctl_says '.repaired == 0' status
    wait_load "$load"
    check "no request failed meanwhile" says "$WORK/load.json" \
        '.failures == 0 and .requests > 200 and .slowest_ms < 900'
}

repaired_since() { # KIND BEFORE
    [ "$(repaired "$1")" -gt "$2" ]
}

# Whatever was done, a round of the audit mends it.
check_mended() { # SENTENCE KIND COMMAND…
    local sentence=$1 kind=$2 before
    shift 2
    before=$(repaired "$kind")
    check "$sentence" "$@"
    check "that is put right within 5 s" within 5 repaired_since "$kind" "$before"
    check "and pods reach the service" within 2 answers pod-x "$HTTP_SERVICE"
}

lbd_cleanup() {
    lbd_kill TERM
    lbd_launch --cleanup
    wait "$LBD_PID"
    local status=$?
    LBD_PID=
    return "$status"
}

# Of a packet to the service, the node's own stack knows nothing.
nobody_answers() {
    ! answers pod-x "$HTTP_SERVICE" && ! test -e "$PIN"
}

has_clsact() { # INTERFACE
    inside node tc qdisc show dev "$1" | grep -q clsact
}

test_cleanup() {
    check "--cleanup succeeds" lbd_cleanup
    check "and nothing is left" within 2 nobody_answers
}

# What XDP would redirect to a pod that tc serves, the stack forwards.
set_forwarding() { # 0 or 1
    inside node sh -c "echo $1 >/proc/sys/net/ipv4/ip_forward"
}

test_hooks() {
    set_forwarding 1
    check "an interface by name goes before a glob" lbctl interface add veth-x --hook xdp
    check "it is attached by XDP" lbctl_says \
        'any(.interfaces[]; .name == "veth-x" and .mode == "'"$XDP_MODE"'")' interface list
    check "the pod reaches the service" within 2 answers pod-x "$HTTP_SERVICE"
    check "then it is left to the glob" lbctl interface del veth-x
    check "and attached by tc again" are_attached_by_tc
    check "the pod reaches the service then" within 2 answers pod-x "$HTTP_SERVICE"
    check "its interface has no XDP program" is_bare veth-x
    set_forwarding 0
}

# It matches nothing, so that whatever comes after it is asked as well.
add_filter() { # INTERFACE SIDE
    inside node tc filter add dev "$1" "$2" protocol all prio 7 bpf bytecode '1,6 0 0 0' flowid 1:1
}

has_filter() { # INTERFACE SIDE [PRIORITY]
    inside node tc filter show dev "$1" "$2" | grep -q "pref ${3:-}"
}

test_clsact() {
    inside node tc qdisc add dev veth-b clsact # somebody else's
    check "lbd becomes ready with filters" node_lbd_bare "${TC_LBD[@]}" --tc-attach clsact
    check "every interface is attached by tc" are_attached_by_tc
    check "there is a filter" has_filter veth-a ingress
    check "somebody adds one to lbd's qdisc" add_filter veth-c ingress
    check "and one to another, on the way out" add_filter uplink0 egress
    check "the service answers" within 5 answers pod-x "$HTTP_SERVICE"
    check "a large download is whole" download_is_whole pod-x "$HTTP_SERVICE"
    test_restart --tc-attach clsact
    check_mended "somebody removes the filters" links inside node tc qdisc del dev veth-x clsact
    test_cleanup
    check "nor a qdisc" fails has_clsact veth-a
    check "but for that of somebody else" has_clsact veth-b
    check "and those where somebody has added a filter" has_filter veth-c ingress 7
    check "on either side" has_filter uplink0 egress 7
    check "where ours is gone" fails has_filter veth-c ingress 27746
}

make_topology
add_pod x 20
check "lbd becomes ready" node_lbd_bare "${TC_LBD[@]}"
check "every interface is attached by tc" are_attached_by_tc
check "services are added" add_services
test_traffic
test_restart
check_mended "somebody removes a link's pin" links rm "$PIN/tc_ingress/veth-x"
check_mended "somebody removes the map of parts" pins rm "$PIN/map/programs_tc"
test_hooks
test_cleanup
test_clsact
finish
