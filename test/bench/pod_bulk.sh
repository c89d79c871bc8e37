#!/bin/bash
# What a service costs one stream of TCP from a pod to a pod: through the service and straight to
# the backend, in turns, by each way that a pod's interface can be attached. Prints Gb/s, medians
# and their ratio. As root; RUNS (5) of SECONDS_EACH (2) a turn.
export READY_SECONDS=${READY_SECONDS:-30}
. "$(dirname "${BASH_SOURCE[0]}")/../netns/_init.sh"

RUNS=${RUNS:-5}
SECONDS_EACH=${SECONDS_EACH:-2}

bits_through() { # ADDRESS PORT
    inside pod-x iperf3 -J -t "$SECONDS_EACH" -c "$1" -p "$2" |
        jq '.end.sum_received.bits_per_second / 1e9'
}

median() { # FILE
    sort -n "$1" | sed -n "$(((RUNS + 1) / 2))p"
}

compare() { # WAY OPTION…
    local way=$1
    shift
    rm -f "$WORK/direct" "$WORK/service"
    check "$way: lbd becomes ready" node_lbd_bare "$@"
    check "$way: a service is added" lbctl service add 10.96.0.20:5201 --backend 10.1.0.11:5201
    wait_resolved
    for _ in $(seq "$RUNS"); do
        bits_through 10.1.0.11 5201 >>"$WORK/direct"
        bits_through 10.96.0.20 5201 >>"$WORK/service"
    done
    echo "# $way: direct $(paste -sd ' ' "$WORK/direct")"
    echo "# $way: service $(paste -sd ' ' "$WORK/service")"
    jq -n --arg way "$way" --argjson direct "$(median "$WORK/direct")" \
        --argjson service "$(median "$WORK/service")" \
        -r '"# \($way): medians \($direct) and \($service) Gb/s, ratio \($service / $direct)"'
    lbd_forget
}

make_topology
add_pod x 20
inside node sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
spawn iperf pod-a iperf3 -s
within 5 is_listening pod-a 5201
compare tc --tc-interface 'veth-*'
compare clsact --tc-interface 'veth-*' --tc-attach clsact
compare native --interface 'veth-*' --xdp-mode native
finish
