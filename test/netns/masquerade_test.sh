#!/bin/bash
# Clients from outside reach a backend on another node, whose way back to them does not go by this
# one: their address becomes this node's, and the answers come back. Over TCP and UDP and both
# families, through many connections at once, a restart and another limit; a pod's address, and
# what a backend of this node sees, stay.
#
#     node ── veth-far ── eth0 ── far   10.2.0.21  fd00:2::21: another node's pod, which knows no
#          10.2.0.1  fd00:2::1                     way to the client but one to pods of this node
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

CLUSTER=(--cluster-cidr 10.1.0.0/24 --cluster-cidr fd00:1::/64 --metrics 127.0.0.1:10249)

add_far() {
    add_namespace far
    ip link add veth-far netns "$PREFIX-node" type veth peer name eth0 netns "$PREFIX-far"
    inside node ip address add 10.2.0.1/24 dev veth-far
    inside node ip address add fd00:2::1/64 dev veth-far nodad
    inside node ip link set veth-far up
    inside far ip address add 10.2.0.21/24 dev eth0
    inside far ip address add fd00:2::21/64 dev eth0 nodad
    inside far ip link set eth0 up
    inside far ip route add 10.1.0.0/24 via 10.2.0.1
    inside far ip route add fd00:1::/64 via fd00:2::1
    spawn http-far far "$PYTHON" "$HERE/http_server.py" far 8080 8081
    spawn udp-far far "$PYTHON" "$HERE/udp_echo.py" far 8053
    within 10 is_listening far 8080 || fail "the web server of far starts"
}

# Of each family a web service and an echo, all of them with this masquerade.
apply() { # MASQUERADE
    cat >"$WORK/tables.json" <<JSON
{"services": [
  {"address": "10.96.0.10", "port": 80, "masquerade": "$1",
   "backends": [{"address": "10.2.0.21", "port": 8080, "remote": true}]},
  {"address": "fd00:96::10", "port": 80, "masquerade": "$1",
   "backends": [{"address": "fd00:2::21", "port": 8080, "remote": true}]},
  {"address": "10.96.0.10", "port": 53, "protocol": "udp", "masquerade": "$1",
   "backends": [{"address": "10.2.0.21", "port": 8053, "remote": true}]},
  {"address": "fd00:96::10", "port": 53, "protocol": "udp", "masquerade": "$1",
   "backends": [{"address": "fd00:2::21", "port": 8053, "remote": true}]},
  {"address": "10.96.0.10", "port": 81, "masquerade": "$1",
   "backends": [{"address": "10.1.0.11", "port": 8080}]}
]}
JSON
    chmod 644 "$WORK/tables.json"
    lbctl apply "$WORK/tables.json" && wait_resolved
}

is_seen_as() { # CLIENT, by the backends
    says "$WORK/load.json" '.failures == 0 and (.clients | keys == ["'"$1"'"])'
}

web_from() { # NAME ADDRESS PORT SEEN-AS
    check "$1 is served by $2:$3" http_load "$WORK/load.json" "$1" -n 20 -c 4 "$2" "$3"
    check "$1 is seen as $4" is_seen_as "$4"
}

echo_from() { # NAME ADDRESS
    check "$1 has its datagrams back from $2" udp_load "$WORK/udp.json" "$1" -n 200 "$2" 53
    check "none from $2 was lost" says "$WORK/udp.json" '.lost == 0 and .stray == 0'
}

none_failed() {
    says "$1" '.failures == 0'
}

test_who_is_masqueraded() {
    web_from client 10.96.0.10 80 10.2.0.1
    web_from client fd00:96::10 80 fd00:2::1
    echo_from client 10.96.0.10
    echo_from client fd00:96::10
    web_from pod-x 10.96.0.10 80 10.1.0.20
    web_from pod-x fd00:96::10 80 fd00:1::20
    web_from client 10.96.0.10 81 192.0.2.2
}

tells_of() { # NUMBER of masquerades, or more
    local told
    told=$(inside node curl -s http://127.0.0.1:10249/metrics |
        awk '$1 == "lbd_map_entries{map=\"masquerades\"}" {print $2}')
    echo "$told"
    [ "${told:-0}" -ge "$1" ]
}

test_many_at_once() {
    check "256 connections at once" http_load "$WORK/load.json" client -n 2048 -c 256 \
        10.96.0.10 80
    check "none of their requests fails" is_seen_as 10.2.0.1
    check "and each is listed with its end of the node" lbctl_says \
        '[.connections[] | select(.client | startswith("192.0.2.2:")) |
          select(.service == "10.96.0.10:80") | .masquerade] as $ends |
         ($ends | length) >= 256 and ($ends | unique | length) == ($ends | length) and
         all($ends[]; startswith("10.2.0.1:"))' connection list
    check "they are told of, once they are swept" within 25 tells_of 256
}

# Connections that last over what is done to lbd meanwhile.
trickle() { # SENTENCE COMMAND…
    local sentence=$1 load
    shift
    trickle_start 8 4 10.96.0.10 4
    load=$LOAD_PID
    lbd_kill KILL
    check "$sentence" "$@"
    web_from client 10.96.0.10 80 10.2.0.1
    wait_load "$load"
    check "connections that were there go on" none_failed "$WORK/trickle.json"
    check "nothing had to be repaired" lbctl_says '.repaired == 0' status
}

make_topology
add_pod x 20
add_far
check "lbd starts" node_lbd "${CLUSTER[@]}"
check "services that masquerade nobody are brought" apply none
check "without, the client is not answered" fails answers client 10.96.0.10:80
web_from pod-x 10.96.0.10 80 10.1.0.20
check "services that masquerade strangers are brought" apply strangers
# What the client has begun without goes on without, should it take the same port again.
check "what has begun is forgotten" lbctl connection flush
test_who_is_masqueraded
test_many_at_once
trickle "lbd comes back" node_lbd "${CLUSTER[@]}"
trickle "lbd comes back with another limit" node_lbd "${CLUSTER[@]}" --max-masquerades 4096
check "services that masquerade all others are brought" apply others
web_from pod-x 10.96.0.10 80 10.2.0.1
check "nothing was dropped" lbctl_says '.verdicts["drop-masquerade"].packets == 0' stats
lbd_forget
check "lbd starts with few ports" node_lbd "${CLUSTER[@]}" --masquerade-ports 50000-50003
check "services are brought" apply strangers
check "as many connections as ports" http_load "$WORK/load.json" client -n 4 -c 4 10.96.0.10 80
check "are made" is_seen_as 10.2.0.1
check "one more is not" fails answers client 10.96.0.10:80
check "and is counted" lbctl_says '.verdicts["drop-masquerade"].packets > 0' stats
finish
