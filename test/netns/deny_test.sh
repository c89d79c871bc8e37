#!/bin/bash
# Denied sources, with real traffic: nothing of theirs is answered but ARP and neighbour discovery,
# a denial ends by hand or by itself, and a new lbd keeps to it.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

denied() { # EXPRESSION over `deny list`
    lbctl_says "$1" deny list
}

refuses() { # STATUS WORD COMMAND…
    local status=$1 word=$2 said
    shift 2
    said=$(lbctl "$@" 2>&1 >/dev/null)
    [ "$?" = "$status" ] && [[ $said == *"$word"* ]] && return
    echo "status $? said: $said"
    return 1
}

exported() {
    lbctl export | jq -c '[.deny[].prefix]'
}

pings() { # NAME ADDRESS
    inside "$1" ping -q -c 1 -W 1 "$2"
}

# The neighbour's entry is made anew, so that it has to be asked.
is_neighbour() { # ADDRESS
    inside client ip neighbour flush dev eth0
    inside client ping -q -c 1 -W 0.3 "$1"
    inside client ip -j neighbour show "$1" dev eth0 | jq -e '.[0].lladdr'
}

test_family() { # PREFIX NODE SERVICE
    check "$1: the client is served before" answers client "$3"
    check "$1: is denied" lbctl deny add "$1"
    check "$1: the client reaches no service" fails answers client "$3"
    check "$1: nor the node" fails pings client "$2"
    check "$1: but learns its MAC address" is_neighbour "$2"
    check "$1: what was dropped is counted" denied \
        ".deny[0] | .prefix == \"$1\" and .packets > 0 and .bytes > 0 and
            .remaining_seconds == null and .sources == [\"operator\"]"
    check "$1: and by its verdict" lbctl_says '.verdicts["drop-denied"].packets > 0' stats
    check "$1: is removed" lbctl deny del "$1"
    check "$1: the client is served after" answers client "$3"
    check "$1: and reaches the node" pings client "$2"
}

test_refusals() {
    check "an unknown prefix is not removed" refuses 1 10.9.9.0/24 deny del 10.9.9.0/24
    check "bits beyond the length are named" refuses 1 10.0.0.0/8 deny add 10.0.0.1/8
    check "what is no prefix is named" refuses 1 '"10.0.0"' deny add 10.0.0
    check "what is no time is named" refuses 1 '"5x"' deny add 10.0.0.0/8 --for 5x
    check "so is none at all" refuses 1 '"0"' deny add 10.0.0.0/8 --for 0
    check "a missing prefix is wrong usage" refuses 2 CIDR deny add
    check "nothing is denied" denied '.deny == []'
}

test_expiry() {
    check "the client is denied for 2 seconds" lbctl deny add 192.0.2.2 --for 2s
    check "it is shown how long" denied '.deny[0].remaining_seconds | . > 0 and . <= 2'
    check "the client reaches no service" fails answers client 10.96.0.10:80
    check "it is not exported" test "$(exported)" = '[]'
    sleep 2
    check "it ended by itself" denied '.deny == []'
    check "the client is served" answers client 10.96.0.10:80
    check "a minute" lbctl deny add 192.0.2.2 --for 1m
    check "becomes an hour" lbctl deny add 192.0.2.2 --for 1h
    check "and is shown so" denied '(.deny | length) == 1 and .deny[0].remaining_seconds > 3500'
    check "becomes for good" lbctl deny add 192.0.2.2/32
    check "and is shown so too" denied '.deny[0].remaining_seconds == null'
    check "it is removed" lbctl deny del 192.0.2.2
}

test_established() {
    trickle_start 2 6 10.96.0.10 2
    local trickle=$LOAD_PID
    check "the client of connections that exist is denied" lbctl deny add 192.0.2.0/24
    wait_load "$trickle"
    check "they stop" says "$WORK/trickle.json" '.failures == 2'
    check "it is removed" lbctl deny del 192.0.2.0/24
}

test_restart() {
    check "one for good" lbctl deny add 192.0.2.0/24
    check "one for an hour" lbctl deny add 2001:db8::/64 --for 1h
    check "one for 3 seconds" lbctl deny add 198.51.100.0/24 --for 3s
    check "the client reaches no service" fails answers client 10.96.0.10:80
    local packets
    packets=$(lbctl -o json deny list | jq '.deny[] | select(.prefix == "192.0.2.0/24").packets')
    lbd_kill KILL
    check "nor without lbd" fails answers client 10.96.0.10:80
    sleep 3
    check "lbd comes back" node_lbd
    check "it knows those two" denied '[.deny[].prefix] | sort == ["192.0.2.0/24", "2001:db8::/64"]'
    check "and for how long" denied '.deny[] | select(.prefix == "2001:db8::/64") |
        .remaining_seconds > 3500 and .remaining_seconds < 3600'
    check "and what they have dropped" denied "(.deny[] | select(.prefix == \"192.0.2.0/24\")
        .packets) > $packets"
    check "the client reaches no service still" fails answers client 10.96.0.10:80
    check "nor over IPv6" fails answers client '[fd00:96::10]:80'
    check "both are removed" eval 'lbctl deny del 192.0.2.0/24 && lbctl deny del 2001:db8::/64'
    lbd_kill KILL
    check "lbd comes back again" node_lbd
    check "nothing is denied" denied '.deny == []'
    check "the client is served" answers client 10.96.0.10:80
}

# What the pinned map holds and nobody wants goes, what is wanted and missing comes.
test_reconciled() {
    check "one is denied" lbctl deny add 203.0.113.0/24
    lbd_kill KILL
    check "it is taken out of the map, and another put in" eval '
        bpftool map delete pinned "$PIN/map/deny" key hex \
            78 00 00 00 00 00 00 00 00 00 00 00 00 00 ff ff cb 00 71 00 &&
        bpftool map update pinned "$PIN/map/deny" key hex \
            78 00 00 00 00 00 00 00 00 00 00 00 00 00 ff ff c0 00 02 00 value hex \
            09 00 00 00 00 00 00 00'
    check "the client is denied by nobody" fails answers client 10.96.0.10:80
    check "lbd comes back" node_lbd
    check "only what is wanted is denied" denied '[.deny[].prefix] == ["203.0.113.0/24"]'
    check "in the map, too" eval \
        '[ "$(bpftool -j map dump pinned "$PIN/map/deny" | jq length)" = 1 ]'
    check "the client is served" answers client 10.96.0.10:80
    check "it is removed" lbctl deny del 203.0.113.0/24
}

apply_deny() { # OPTION… PREFIX…
    local options=() list=
    while [[ ${1:-} == --* ]]; do
        options+=("$1")
        shift
    done
    for prefix in "$@"; do
        list+="${list:+,}{\"prefix\": \"$prefix\"}"
    done
    lbctl export | jq "{services, deny: [$list]}" >"$WORK/apply.json"
    lbctl apply "$WORK/apply.json" "${options[@]}"
}

test_documents() {
    check "a document would deny" apply_deny --dry-run 192.0.2.0/24 fd00:7::/64
    check "and denies nothing yet" denied '.deny == []'
    check "a document denies" apply_deny 192.0.2.0/24 fd00:7::/64
    check "the client reaches no service" fails answers client 10.96.0.10:80
    check "it is exported" test "$(exported)" = '["192.0.2.0/24","fd00:7::/64"]'
    check "one for an hour beside it" lbctl deny add 198.51.100.7 --for 1h
    check "a document without it leaves it" apply_deny fd00:8::/64
    check "all of them are there" denied '(.deny | length) == 4'
    check "pruned it goes" apply_deny --prune fd00:8::/64
    check "what is to end is left" denied \
        '[.deny[].prefix] == ["198.51.100.7/32", "fd00:8::/64"]'
    check "the client is served" answers client 10.96.0.10:80
    check "an empty list ends all that lasts" apply_deny --prune
    check "by hand the rest" lbctl deny del 198.51.100.7
    check "nothing is denied" denied '.deny == []'
}

is_served() {
    answers client 10.96.0.10:80
}

test_files() {
    local tables=$WORK/tables.json
    echo '{"deny": [{"prefix": "192.0.2.0/24"}, {"prefix": "203.0.113.0/24"}]}' >"$tables"
    check "the operator denies one of them" lbctl deny add 203.0.113.0/24 --for 1h
    lbd_kill TERM
    check "lbd starts with a file" node_lbd --tables "$tables"
    check "the client reaches no service" fails answers client 10.96.0.10:80
    check "each has its sources" denied '[.deny[] | [.prefix, .sources]] == [
        ["192.0.2.0/24", ["file"]], ["203.0.113.0/24", ["operator", "file"]]]'
    check "the operator cannot remove the file's" refuses 1 "source file" deny del 192.0.2.0/24
    check "but what is his own" lbctl deny del 203.0.113.0/24
    check "and the file's stays" denied '(.deny | length) == 2'
    echo '{"deny": [{"prefix": "203.0.113.0/24"}]}' >"$tables"
    kill -HUP "$LBD_PID"
    check "the file is read again" within 3 is_served
    check "only its prefix is left" denied '[.deny[].prefix] == ["203.0.113.0/24"]'
    lbd_kill TERM
    check "lbd starts without the file" node_lbd
    check "nothing is denied" denied '.deny == []'
}

# A full list, and again after a restart, when all of it is adopted first.
test_limit() {
    jq -n '{deny: [range(65536) | {prefix: "11.\(. / 256 | floor).\(. % 256).0/24"}]}' \
        >"$WORK/full.json"
    check "65,536 prefixes are denied" lbctl apply "$WORK/full.json"
    check "one more is refused" refuses 1 65536 deny add 12.0.0.0/8
    lbd_kill KILL
    check "lbd comes back to a full list" node_lbd
    check "all are there" lbctl_says '.denied == 65536' status
    check "one more is refused still" refuses 1 65536 deny add 12.0.0.0/8
    check "an existing one is not" lbctl deny add 11.0.0.0/24 --for 1h
    check "the client is served" answers client 10.96.0.10:80
    check "all go" apply_deny --prune
    check "and the last" lbctl deny del 11.0.0.0/24
    check "there is room again" lbctl deny add 12.0.0.0/8
    check "which goes" lbctl deny del 12.0.0.0/8
}

make_topology
check "lbd starts" node_lbd
check "services are added" add_services
test_family 192.0.2.0/24 192.0.2.1 10.96.0.10:80
test_family 192.0.2.2/32 192.0.2.1 10.96.0.10:80
test_family 2001:db8::/32 2001:db8::1 '[fd00:96::10]:80'
test_refusals
test_expiry
test_established
test_restart
test_reconciled
test_documents
test_files
test_limit
finish
