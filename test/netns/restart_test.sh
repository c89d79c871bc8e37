#!/bin/bash
# lbd dies by kill -9 and comes back: connections and new requests never notice, what was pinned is
# adopted, and every change that was acknowledged is still there.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

ROUNDS=$([ -n "${SHORT:-}" ] && echo 2 || echo 4)

kill_and_restart() { # SECONDS between
    lbd_kill KILL
    sleep "$1"
    node_lbd
}

service_ids() {
    lbctl -o json service list |
        jq -Sc '[.services[] | {address, port, protocol, id}] | sort_by(.address, .port)'
}

exported() { # the order of services is nobody's business
    lbctl export | jq -Sc '.services |= sort_by(.address, .port, .protocol)'
}

test_traffic_goes_on() {
    local trickle new round ids
    ids=$(service_ids)
    trickle_start 30 $((ROUNDS * 4))
    trickle=$LOAD_PID
    http_load_start "$WORK/new.json" client -t $((ROUNDS * 4)) -c 2 --pause 0.005 10.96.0.10 80
    new=$LOAD_PID
    sleep 1
    for round in $(seq "$ROUNDS"); do
        check "round $round: lbd is killed and becomes ready again" kill_and_restart 1
        check "round $round: services keep their ids" test "$(service_ids)" = "$ids"
    done
    wait_load "$trickle"
    wait_load "$new"
    check "no established connection broke" says "$WORK/trickle.json" \
        '.failures == 0 and (.backends | length) == 3'
    check "no new connection failed" says "$WORK/new.json" '.failures == 0 and .requests > 200'
    check "no packet of a new connection was lost" says "$WORK/new.json" '.slowest_ms < 900'
}

test_without_lbd() {
    lbd_kill KILL
    http_load "$WORK/http.json" client -n 500 -c 10 10.96.0.10 80
    check "500 requests are served with no lbd running" says "$WORK/http.json" \
        '.failures == 0 and .slowest_ms < 900 and (.backends | length) == 3'
    udp_load "$WORK/udp.json" client -n 500 10.96.0.10 53
    check "so are 500 datagrams" says "$WORK/udp.json" '.lost == 0 and .stray == 0'
    check "lbctl says with status 3 that nobody is there" test "$(lbctl status 2>&1 >/dev/null |
        wc -l; echo "${PIPESTATUS[0]}")" = $'1\n3'
}

test_adoption() {
    check "lbd becomes ready again" node_lbd
    check "it knows the connections made without it" lbctl_says '.connections > 500' \
        connection count
    check "nothing had to be repaired" lbctl_says '.repaired == 0' status
    check "it attaches where it was" lbctl_says \
        'all(.interfaces[]; .mode == "'"$XDP_MODE"'" and .error == null)' interface list
    check "a backend can be removed" lbctl backend del "$HTTP_SERVICE" 10.1.0.13:8080
    http_load "$WORK/http.json" client -n 200 -c 10 10.96.0.10 80
    check "which takes effect" says "$WORK/http.json" \
        '.failures == 0 and (.backends | keys) == ["pod-a", "pod-b"]'
    check "and be added" lbctl backend add "$HTTP_SERVICE" 10.1.0.13:8080
}

# Adds services one after the other and notes each as soon as lbctl says it is done.
change_until_killed() {
    local i
    for i in $(seq 2000); do
        lbctl service add "10.97.$1.$((i % 250)):$((1000 + i / 250))" \
            --backend "10.1.0.11:$((1000 + i))" >/dev/null 2>&1 || return
        echo "10.97.$1.$((i % 250)):$((1000 + i / 250))" >>"$WORK/acknowledged"
    done
}

all_acknowledged_are_there() {
    lbctl -o json service list |
        jq -r '.services[] | "\(.address):\(.port)"' | sort >"$WORK/there"
    sort "$WORK/acknowledged" >"$WORK/expected"
    echo "missing of $(wc -l <"$WORK/expected"):"
    comm -23 "$WORK/expected" "$WORK/there" | head -n 5
    [ -s "$WORK/expected" ] && [ -z "$(comm -23 "$WORK/expected" "$WORK/there")" ]
}

test_acknowledged_is_durable() {
    local round changer
    for round in $(seq "$ROUNDS"); do
        change_until_killed "$round" &
        changer=$!
        sleep "0.$((RANDOM % 6 + 3))"
        lbd_kill KILL
        wait "$changer"
        check "round $round: lbd becomes ready after kill -9 among changes" node_lbd
        check "round $round: every acknowledged change is there" all_acknowledged_are_there
    done
}

test_state_file_alone() {
    local before
    before=$(exported)
    lbd_kill KILL
    forget_pins
    check "lbd becomes ready from the state file alone" node_lbd
    check "export is the same" test "$(exported)" = "$before"
    check "next hops are known" wait_resolved
    http_load "$WORK/http.json" client -n 300 -c 10 10.96.0.10 80
    check "traffic flows" says "$WORK/http.json" '.failures == 0 and (.backends | length) == 3'

    before=$(exported)
    lbd_kill KILL
    printf '{"change": "torn by a cra' >>"$STATE.journal"
    check "a torn last line of the journal does not stop lbd" node_lbd
    check "nor change anything" test "$(exported)" = "$before"
}

test_second_lbd() {
    local first=$LBD_PID log=$LBD_LOG
    lbd_launch --interface uplink0
    check "a second lbd with the same paths ends by itself" within 5 fails lbd_is_running
    kill -9 "$LBD_PID" 2>/dev/null
    wait "$LBD_PID"
    check "with a status that is not 0" test $? -gt 0
    SOCKET=$SOCKET.2 STATE=$STATE.2 lbd_launch --interface uplink0
    check "so does one with the same pins" within 5 fails lbd_is_running
    wait "$LBD_PID"
    check "and says that they are another's" grep -q "another lbd has pinned there" "$LBD_LOG"
    LBD_PID=$first LBD_LOG=$log
    check "the first one serves on" lbctl_says '.pid == '"$first" status
}

make_topology
check "lbd becomes ready" node_lbd
check "services over IPv4 and IPv6 are added and resolved" add_services
test_traffic_goes_on
test_without_lbd
test_adoption
test_acknowledged_is_durable
test_state_file_alone
test_second_lbd

finish
