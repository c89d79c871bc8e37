#!/bin/bash
# Whatever the API server, or the network before it, does wrong while Services and EndpointSlices
# change: in the end lbd serves what one that is started then does, and its memory is bounded.
. "$(dirname "${BASH_SOURCE[0]}")/../netns/_init.sh"
. "$(dirname "${BASH_SOURCE[0]}")/_api_server.sh"

SERVICES=150
SPOILT='[]' # names of Services that are not compared, since those who knew them keep what they knew
PATIENCE=60 # in which an lbd also starts, beside other tests
MEMORY_KB=65536 # the most that lbd may have had
ROUND=0

start_server() { # OPTION…
    API_ENTER=(nsenter "--net=/run/netns/$PREFIX-node")
    api_server_start --certificate "$WORK/tls/server.crt" --key "$WORK/tls/server.key" \
        --token-file "$WORK/tls/token" "$@"
}

# Services and slices of this round; every seventh Service is not among them.
objects() { # ROUND
    jq -nc --argjson round "$1" --argjson count "$SERVICES" '{kind: "List", items: [
        range($count) | . as $i | select(($i + $round) % 7 != 0) | "s\($i)" as $name |
        "10.96.\($i / 200 | floor).\($i % 200 + 1)" as $address |
        {kind: "Service", metadata: {name: $name}, spec: {clusterIP: $address,
            clusterIPs: [$address], type: "ClusterIP", ports: [{name: "p", protocol: "TCP",
            port: 80, targetPort: (8080 + $round)}]}},
        {kind: "EndpointSlice", metadata: {name: $name, labels:
            {"kubernetes.io/service-name": $name}}, addressType: "IPv4",
         ports: [{name: "p", protocol: "TCP", port: (8080 + $round)}],
         endpoints: [range(($i + $round) % 4) | {addresses: ["10.1.\(.).\($i % 250 + 1)"]}]}]}'
}

ask_server() { # JSON
    printf '%s\n' "$1" | socat -t 5 - "UNIX:$KUBE_CONTROL"
}

# All objects become those of the next round, in three pieces with time between.
change_all() {
    local i
    ROUND=$((ROUND + 1))
    for ((i = (7 - ROUND % 7) % 7; i < SERVICES; i += 7)); do
        ask_server "[\"delete\", \"services\", \"default/s$i\"]"
        ask_server "[\"delete\", \"endpointslices\", \"default/s$i\"]"
    done >"$WORK/deleted"
    objects "$ROUND" >"$WORK/objects.json"
    for i in 0 1 2; do
        jq -c --argjson part "$i" '.items |= [to_entries[] | select(.key % 3 == $part) | .value]' \
            "$WORK/objects.json" >"$WORK/part.json"
        kubectl apply -f "$WORK/part.json" >"$WORK/kubectl.out"
        sleep 0.3
    done
}

lbctl_of() { # SOCKET COMMAND…
    timeout 20 "${LBCTL_AS[@]}" "$LBCTL" --socket "$@"
}

export_of() { # SOCKET
    lbctl_of "$1" export | jq -c --argjson spoilt "$SPOILT" '.services |
        map(select([.name] | inside($spoilt) | not) | .backends |= (. // [] | sort)) |
        sort_by(.name)'
}

# What it has listed is in its tables.
has_synced() { # LOG
    grep -q 'event=kube-synced' "$1"
}

# What an lbd that is started now makes of the objects, beside ours and without interfaces.
fresh_export() {
    local pid at=$WORK/run/fresh.sock log=$WORK/fresh.log
    rm -rf "$log" "$WORK/bpf/fresh" "$WORK/state/fresh.json"*
    nsenter "--net=/run/netns/$PREFIX-node" "${LBD_AS[@]}" "$LBD" --pin "$WORK/bpf/fresh" \
        --socket "$at" --state "$WORK/state/fresh.json" "${OPTIONS[@]}" >"$log" 2>&1 &
    pid=$!
    PIDS+=("$pid")
    within "$PATIENCE" has_synced "$log" && export_of "$at" >"$WORK/fresh.json"
    { kill "$pid" && wait "$pid"; } 2>/dev/null
    unset 'PIDS[-1]'
    rm -rf "$WORK/bpf/fresh"
}

is_as_fresh() {
    export_of "$SOCKET" >"$WORK/ours.json" && cmp -s "$WORK/ours.json" "$WORK/fresh.json"
}

converges() {
    fresh_export
    says "$WORK/fresh.json" 'length > '$((SERVICES / 2)) || return
    within "$PATIENCE" is_as_fresh && return
    diff <(jq -c '.[]' "$WORK/ours.json") <(jq -c '.[]' "$WORK/fresh.json") | head -n 6
    return 1
}

peak_kb() {
    awk '$1 == "VmHWM:" {print $2}' "/proc/$LBD_PID/status"
}

# The fault, changes, the fault's end: everything is as it should be.
bears() { # SENTENCE FAULT ARGUMENT…
    local sentence=$1
    shift
    check "$sentence: while things change" kubectl fault "$@"
    change_all
    kubectl fault off
    check "$sentence: all is as a fresh list has it" converges
}

bear_cuts() {
    bears "watches are cut" disconnect
    bears "an event is cut in its midst" truncate
    bears "no connection is accepted" refuse 2
    kubectl fault refuse 3
    kubectl fault disconnect
    change_all
    check "the API server was away" converges
}

bear_gone() {
    bears "410 of ten watches, as events" gone 10
    kubectl fault gone 10 status
    bears "410 of ten watches, as answers" disconnect
    kubectl fault compact
    change_all
    kubectl fault compact
    check "history was forgotten" converges
    kubectl fault status 500 6
    bears "six requests are answered 500" disconnect
    kubectl fault status 429 2 1
    bears "two requests are told to wait" disconnect
}

bear_disorder() {
    bears "events come twice" duplicate 100000
    bears "events of different objects come in any order" reorder 300
    bears "events are cut anywhere into chunks" split 5
    kubectl fault broken-list 2
    bears "lists and events are no JSON" broken-json
    kubectl fault compact
    bears "lists are no JSON" broken-list 3
}

present() { # NUMBER: a Service from there on that there is in this round, with endpoints
    local i=$1
    while (((i + ROUND) % 7 == 0 || (i + ROUND) % 4 == 0)); do
        i=$((i + 1))
    done
    echo "default/s$i"
}

bear_content() {
    local first second third
    first=$(present 10) second=$(present 20) third=$(present 30)
    SPOILT="[\"$first\", \"$second\", \"$third\"]"
    check "a Service has wrong types" kubectl fault wrong-types service "$first"
    check "a slice has" kubectl fault wrong-types endpointslice "$second"
    check "a Service has 10 MB" kubectl fault huge service "$third" 10
    check "the others are served" converges
    kubectl fault disconnect
    kubectl fault compact
    check "and after a list" converges
    SPOILT='[]'
    change_all
    check "and all when they are well again" converges
}

bear_slowness() {
    bears "events come a byte a time" slow 1
    kubectl fault disconnect
    bears "the server says nothing for a while" hang 3
}

has_pages() {
    kubectl requests | grep -q 'continue='
}

add_namespace node
add_namespace client
connect_client
make_certificates 127.0.0.1
echo token >"$WORK/tls/token"
chmod 644 "$WORK/tls/"*
check "the API server starts" start_server
write_kubeconfig "$WORK/kubeconfig" "127.0.0.1:$API_PORT" token
chmod 644 "$WORK/kubeconfig"
OPTIONS=(--kubeconfig "$WORK/kubeconfig" --node node)
change_all
check "lbd starts" node_lbd_bare --interface uplink0 "${OPTIONS[@]}"
check "it has all of it" within 30 has_synced "$LBD_LOG"
check "nothing is wrong: all is as a fresh list has it" converges
FIRST_KB=$(peak_kb)
bear_cuts
bear_gone
bear_disorder
bear_slowness
bear_content
echo "# memory at most: $FIRST_KB kB after the first list, $(peak_kb) kB in the end"
check "lbd's memory is bounded" test "$(peak_kb)" -lt "$MEMORY_KB"
check "lbd ran through" lbd_is_running
finish
