#!/bin/bash
# A table full of connections that have expired is swept in seconds, and lbd answers all the while.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

FLOWS=${FLOWS:-250000}
SWEEP_SECONDS=30
ANSWER_MS=300

exec 3>&1

flood() {
    local mac
    mac=$(inside node ip -j link show dev uplink0 | jq -r '.[0].address')
    inside client "$PYTHON" "$HERE/udp_flood.py" "$FLOWS" eth0 "$mac" 10.96.0.50 9 >&3
}

connections_made() {
    lbctl -o json stats 10.96.0.50:9/udp | jq '.services[0].connections'
}

made_nearly_all() { # what a full queue drops on its way is not ours to judge
    local made
    made=$(connections_made)
    echo "# $made connections made" >&3
    [ "$made" -ge $((FLOWS * 8 / 10)) ]
}

# Not by lbd's own count, which leaves out what has expired.
table_is_empty() {
    test "$("$PYTHON" "$HERE/count_entries.py" "$PIN/map/connections")" = 0
}

count_is_zero() {
    lbctl_says '.connections == 0' connection count
}

# Asks lbd again and again until the table is empty; the longest answer in ms is in $SLOWEST.
SLOWEST=0
ask_until_empty() {
    local end=$((SECONDS + SWEEP_SECONDS)) start spent
    until table_is_empty; do
        [ "$SECONDS" -lt "$end" ] || return
        start=${EPOCHREALTIME/./}
        lbctl version >/dev/null || return
        spent=$(((${EPOCHREALTIME/./} - start) / 1000))
        SLOWEST=$((spent > SLOWEST ? spent : SLOWEST))
    done
    echo "# empty after $((SECONDS - end + SWEEP_SECONDS)) s, slowest answer $SLOWEST ms" >&3
}

make_topology
printf '%s\n' '{"timeouts": {"udp": 1}}' >"$WORK/config.json"
check "lbd becomes ready with UDP forgotten after 1 s" node_lbd --config "$WORK/config.json"
check "a UDP service is added" lbctl service add 10.96.0.50:9/udp --backend 10.1.0.11:9
check "its next hop is known" wait_resolved
check "$FLOWS flows are sent" flood
check "nearly as many connections are made" made_nearly_all
check "the table is not empty" fails table_is_empty
check "it is empty within $SWEEP_SECONDS s" ask_until_empty
check "lbctl counts none" count_is_zero
check "lbctl version was answered within $ANSWER_MS ms all the while" \
    test "$SLOWEST" -gt 0 -a "$SLOWEST" -lt "$ANSWER_MS"
check "services are added and resolved" add_services
udp_load "$WORK/udp.json" client -n 200 10.96.0.10 53
check "and served" says "$WORK/udp.json" '.lost == 0 and .stray == 0'

finish
