#!/bin/bash
# Nothing is lost when lbd is killed and started again, when another version takes its place, whose
# maps are laid out otherwise, and back, or when it starts with other limits: of long-lived
# connections, new ones and datagrams all at once. FULL=1: 50 times, 50 times and 20 times.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"
. "$HERE/_churn.sh"

OTHER=$ROOT/build/other-version/build/control
LONG=200      # connections
NEW=1000      # connections a second
DATAGRAMS=500 # a second
PERIOD=1.5    # seconds from one round to the next
if [ -n "${FULL:-}" ]; then
    RESTARTS=50 UPGRADES=50 CHANGES=20
else
    RESTARTS=3 UPGRADES=4 CHANGES=2
fi

add_churn_services() {
    local port service
    for port in 9000 9001 9002/udp; do
        service="10.96.0.20:$port"
        lbctl service add "$service" --backend "10.1.0.11:${port%/*}" \
            --backend "10.1.0.12:${port%/*}" --backend "10.1.0.13:${port%/*}" || return
    done
    wait_resolved
}

# COMMAND with the number of the round, every PERIOD seconds meanwhile.
under_traffic() { # FILE ROUNDS COMMAND…
    local file=$1 rounds=$2 round
    shift 2
    DROPPED=$(queue_drops)
    load_start "$file"
    sleep 1
    for round in $(seq "$rounds"); do
        "$@" "$round" >"$WORK/round.out" 2>&1 ||
            { fail "round $round of $*"; cat "$WORK/round.out"; }
        sleep "$PERIOD"
    done
    kill -TERM "$LOAD_PID"
    wait "$LOAD_PID"
    DROPPED=$(($(queue_drops) - DROPPED))
    echo "# $file: dropped by full queues: $DROPPED, else $(cat "$file")"
}

nothing_is_lost() { # FILE TITLE
    local file=$1 title=$2
    check "$title: no long-lived connection breaks" says "$file" \
        ".long.failures == 0 and .long.count == $LONG"
    check "$title: no new connection fails" says "$file" \
        ".new.failures == 0 and .new.count > $NEW"
    check "$title: none waits for a retransmission, but of what a queue dropped" says "$file" \
        "$DROPPED > 0 or .new.slowest_ms < 900"
    check "$title: no datagram is lost, but what a queue dropped" says "$file" \
        ".udp.failures <= $DROPPED and .udp.count > 0"
}

restart() { # ROUND
    lbd_kill KILL
    sleep 0.2
    node_lbd
}

# Other binaries in turn, the last round ends with ours.
upgrade() { # ROUND
    lbd_kill KILL
    if [ $(($1 % 2)) = 1 ]; then
        LBD=$OTHER/lbd node_lbd
    else
        node_lbd
    fi && grep -q "event=moved connections_without_room=0" "$LBD_LOG"
}

change_limits() { # ROUND
    lbd_kill KILL
    node_lbd --max-connections $(($1 % 2 ? 100000 + $1 * 1000 : 300000 + $1 * 1000)) &&
        grep -q "event=moved connections_without_room=0" "$LBD_LOG"
}

# What is noted of the pinned table, with another ABI number in front (include/abi.h).
spoil_abi() {
    local id note
    id=$(bpftool -j map show pinned "$PIN/map/connections" | jq .id)
    note=$(bpftool -j map dump pinned "$PIN/map/layouts" | jq -r --argjson id "$id" '.[] |
        select(.formatted.key == $id) | (.key + ["value"] + .value) | join(" ") |
        sub("value 0x01"; "value 0x02")')
    # shellcheck disable=SC2086 # a word each
    bpftool map update pinned "$PIN/map/layouts" key $note
}

no_bridge_is_left() {
    ! ls "$PIN"/map/bridge_* "$PIN"/map/*_new 2>/dev/null
}

make_topology
check "another version is built" "$ROOT/test/upgrade/build.sh"
check "lbd becomes ready" node_lbd
check "servers start" churn_servers
check "services are added and resolved" add_churn_services
check "and those of a web server" add_services

under_traffic "$WORK/nothing.json" "$RESTARTS" true
nothing_is_lost "$WORK/nothing.json" "nothing done"
under_traffic "$WORK/restart.json" "$RESTARTS" restart
nothing_is_lost "$WORK/restart.json" "$RESTARTS times kill -9"
under_traffic "$WORK/upgrade.json" "$UPGRADES" upgrade
nothing_is_lost "$WORK/upgrade.json" "$UPGRADES times another version"
under_traffic "$WORK/limits.json" "$CHANGES" change_limits
nothing_is_lost "$WORK/limits.json" "$CHANGES times other limits"
check "nothing waits, nothing is left of moves" no_bridge_is_left
check "nothing had to be repaired" lbctl_says '.repaired == 0' status
check "nor was there what could not be" fails grep -h not-repaired "$WORK"/lbd.*.log

lbd_kill KILL
check "the note of the table's layout is changed" spoil_abi
check "an lbd that does not know what values mean refuses" lbd_refuses "does not know" \
    --interface uplink0
http_load "$WORK/http.json" client -n 100 -c 4 10.96.0.10 80
check "and traffic flows on" says "$WORK/http.json" '.failures == 0'

finish
