#!/bin/bash
# A service for some sources only: others start no connection, those that exist go on, and a new lbd
# keeps to it.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

counted() { # VERDICT, packets so far
    lbctl -o json stats | jq ".verdicts[\"$1\"].packets"
}

exported_ranges() {
    lbctl export | jq -c '[.services[] | select(.name == "default/web") | .source_ranges[]]'
}

test_ranges() { # SERVICE ADDRESS:PORT RANGE OTHER, of one family
    check "$1: the client's range is served" lbctl service set "$1" --source-range "$3"
    check "$1: and answers" answers client "$2"
    check "$1: only another range is served" lbctl service set "$1" --source-range "$4"
    check "$1: the client is refused" fails answers client "$2"
    check "$1: both are served" lbctl service set "$1" --source-range "$4" --source-range "$3"
    check "$1: the client is answered again" answers client "$2"
    check "$1: only the other one" lbctl service set "$1" --source-range "$4"
    check "$1: the client is refused again" fails answers client "$2"
    check "$1: no range is everybody" lbctl service set "$1" --source-range none
    check "$1: the client is served" answers client "$2"
}

test_changes_open_no_gap() {
    http_load_start "$WORK/load.json" client -t 4 -c 2 --pause 0.002 10.96.0.10 80
    local load=$LOAD_PID
    for _ in 1 2 3 4 5 6; do
        lbctl service set "$HTTP_SERVICE" --source-range 192.0.2.0/24
        lbctl service set "$HTTP_SERVICE" --source-range 192.0.2.2 --source-range 10.0.0.0/8
        lbctl service set "$HTTP_SERVICE" --source-range none
        sleep 0.2
    done >"$WORK/set.log"
    wait_load "$load"
    check "no request fails while ranges that hold the client change" says "$WORK/load.json" \
        '.failures == 0 and .requests > 200 and .slowest_ms < 900'
}

test_established_go_on() {
    trickle_start 4 3
    local trickle=$LOAD_PID
    check "the client's range is taken away" lbctl service set "$HTTP_SERVICE" \
        --source-range 10.0.0.0/8
    check "new connections are refused" fails answers client 10.96.0.10:80
    wait_load "$trickle"
    check "those that exist go on" says "$WORK/trickle.json" '.failures == 0'
    check "the verdict is counted" test "$(counted drop-source-range)" -gt 0
}

test_restart() {
    lbd_kill KILL
    check "refused without lbd" fails answers client 10.96.0.10:80
    check "lbd comes back" node_lbd
    check "nothing had to be repaired" lbctl_says '.repaired == 0' status
    check "refused by the new lbd" fails answers client 10.96.0.10:80
    check "it is exported" test "$(exported_ranges)" = '["10.0.0.0/8"]'
    check "the range goes" lbctl service set "$HTTP_SERVICE" --source-range none
    check "and everybody is served" answers client 10.96.0.10:80
}

make_topology
check "lbd starts" node_lbd
check "services are added" add_services
test_ranges "$HTTP_SERVICE" 10.96.0.10:80 192.0.2.0/24 192.0.2.128/25
test_ranges "$HTTP_SERVICE6" '[fd00:96::10]:80' 2001:db8::2 2001:db8:0:1::/64
test_changes_open_no_gap
test_established_go_on
test_restart
finish
