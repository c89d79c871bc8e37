#!/bin/bash
# A backend that drains until a deadline: it keeps its connections until then, and is down after it,
# whether or not lbd has run all the time.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

A=10.1.0.11:8080
B=10.1.0.12:8080

refuses() { # WORD COMMAND…, with status 1
    local word=$1 said
    shift
    said=$(lbctl "$@" 2>&1 >/dev/null)
    [ "$?" = 1 ] && [[ $said == *"$word"* ]] && return
    echo "said: $said"
    return 1
}

set_a() { # OPTION…
    lbctl backend set "$HTTP_SERVICE" "$A" "$@"
}

a_is() { # EXPRESSION on pod-a's backend, as it is listed
    lbctl_says ".backends[] | select(.address == \"10.1.0.11\") | $1" backend list "$HTTP_SERVICE"
}

a_is_down() {
    a_is '.state == "down"'
}

exported() {
    lbctl export | jq -Sc '.services[0].backends[0]'
}

state_of_services() { # of the state on disk: snapshot and journal
    cat "$STATE" "$STATE.journal" 2>/dev/null
}

all_at() { # POD
    http_load "$WORK/new.json" client -n 40 -c 4 10.96.0.10 80
    says "$WORK/new.json" '.failures == 0 and (.backends | keys) == ["'"$1"'"]'
}

test_refusals() {
    check "an active backend has no deadline" refuses "is active; add --state draining" \
        backend set "$HTTP_SERVICE" "$A" --deadline 10m
    check "nor has one that goes down" refuses "is down; add --state draining" \
        backend set "$HTTP_SERVICE" "$A" --state down --deadline 10m
    check "what is no time is named" refuses '"soon"' \
        backend set "$HTTP_SERVICE" "$A" --state draining --deadline soon
    check "nothing has changed" a_is '.state == "active" and (has("deadline") | not)'
}

test_set_and_clear() {
    check "pod-a drains for an hour" set_a --state draining --deadline 1h
    check "it is listed with its deadline" a_is '.state == "draining" and
        (.deadline | test("^20[0-9-]*T[0-9:.]*Z$")) and
        .remaining_seconds > 3500 and .remaining_seconds <= 3600'
    check "and shown with it" lbctl_says '.backends[0].deadline | length == 24' \
        service show "$HTTP_SERVICE"
    check "for people, too" eval 'lbctl backend list | grep -E "draining +(59m[0-9]+s|1h0m)"'
    check "it is exported with it" eval '[[ $(exported) == *"deadline"* ]]'
    check "a document of that changes nothing" eval \
        'lbctl export >"$WORK/all.json" && lbctl_says ".unchanged == 1 and .changed == 0" \
            apply "$WORK/all.json"'
    check "a weight leaves it" set_a --weight 3
    check "as it was" a_is '.weight == 3 and .remaining_seconds > 3500'
    check "another deadline takes its place" set_a --deadline 2h
    check "and is listed" a_is '.remaining_seconds > 7100'
    check "active again" set_a --state active --weight 1
    check "it has none" a_is '.state == "active" and (has("deadline") | not)'
    check "draining with one" set_a --state draining --deadline 1h
    check "draining again without" set_a --state draining
    check "it has none, too" a_is '.state == "draining" and (has("deadline") | not)'
    check "active in the end" set_a --state active
}

test_deadline() {
    trickle_start 20 2
    local short=$LOAD_PID
    check "pod-a drains for 4 seconds" set_a --state draining --deadline 4s
    check "new connections go to pod-b" all_at pod-b
    wait_load "$short"
    check "those that end before the deadline end well" says "$WORK/trickle.json" \
        '.failures == 0 and (.backends | length) == 2'
    check "pod-a drains still" a_is '.state == "draining" and .remaining_seconds <= 3'
    check "and goes down at the deadline" within 4 a_is_down
    check "which is over" a_is 'has("deadline") | not'
    check "lbd says so" grep -q 'event=deadline-over .*backend=10.1.0.11:8080 then=down' "$LBD_LOG"
    check "pod-b serves on" all_at pod-b
    check "pod-a is active again" set_a --state active
}

test_exact() { # the look once a second would be late by up to a second
    check "pod-a drains for a second" set_a --state draining --deadline 1s
    sleep 1.3
    check "a moment later it is down" a_is_down
    check "it is active again" set_a --state active
}

START_SECONDS=15 # longer than a start of lbd takes on a busy machine

test_restart() {
    check "pod-a drains for a while" set_a --state draining --deadline "$START_SECONDS"
    check "which is on disk" eval '[[ $(state_of_services) == *"deadline"* ]]'
    lbd_kill KILL
    check "lbd comes back before" node_lbd
    check "pod-a drains" a_is ".state == \"draining\" and .remaining_seconds <= $START_SECONDS"
    check "pod-a goes down" within "$START_SECONDS" a_is_down
    lbd_kill KILL
    check "lbd comes back after" node_lbd
    check "pod-a is down" a_is_down
    check "and stays so in a document" test "$(exported | jq -r .state)" = down
    check "it drains for 2 seconds" set_a --state draining --deadline 2s
    lbd_kill KILL
    sleep 2.2
    check "lbd comes back when that is over" node_lbd
    check "pod-a is down again" a_is_down
    check "nothing had to be repaired" lbctl_says '.repaired == 0' status
    check "it drains for an hour" set_a --state draining --deadline 1h
    lbd_kill KILL
    forget_pins
    check "lbd comes back from the state alone" node_lbd
    check "pod-a drains for the rest of it" a_is '.state == "draining" and
        .remaining_seconds > 3400 and .remaining_seconds <= 3600'
    check "pod-a is active in the end" set_a --state active
}

in_seconds() { # N: when that is
    date -u -d "+$1 seconds" +%Y-%m-%dT%H:%M:%SZ
}

write_file() { # DEADLINE
    jq -n --arg deadline "$1" '{services: [{address: "10.96.0.20", port: 80, backends: [
        {address: "10.1.0.11", port: 8080, state: "draining", deadline: $deadline},
        {address: "10.1.0.12", port: 8080}]}]}' >"$WORK/tables.json"
}

of_file() { # STATE of pod-a
    lbctl_says '.backends[0].state == "'"$1"'"' service show 10.96.0.20:80
}

test_file() {
    write_file "$(in_seconds "$START_SECONDS")"
    lbd_kill TERM
    check "lbd starts with a file" node_lbd --tables "$WORK/tables.json"
    check "pod-a drains" of_file draining
    check "it goes down" within "$START_SECONDS" of_file down
    kill -HUP "$LBD_PID"
    sleep 0.5
    check "and stays down when the file is read again" of_file down
    write_file "$(in_seconds 3600)"
    kill -HUP "$LBD_PID"
    check "another deadline in the file counts" within 3 of_file draining
    check "nothing of it is the operator's" refuses "source file" \
        backend set 10.96.0.20:80 "$A" --state active
}

make_topology
check "lbd starts" node_lbd
check "a service of two backends" lbctl service add "$HTTP_SERVICE" --backend "$A" --backend "$B"
check "their next hops are known" wait_resolved
test_refusals
test_set_and_clear
test_deadline
test_exact
test_restart
test_file
finish
