#!/bin/bash
# Nothing is lost when lbd is killed and started again, when another version takes its place, whose
# maps are laid out otherwise, and back, or when it starts with other limits: of long-lived
# connections, new ones and datagrams all at once. FULL=1: 50 times, 50 times and 20 times.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

CHURN=$ROOT/build/test/churn
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

churn_servers() {
    local name
    for name in a b c; do
        spawn "churn-$name" "pod-$name" "$CHURN" serve
    done
    for name in a b c; do
        within 5 is_listening "pod-$name" 9001 || return
    done
}

add_churn_services() {
    local port service
    for port in 9000 9001 9002/udp; do
        service="10.96.0.20:$port"
        lbctl service add "$service" --backend "10.1.0.11:${port%/*}" \
            --backend "10.1.0.12:${port%/*}" --backend "10.1.0.13:${port%/*}" || return
    done
    wait_resolved
}

load_start() { # FILE
    nsenter --net="/run/netns/$PREFIX-client" "$CHURN" load 10.96.0.20 "$LONG" "$NEW" \
        "$DATAGRAMS" >"$1" &
    LOAD_PID=$!
    PIDS+=("$LOAD_PID")
}

# COMMAND with the number of the round, every PERIOD seconds meanwhile.
under_traffic() { # FILE ROUNDS COMMAND…
    local file=$1 rounds=$2 round
    shift 2
    load_start "$file"
    sleep 1
    for round in $(seq "$rounds"); do
        "$@" "$round" >"$WORK/round.out" 2>&1 ||
            { fail "round $round of $*"; cat "$WORK/round.out"; }
        sleep "$PERIOD"
    done
    kill -TERM "$LOAD_PID"
    wait "$LOAD_PID"
}

# Beyond what is lost where nothing is done.
nothing_is_lost() { # FILE TITLE
    local file=$1 title=$2
    echo "# $title: $(cat "$file")"
    check "$title: no long-lived connection breaks" says "$file" \
        ".long.failures == 0 and .long.count == $LONG"
    check "$title: no new connection fails" says "$file" \
        ".new.failures == 0 and .new.count > $NEW"
    check "$title: none waits for a retransmission" says "$file" \
        ".new.slowest_ms < ([900, $(jq .new.slowest_ms "$WORK/nothing.json")] | max)"
    check "$title: no datagram is lost" says "$file" \
        ".udp.failures <= $(jq .udp.failures "$WORK/nothing.json") and .udp.count > 0"
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

no_bridge_is_left() {
    ! ls "$PIN"/map/bridge_* "$PIN"/map/*_new 2>/dev/null
}

make_topology
check "another version is built" "$ROOT/test/upgrade/build.sh"
check "lbd becomes ready" node_lbd
check "servers start" churn_servers
check "services are added and resolved" add_churn_services

under_traffic "$WORK/nothing.json" "$RESTARTS" true
echo "# nothing done: $(cat "$WORK/nothing.json")"
check "nothing done: nothing fails" says "$WORK/nothing.json" \
    '.long.failures == 0 and .new.failures == 0 and .udp.failures * 1000 < .udp.count'
under_traffic "$WORK/restart.json" "$RESTARTS" restart
nothing_is_lost "$WORK/restart.json" "$RESTARTS times kill -9"
under_traffic "$WORK/upgrade.json" "$UPGRADES" upgrade
nothing_is_lost "$WORK/upgrade.json" "$UPGRADES times another version"
under_traffic "$WORK/limits.json" "$CHANGES" change_limits
nothing_is_lost "$WORK/limits.json" "$CHANGES times other limits"
check "nothing waits, nothing is left of moves" no_bridge_is_left
check "nothing had to be repaired" lbctl_says '.repaired == 0' status

finish
