#!/bin/bash
# The path: packets from a client over a node to a backend, one CPU doing everything, for the bare
# redirect, lbd, the kernel's forwarding and kube-proxy's rules. Rows: see path/measure.c.
#
#     path.sh FILE [--rounds N]          BUILD, QUICK=1 (small), FULL=1 (nothing left out)
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"
. "$HERE/_grace.sh"

RESULT=$1
ROUNDS=7
[ "${2:-}" = --rounds ] && ROUNDS=$3
BENCH_PATH=$BUILD/test/bench/path/bench_path
NFT_SECONDS=60 # what a rule set may take to load
LANES=()

take_lane() { # LANE SERVICES KIND SINK [CORES]
    if [ "$4" = skb ]; then # sockets take what is for any pod or, where nobody translates, service
        inside "$1" backend ip route add local 10.128.0.0/12 dev lo
        inside "$1" backend ip route add local 10.96.0.0/12 dev lo
    fi
    LANES+=("$1,$PREFIX-$1,$2,$3,$4,${5:-1}")
}

# A fact beside the timings, such as how long a rule set took to load.
note() { # KEY VALUE…, numbers
    jq -cn --arg key "$1" --argjson value "$2" '{note: $key, value: $value}' >>"$RESULT"
}

add_ours() { # SERVICES [SINK [CORES]]
    local sink=${2:-xdp}
    local lane=ours-$1
    [ "$sink" = skb ] && lane=ours-skb-$1
    make_lane "$lane"
    "$HERE/make_rules.py" tables "$1" >"$WORK/$lane.json"
    # Frames for an skb sink need a NAPI at its end; lbd turns GRO on there by itself.
    start_lbd "$lane" --tables "$WORK/$lane.json" || return
    within 20 is_resolved "$lane" || { say "lane $lane: next hops are not resolved"; return 1; }
    take_lane "$lane" "$1" balancer "$sink" "${3:-1}"
}

add_iptables() { # SERVICES
    local lane=iptables-$1 spent
    make_lane "$lane"
    "$HERE/make_rules.py" iptables "$1" >"$WORK/rules"
    spent=$(milliseconds load_iptables "$lane" "$WORK/rules") || return
    note "load $lane ms" "$spent"
    prepare_kernel_lane "$lane"
    take_lane "$lane" "$1" balancer skb
}

add_nftables() { # SERVICES SECONDS
    local lane=nftables-$1 spent
    make_lane "$lane"
    "$HERE/make_rules.py" nftables "$1" >"$WORK/rules"
    if ! spent=$(milliseconds timeout "$2" nsenter --net="/run/netns/$PREFIX-$lane-node" \
        nft -f "$WORK/rules"); then
        say "nft did not load $1 services in $2 s"
        remove_lanes "$lane"
        return 1
    fi
    note "load $lane ms" "$spent"
    prepare_kernel_lane "$lane"
    take_lane "$lane" "$1" balancer skb
    NFT_SPENT=${spent%.*}
}

# nft's time grows with the square of the services: the most that NFT_SECONDS should load.
nftables_that_load() { # from what 2,000 took, NFT_SPENT
    awk -v ms="$NFT_SPENT" -v limit=$((NFT_SECONDS * 400)) \
        'BEGIN {n = int(2 * sqrt(limit / ms)) * 1000; print (n > 10000 ? 10000 : n)}'
}

make_lanes() {
    make_lane wire
    take_lane wire 1000 wire xdp 2
    add_ours 1 && add_ours 1000 && add_ours 10000 xdp 2 && add_ours 50000 || return
    add_ours 10000 skb || return
    make_lane forward
    prepare_kernel_lane forward
    take_lane forward 1000 forward skb
    add_iptables 1000 && add_iptables 10000 && add_nftables 2000 60 || return
    if [ -n "$FULL" ]; then
        add_iptables 1
        add_nftables 10000 300
        add_iptables 50000
    else
        add_nftables "$(nftables_that_load)" "$NFT_SECONDS"
    fi
    return 0
}

make_lanes_quickly() {
    make_lane wire
    take_lane wire 1000 wire xdp 2
    add_ours 1 && add_ours 1000 xdp 2 && add_ours 1000 skb || return
    make_lane forward
    prepare_kernel_lane forward
    take_lane forward 1000 forward skb
    add_iptables 1000 && add_nftables 1000 30
}

: >"$RESULT"
SLICE=100
PREFILL=1500000
PATTERNS=(--pattern established --pattern 'round trip' --pattern 'established, into sockets'
    --pattern 'established, 1,514 bytes' --pattern new)
if [ -n "$QUICK" ]; then
    SLICE=40
    PREFILL=0
    make_lanes_quickly || exit
else
    make_lanes || exit
    PATTERNS+=(--pattern 'established, 512 bytes' --pattern 'established, table full')
fi
# shellcheck disable=SC2086 # words
with_short_grace_periods "$BENCH_PATH" ${BENCH_OPTIONS:-} --rounds "$ROUNDS" \
    --slice-ms "$SLICE" --prefill "$PREFILL" "${PATTERNS[@]}" "${LANES[@]}" >>"$RESULT"
