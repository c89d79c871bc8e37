#!/bin/bash
# A service with affinity: a client comes back to its backend, whatever becomes of the others, until
# its time is over or the backend takes no more; and a new lbd keeps to it.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

# Connections that are remembered are forgotten before: a UDP port may be chosen twice.
load() { # PROGRAM COUNT ADDRESS PORT, one connection or datagram's port after another
    lbd_is_running && lbctl connection flush >"$WORK/flushed"
    "$1_load" "$WORK/load.json" client -n "$2" "$3" "$4"
}

pods() { # that answered
    jq -r '.backends | keys | join(" ")' "$WORK/load.json"
}

serve() { # COUNT of pods
    says "$WORK/load.json" '(.failures // .lost) == 0 and (.backends | length) == '"$1"
}

is_at() { # POD, all of them
    says "$WORK/load.json" '(.failures // .lost) == 0 and (.backends | keys) == ["'"$1"'"]'
}

address_of() { # POD of family SERVICE, as a backend of that service
    local last=$((11 + $(printf '%d' "'${1#pod-}") - $(printf '%d' "'a")))
    [[ $2 == \[* ]] && echo "[fd00:1::$last]:$3" || echo "10.1.0.$last:$3"
}

test_service() { # SERVICE PROGRAM ADDRESS PORT BACKEND_PORT
    local service=$1 program=$2 address=$3 port=$4 pod other
    load "$program" 100 "$address" "$port"
    check "$service: without affinity all pods answer" serve 3
    check "$service: affinity is set" lbctl service set "$service" --affinity 3600
    load "$program" 100 "$address" "$port"
    check "$service: one pod answers" serve 1
    pod=$(pods)
    for other in pod-a pod-b pod-c; do
        [ "$other" = "$pod" ] && continue
        check "$service: $other goes" lbctl backend del "$service" \
            "$(address_of "$other" "$service" "$5")"
        load "$program" 30 "$address" "$port"
        check "$service: $pod answers on" is_at "$pod"
        check "$service: $other comes back" lbctl backend add "$service" \
            "$(address_of "$other" "$service" "$5")"
        check "$service: its next hop is known" wait_resolved
        load "$program" 30 "$address" "$port"
        check "$service: $pod still answers" is_at "$pod"
    done
    check "$service: $pod drains" lbctl backend set "$service" \
        "$(address_of "$pod" "$service" "$5")" --state draining
    load "$program" 60 "$address" "$port"
    check "$service: one other pod answers" serve 1
    check "$service: which is not $pod" test "$(pods)" != "$pod"
    other=$(pods)
    check "$service: $pod is active again" lbctl backend set "$service" \
        "$(address_of "$pod" "$service" "$5")" --state active
    load "$program" 60 "$address" "$port"
    check "$service: $other answers on" is_at "$other"
}

test_timeout() {
    check "two seconds of affinity" lbctl service set "$HTTP_SERVICE" --affinity 2
    check "they are shown" lbctl_says '.affinity_seconds == 2' service show "$HTTP_SERVICE"
    local first changed=0
    load http 1 10.96.0.10 80
    first=$(pods)
    for _ in 1 2 3 4 5 6; do
        sleep 0.5 # and what a request takes
        load http 1 10.96.0.10 80
        [ "$(pods)" = "$first" ] || changed=1
    done
    check "a client that comes more often stays" test "$changed" = 0
    for _ in 1 2 3 4 5 6 7 8; do # the chance that each goes to the same of three: 1 in 2,187
        sleep 2.2
        load http 1 10.96.0.10 80
        [ "$(pods)" = "$first" ] || changed=1
        [ "$changed" = 1 ] && break
    done
    check "one that comes less often moves" test "$changed" = 1
}

test_restart() {
    check "an hour of affinity" lbctl service set "$HTTP_SERVICE" --affinity 3600
    load http 20 10.96.0.10 80
    local pod
    pod=$(pods)
    lbd_kill KILL
    load http 20 10.96.0.10 80
    check "without lbd the same pod answers" is_at "$pod"
    check "lbd comes back" node_lbd
    check "nothing had to be repaired" lbctl_says '.repaired == 0' status
    check "an hour is exported" test "$(lbctl export |
        jq '.services[] | select(.name == "default/web").affinity_seconds')" = 3600
    load http 20 10.96.0.10 80
    check "the same pod answers" is_at "$pod"
    check "affinity is taken away" lbctl service set "$HTTP_SERVICE" --affinity 0
    load http 100 10.96.0.10 80
    check "all pods answer" serve 3
}

test_kubernetes() {
    sed 's/10\.96\.0\.10"/10.96.0.77"/' "$HERE/../../docs/examples/kubernetes-list.json" \
        >"$WORK/list.json"
    check "kubectl's list is applied" lbctl apply "$WORK/list.json"
    check "ClientIP becomes affinity" lbctl_says \
        '.affinity_seconds == 600 and .algorithm == "maglev"' service show 10.96.0.77:80
    check "None does not" lbctl_says '.affinity_seconds == 0' service show 10.96.0.1:443
}

test_limits() {
    check "a day is the most" fails lbctl service set "$HTTP_SERVICE" --affinity 86401
    check "which is taken" lbctl service set "$HTTP_SERVICE" --affinity 86400
    check "the map holds as many clients as are asked for" test 65536 = \
        "$(bpftool -j map show pinned "$PIN/map/affinity" | jq .max_entries)"
}

make_topology
check "lbd starts" node_lbd
check "services are added" add_services
test_service "$HTTP_SERVICE" http 10.96.0.10 80 8080
test_service "$HTTP_SERVICE6" http fd00:96::10 80 8080
test_service "$UDP_SERVICE" udp 10.96.0.10 53 8053
test_service "$UDP_SERVICE6" udp fd00:96::10 53 8053
test_timeout
test_restart
test_kubernetes
test_limits
finish
