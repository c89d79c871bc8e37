#!/bin/bash
# What --socket-lb costs: connect() from the node to a service against its backend, and bulk TCP
# from one pod to another by a service against directly, by turns. Prints a line each; fails where
# it is beyond the target.
#
#     test/bench/socket.sh [ROUNDS]       of each connect() (20,000)
#
# build/ must be built with -Dtests=true.
. "$(dirname "${BASH_SOURCE[0]}")/../netns/_init.sh"
. "$ROOT/test/netns/_cgroup.sh"

ROUNDS=${1:-20000}
ADDED_NS_AT_MOST=2000
BULK_AT_LEAST=0.97
BULK_RUNS=15
BULK_SECONDS=1
CONNECT=$BUILD/test/bench/bench_connect

serve() {
    spawn serve pod-a "$CONNECT" serve 10.1.0.11 9000
    spawn serve6 pod-a "$CONNECT" serve fd00:1::11 9000
    spawn iperf pod-a iperf3 -s
    within 5 is_listening pod-a 5201
}

add_services() {
    lbctl service add 10.96.0.40:9000 --backend 10.1.0.11:9000 &&
    lbctl service add '[fd00:96::40]:9000' --backend '[fd00:1::11]:9000' &&
    lbctl service add 10.96.0.40:9000/udp --backend 10.1.0.11:9000 &&
    lbctl service add 10.96.0.40:5201 --backend 10.1.0.11:5201
}

measure_connect() { # tcp|udp DIRECT SERVICE
    local file=$WORK/connect.json
    inside node "$CONNECT" "$1" "$ROUNDS" "$2" 9000 "$3" 9000 >"$file" || return
    jq -r --arg what "$1 $2" '"connect() \($what): direct \(.direct_ns) ns, by the service " +
        "\(.service_ns) ns, added \(.added_ns) ns"' "$file"
    says "$file" ".added_ns <= $ADDED_NS_AT_MOST"
}

bulk_of() { # ADDRESS
    inside pod-b iperf3 -J -c "$1" -t "$BULK_SECONDS" | jq .end.sum_received.bits_per_second
}

# Whoever else is on this machine only ever slows a run down, so the best of each are compared.
measure_bulk() {
    local run
    for run in $(seq "$BULK_RUNS"); do
        if [ $((run % 2)) = 0 ]; then
            jq -n "{direct: $(bulk_of 10.1.0.11), service: $(bulk_of 10.96.0.40)}"
        else
            jq -n "{service: $(bulk_of 10.96.0.40), direct: $(bulk_of 10.1.0.11)}"
        fi
    done | jq -s 'def median: sort | .[length / 2 | floor];
        def short: . * 1000 | round / 1000;
        {pairs: map(.service / .direct) | median | short,
         direct: (map(.direct) | max / 1e9 | short),
         best: ((map(.service) | max) / (map(.direct) | max) | short)}' >"$WORK/bulk.json"
    jq -r '"bulk TCP pod to pod: \(.best) of direct (\(.direct) Gb/s), best of each; " +
        "median of pairs \(.pairs)"' "$WORK/bulk.json"
    says "$WORK/bulk.json" ".best >= $BULK_AT_LEAST"
}

# A check's output is shown: it is what this is for.
report() { # SENTENCE COMMAND…
    check "$@"
    sed 's/^/# /' "$WORK/check.out"
}

enter_cgroup || { echo "no cgroup of version 2 that may be changed" >&2; exit 1; }
make_topology
inside node sysctl -qw net.ipv4.ip_forward=1
check "lbd becomes ready" node_lbd_bare --socket-lb all --cgroup "$CGROUP"
check "services are added" add_services
check "servers are there" serve
report "connect() of UDP costs $ADDED_NS_AT_MOST ns more at most" \
    measure_connect udp 10.1.0.11 10.96.0.40
report "so does that of TCP over IPv4" measure_connect tcp 10.1.0.11 10.96.0.40
report "and over IPv6" measure_connect tcp fd00:1::11 fd00:96::40
report "bulk TCP is $BULK_AT_LEAST of direct at least" measure_bulk
finish
