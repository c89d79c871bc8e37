# shellcheck shell=bash
# Traffic by test/netns/churn.c from the client to 10.96.0.20 at pods a, b and c; a test sources it
# after _init.sh, and says how much in LONG, NEW and DATAGRAMS.

CHURN=$ROOT/build/test/churn

churn_servers() {
    local name
    for name in a b c; do
        spawn "churn-$name" "pod-$name" "$CHURN" serve
    done
    for name in a b c; do
        within 5 is_listening "pod-$name" 9001 || return
    done
}

load_start() { # FILE
    nsenter --net="/run/netns/$PREFIX-client" "$CHURN" load 10.96.0.20 "$LONG" "$NEW" \
        "$DATAGRAMS" >"$1" &
    LOAD_PID=$!
    PIDS+=("$LOAD_PID")
}

# What full queues have dropped, of veths and of sockets: where the machine has no time, they do.
queue_drops() {
    local name interface
    for name in client node pod-a pod-b pod-c; do
        inside "$name" ip -s -j link | jq '.[].stats64 | .rx.dropped, .tx.dropped'
        inside "$name" awk '/^Udp: [0-9]/ {print $6}' /proc/net/snmp
        for interface in $(inside "$name" ip -j link | jq -r '.[].ifname | select(. != "lo")'); do
            inside "$name" ethtool -S "$interface" | awk '/drops|errors/ {print $2}'
        done
    done | awk '{sum += $1} END {print sum}'
}
