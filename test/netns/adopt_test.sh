#!/bin/bash
# lbd adopts what an earlier one left pinned, whatever that was: halves of writes that a kill -9 cut
# short are cleared away, ports keep their place, and what a failed start made is gone again.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

ORPHAN=60000 # an index in backends that no service owns
CUT_OFF=60001
BEYOND=60002
WRONG_STATE=60003

# ---- maps as bpftool reads and writes them: bytes in hexadecimal, numbers little-endian

bytes_of() { # NUMBER BYTES
    local i
    for ((i = 0; i < $2; i++)); do
        printf '%02x ' $((($1 >> (8 * i)) & 255))
    done
}

mapped() { # A B C D, the IPv4-mapped address
    printf '00 00 00 00 00 00 00 00 00 00 ff ff %02x %02x %02x %02x ' "$@"
}

write_map() { # NAME KEY VALUE
    # shellcheck disable=SC2086 # each byte is a word
    bpftool map update pinned "$PIN/map/$1" key hex $2 value hex $3
}

read_map() { # NAME KEY
    # shellcheck disable=SC2086
    bpftool -j map lookup pinned "$PIN/map/$1" key hex $2
}

service_key() { # LAST-BYTE, of 10.96.9.x:80/tcp
    echo "$(mapped 10 96 9 "$1") 00 50 06 00 00 00 00 00"
}

write_backend() { # INDEX SERVICE HANDLE NEXTHOP STATE
    write_map backends "$(bytes_of "$1" 4)" "$(mapped 10 1 0 11) $(mapped 10 96 0 10) \
        $(bytes_of "$3" 4) $(bytes_of "$2" 4) $(bytes_of "$4" 4) 1f 90 00 50 \
        $(bytes_of 0 8) $(bytes_of "$5" 1) 06 $(bytes_of 0 6)"
}

write_service() { # LAST-BYTE OFFSET LENGTH ID [ALGORITHM [AFFINITY]]
    write_map services "$(service_key "$1")" "$(bytes_of "$2" 4) $(bytes_of "$3" 4) \
        $(bytes_of 0 8) $(bytes_of "$4" 4) $(bytes_of "${6:-0}" 4) $(bytes_of "${5:-0}" 1) \
        $(bytes_of 0 7)"
}

backend_says() { # INDEX EXPRESSION, of struct backend_record
    read_map backends "$(bytes_of "$1" 4)" >"$WORK/backend.json"
    says "$WORK/backend.json" ".formatted.value | $2"
}

id_of_web() {
    lbctl -o json service list | jq '.services[] | select(.name == "default/web") | .id'
}

# ---- what a kill between two writes leaves

write_garbage() { # ID of a good service
    write_backend "$ORPHAN" 50000 7 3 1 &&
    write_backend "$CUT_OFF" 0 41 0 2 &&
    write_backend "$BEYOND" "$1" 9 4000000000 1 &&
    write_backend "$WRONG_STATE" "$1" 9 5 200 &&
    write_service 1 5 1 40000 &&
    write_service 2 256 1 0 &&
    write_service 3 512 2147483647 40001 &&
    write_service 4 4294967040 251 40002 &&
    write_service 5 768 1 4000000000 &&
    write_service 6 1024 1 40003 250 &&
    write_service 7 1280 1 40004 0 86401 &&
    for_each_service read_map services
}

for_each_service() { # COMMAND…, with the key of each record of write_garbage; all must succeed
    local i
    for i in 1 2 3 4 5 6 7; do
        "$@" "$(service_key "$i")" || return
    done
}

is_removed() { # NAME KEY
    fails read_map "$1" "$2"
}

test_garbage() {
    local id trickle
    id=$(id_of_web)
    trickle_start 30 6
    trickle=$LOAD_PID
    lbd_kill KILL
    check "garbage is written into the maps while lbd is down" write_garbage "$id"
    check "lbd starts over it" node_lbd
    check "an orphaned backend is retired" backend_says "$ORPHAN" \
        '.state == 0 and .handle == 7'
    check "so is one of no service at all" backend_says "$CUT_OFF" \
        '.state == 0 and .handle == 41'
    check "and one whose next hop is beyond the table" backend_says "$BEYOND" \
        '.state == 0 and .handle == 9'
    check "and one in a state that does not exist" backend_says "$WRONG_STATE" \
        '.state == 0 and .handle == 9'
    check "service records that make no sense are removed" for_each_service is_removed services
    check "the good services are there, and they alone" lbctl_says '.services | length == 4' \
        service list
    check "with their ids" test "$(id_of_web)" = "$id"
    http_load "$WORK/http.json" client -n 300 -c 10 10.96.0.10 80
    check "they serve" says "$WORK/http.json" '.failures == 0 and (.backends | length) == 3'
    wait_load "$trickle"
    check "no connection made before broke" says "$WORK/trickle.json" '.failures == 0'
    check "nothing had to be repaired" lbctl_says '.repaired == 0' status
}

# ---- counters of a service that is gone, under an id that its successor gets

LATE_SERVICE=10.96.0.77:80

counted() { # CONDITION on the connections of LATE_SERVICE
    lbctl_says ".services[0].connections $1" stats "$LATE_SERVICE/tcp"
}

id_of_late() {
    lbctl -o json service list | jq '.services[] | select(.address == "10.96.0.77") | .id'
}

test_counters() {
    local id
    check "one service more" lbctl service add "$LATE_SERVICE" --backend 10.1.0.11:8080
    id=$(id_of_late)
    check "serves" within 5 answers client "$LATE_SERVICE"
    check "and counts" counted "> 0"
    check "it is removed" lbctl service del "$LATE_SERVICE"
    lbd_kill KILL
    check "lbd is started again" node_lbd
    check "the service is added again" lbctl service add "$LATE_SERVICE" --backend 10.1.0.11:8080
    check "under the same id" test "$(id_of_late)" = "$id"
    check "it counts from zero" counted "== 0"
    check "it is removed in the end" lbctl service del "$LATE_SERVICE"
}

# ---- ports

ifindex() { # INTERFACE
    inside node ip -j link show dev "$1" | jq '.[0].ifindex'
}

port_of() { # INTERFACE: its index in the map ports
    bpftool -j map dump pinned "$PIN/map/ports" | jq --argjson ifindex "$(ifindex "$1")" \
        '.[].formatted | select(.value.ifindex == $ifindex) | .key'
}

restart_with() { # OPTION…
    lbd_kill KILL
    node_lbd_bare "$@"
}

add_veth() { # NAME
    inside node ip link add "$1" type veth peer name "$1-peer"
    inside node ip link set "$1" up
}

test_ports() {
    local uplink pod trickle
    check "lbd starts with the pods before the uplink" restart_with --interface 'veth-*' \
        --interface uplink0
    uplink=$(port_of uplink0)
    pod=$(port_of veth-a)
    check "both have a port" test -n "$uplink" -a -n "$pod"
    trickle_start 30 8
    trickle=$LOAD_PID
    lbd_kill KILL
    add_veth veth-0
    check "it starts with the uplink first and one interface more" node_lbd_bare \
        --interface uplink0 --interface 'veth-*'
    check "uplink0 keeps its port" test "$(port_of uplink0)" = "$uplink"
    check "veth-a keeps its port" test "$(port_of veth-a)" = "$pod"
    check "veth-0 has one of its own" test -n "$(port_of veth-0)"
    lbd_kill KILL
    inside node ip link del veth-0
    add_veth veth-1
    check "it starts with another one in its place, in the old order" node_lbd_bare \
        --interface 'veth-*' --interface uplink0
    check "uplink0 keeps its port again" test "$(port_of uplink0)" = "$uplink"
    wait_load "$trickle"
    check "no connection made before broke" says "$WORK/trickle.json" \
        '.failures == 0 and (.backends | length) == 3'
    http_load "$WORK/http.json" client -n 200 -c 10 10.96.0.10 80
    check "new ones are served" says "$WORK/http.json" '.failures == 0'
}

# ---- a start that fails

is_bare() { # INTERFACE
    [ -z "$(inside node ip -j -d link show dev "$1" | jq -r '.[0].xdp.mode // empty')" ]
}

test_failed_start() {
    check "a restart with an interface that does not exist fails" \
        restart_refused nope0 --interface uplink0 --interface nope0
    check "what was pinned before goes on" answers client "$HTTP_SERVICE"
    lbd_forget
    check "a first start with an interface that does not exist fails" \
        lbd_refuses nope0 --max-services 100 --interface uplink0 --interface nope0
    check "it leaves no pin behind" fails test -e "$PIN"
    check "and no program" within 2 is_bare uplink0
    check "a start with another --max-services works" node_lbd --max-services 200
    check "its tables have that size" lbctl_says '.limits.services == 200' status
    check "services are added and resolved" add_services
    check "and answer" answers client "$HTTP_SERVICE"
}

restart_refused() { # WORD OPTION…
    lbd_kill KILL
    lbd_refuses "$@"
}

make_topology
check "lbd becomes ready" node_lbd
check "services over IPv4 and IPv6 are added and resolved" add_services
test_garbage
test_counters
test_ports
test_failed_start

finish
