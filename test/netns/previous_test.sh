#!/bin/bash
# A connection that lbd has forgotten goes on where it was, also when its service's backends have
# changed since, by this lbd or before it was started.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

document() { # ADDRESS A-STATE B-STATE
    local a=10.1.0.11 b=10.1.0.12
    [[ $1 == *:* ]] && a=fd00:1::11 b=fd00:1::12
    jq -n --arg address "$1" --arg a "$a" --arg a_state "$2" --arg b "$b" --arg b_state "$3" \
        '{services: [{address: $address, port: 80, backends: [
            {address: $a, port: 8080, state: $a_state},
            {address: $b, port: 8080, state: $b_state}]}]}' >"$WORK/tables.json"
}

change() { # ADDRESS A-STATE B-STATE, in one step
    document "$@"
    lbctl apply "$WORK/tables.json"
}

# An upload in the background: `more` sends a piece, `end` the rest.
start_upload() { # ADDRESS
    rm -f "$WORK/pieces"
    mkfifo "$WORK/pieces"
    nsenter --net="/run/netns/$PREFIX-client" "$PYTHON" "$HERE/slow_post.py" "$1" 80 \
        <"$WORK/pieces" >"$WORK/upload.json" &
    UPLOAD=$!
    PIDS+=("$UPLOAD")
    exec 4>"$WORK/pieces"
}

tell_upload() { # LINE; it may be over already
    (trap '' PIPE && echo "$1" >&4) 2>/dev/null
}

more() {
    tell_upload more
    sleep 0.2
}

end_upload() {
    tell_upload end
    exec 4>&-
    wait "$UPLOAD"
}

is_established() {
    lbctl_says '[.connections[] | select(.state == "established")] | length == 1' connection list
}

new_pod() { # ADDRESS
    http_load "$WORK/new.json" client -n 10 "$1" 80
    jq -r '.backends | keys | join(" ")' "$WORK/new.json"
}

forget() {
    lbctl connection flush
}

restart() {
    lbd_kill KILL
    node_lbd
}

test_upload() { # ADDRESS TITLE COMMAND…, between the change and the rest of the upload
    local address=$1 title=$2
    shift 2
    check "$address, $title: only pod-a is active" change "$address" active down
    check "$address, $title: its next hop is known" wait_resolved
    start_upload "$address"
    more
    check "$address, $title: an upload begins" within 5 is_established
    check "$address, $title: pod-a drains, pod-b is active" change "$address" draining active
    check "$address, $title: then" "$@"
    check "$address, $title: all is forgotten" forget
    more
    more
    end_upload
    check "$address, $title: the upload ends well at pod-a" says "$WORK/upload.json" \
        '.pod == "pod-a" and .right'
    check "$address, $title: what is new goes to pod-b" test "$(new_pod "$address")" = pod-b
}

test_down() { # ADDRESS
    check "$1: only pod-a is active" change "$1" active down
    start_upload "$1"
    more
    check "$1: an upload begins" within 5 is_established
    check "$1: pod-a is down, pod-b is active" change "$1" down active
    check "$1: all is forgotten" forget
    more
    more
    end_upload
    check "$1: the upload ends, and not by pod-a" says "$WORK/upload.json" '.pod != "pod-a"'
}

make_topology
check "lbd starts" node_lbd
for address in 10.96.0.10 fd00:96::10; do
    test_upload "$address" "at once" true
    test_upload "$address" "over a restart" restart
    test_upload "$address" "over two restarts" eval 'restart && restart'
    test_upload "$address" "after a change of something else" lbctl service set \
        "$([[ $address == *:* ]] && echo "[$address]" || echo "$address"):80" --affinity 1
    test_down "$address"
done
check "nothing had to be repaired" lbctl_says '.repaired == 0' status
finish
