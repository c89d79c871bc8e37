#!/bin/bash
# lbd starts anew with other limits (--max-…): what is pinned moves into maps of other sizes, and
# connections never notice, not even those to a backend that would get no new ones.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

ROUNDS=$([ -n "${SHORT:-}" ] && echo 3 || echo 6)
# Options of each round; each changes the table of connections and something else.
LIMITS=("--max-connections 5000 --max-backends 900"
    "--max-connections 600000 --max-services 300 --max-backends 5000"
    "--max-connections 20000 --max-affinity 100"
    "--max-connections 300000 --max-fragments 100 --max-services 70000")

restart_with() { # OPTIONS
    local options
    read -ra options <<<"$1"
    lbd_kill KILL
    node_lbd "${options[@]}"
}

map_entries() { # NAME
    stat "$PIN/map/$1" >/dev/null && bpftool -j map show pinned "$PIN/map/$1" | jq .max_entries
}

nothing_waits() {
    ! ls "$PIN"/map/*_new 2>/dev/null
}

test_traffic_goes_on() {
    local trickle new round
    trickle_start 30 $((ROUNDS * 3))
    trickle=$LOAD_PID
    check "a backend with connections gets no new ones" \
        lbctl backend set "$HTTP_SERVICE" 10.1.0.13:8080 --state draining
    http_load_start "$WORK/new.json" client -t $((ROUNDS * 3 - 2)) -c 2 --pause 0.002 10.96.0.10 80
    new=$LOAD_PID
    for round in $(seq "$ROUNDS"); do
        check "round $round: lbd starts with ${LIMITS[round % 4]}" \
            restart_with "${LIMITS[round % 4]}"
        check "round $round: it says that it moved all" \
            grep -q "event=moved connections_without_room=0" "$LBD_LOG"
        check "round $round: its maps are the pinned ones" nothing_waits
    done
    wait_load "$trickle"
    wait_load "$new"
    check "no established connection broke, of three backends" says "$WORK/trickle.json" \
        '.failures == 0 and (.backends | length) == 3'
    check "no new connection failed" says "$WORK/new.json" '.failures == 0 and .requests > 200'
    check "no packet of a new connection was lost" says "$WORK/new.json" '.slowest_ms < 900'
    check "nothing had to be repaired" lbctl_says '.repaired == 0' status
}

test_same_limits() {
    local entries
    check "lbd starts with the same limits" restart_with "${LIMITS[ROUNDS % 4]}"
    check "and moves nothing" fails grep -q event=moved "$LBD_LOG"
    entries=$(map_entries connections)
    lbd_kill KILL
    check "with fewer backends than have indexes it refuses, and says how many it takes" \
        lbd_refuses "at least" --interface uplink0 --max-backends 2
    check "and leaves what is pinned as it was" test "$(map_entries connections)" = "$entries"
    http_load "$WORK/http.json" client -n 100 -c 4 10.96.0.10 80
    check "traffic flows meanwhile" says "$WORK/http.json" '.failures == 0'
}

# Of connections that are not all to have room any more, established ones stay before others.
test_too_small() {
    local trickle
    check "lbd starts with room for many" restart_with "--max-connections 20000"
    trickle_start 24 6
    trickle=$LOAD_PID
    http_load "$WORK/http.json" client -n 2000 -c 10 10.96.0.10 80
    check "lbd starts with room for few" restart_with "--max-connections 100"
    wait_load "$trickle"
    check "established connections go on" says "$WORK/trickle.json" '.failures == 0'
    check "lbd tells how many found no room" \
        grep -Eq 'event=moved connections_without_room=[1-9]' "$LBD_LOG"
}

make_topology
check "lbd becomes ready" node_lbd
check "services over IPv4 and IPv6 are added and resolved" add_services
test_traffic_goes_on
test_same_limits
test_too_small

finish
