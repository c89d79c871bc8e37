#!/bin/bash
# Backends come and go under traffic: a new one is used by the next connections, a removed one gets
# no new one, and whoever is connected to another backend notices nothing.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

SECONDS_LONG=$([ -n "${SHORT:-}" ] && echo 15 || echo 60)

served_by() { # FILE POD…, exactly these and no failure
    local file=$1
    shift
    says "$file" '.failures == 0 and (.backends | keys | join(" ")) == "'"$*"'"'
}

requests() { # COUNT [ADDRESS]
    http_load "$WORK/http.json" client -n "$1" -c 10 "${2:-10.96.0.10}" 80
}

test_one_comes_and_goes() {
    check "a service of two backends is added" lbctl service add "$HTTP_SERVICE" \
        --backend 10.1.0.11:8080 --backend 10.1.0.12:8080
    check "their next hops are known" wait_resolved
    requests 100
    check "both serve" served_by "$WORK/http.json" pod-a pod-b

    check "a third backend is added" lbctl backend add "$HTTP_SERVICE" 10.1.0.13:8080
    check "its next hop is known" wait_resolved
    requests 100
    check "the next connections use it" served_by "$WORK/http.json" pod-a pod-b pod-c
    check "it is listed" lbctl_says '[.backends[].address] | sort ==
        ["10.1.0.11", "10.1.0.12", "10.1.0.13"]' backend list "$HTTP_SERVICE"

    check "the first backend is removed" lbctl backend del "$HTTP_SERVICE" 10.1.0.11:8080
    requests 300
    check "it gets no new connection" served_by "$WORK/http.json" pod-b pod-c
    check "it is added again" lbctl backend add "$HTTP_SERVICE" 10.1.0.11:8080
    requests 200
    check "all three serve" served_by "$WORK/http.json" pod-a pod-b pod-c
}

test_states() {
    trickle_start 30 4
    check "a backend is set to draining" lbctl backend set "$HTTP_SERVICE" 10.1.0.11:8080 \
        --state draining
    requests 200
    check "it gets no new connection" served_by "$WORK/http.json" pod-b pod-c
    wait_load "$LOAD_PID"
    check "it keeps those it has" served_by "$WORK/trickle.json" pod-a pod-b pod-c
    check "it is set to down" lbctl backend set "$HTTP_SERVICE" 10.1.0.11:8080 --state down
    requests 200
    check "it still gets none" served_by "$WORK/http.json" pod-b pod-c
    check "it is set to active" lbctl backend set "$HTTP_SERVICE" 10.1.0.11:8080 --state active
    requests 200
    check "it serves again" served_by "$WORK/http.json" pod-a pod-b pod-c
    check "weight 0 is accepted" lbctl backend set "$HTTP_SERVICE" 10.1.0.12:8080 --weight 0
    requests 200
    check "weight 0 gets no new connection" served_by "$WORK/http.json" pod-a pod-c
    check "weight 4 is accepted" lbctl backend set "$HTTP_SERVICE" 10.1.0.12:8080 --weight 4
    requests 600
    check "weight 4 of 6 gets about two thirds" says "$WORK/http.json" \
        '.failures == 0 and .backends["pod-b"] >= 340 and .backends["pod-b"] <= 460'
    check "weight 1 is accepted" lbctl backend set "$HTTP_SERVICE" 10.1.0.12:8080 --weight 1
}

flap() { # removes and adds the third backend until the time is over, half a second each
    local end=$((SECONDS + SECONDS_LONG)) changes=0
    while [ "$SECONDS" -lt "$end" ]; do
        lbctl backend del "$HTTP_SERVICE" 10.1.0.13:8080 &&
        sleep 0.4 &&
        lbctl backend add "$HTTP_SERVICE" 10.1.0.13:8080 &&
        sleep 0.4 || return
        changes=$((changes + 2))
    done
    echo "$changes changes"
    [ "$changes" -ge "$SECONDS_LONG" ]
}

# Downloads that are with the third backend when it goes are its own; all others must go on.
test_flapping() {
    local trickle new
    check "backend c is removed" lbctl backend del "$HTTP_SERVICE" 10.1.0.13:8080
    trickle_start 30 "$SECONDS_LONG"
    trickle=$LOAD_PID
    http_load_start "$WORK/new.json" client -t "$SECONDS_LONG" -c 2 --pause 0.02 --timeout 3 \
        10.96.0.10 80
    new=$LOAD_PID
    check "backend c is added" lbctl backend add "$HTTP_SERVICE" 10.1.0.13:8080
    check "it comes and goes for $SECONDS_LONG s" flap
    wait_load "$trickle"
    wait_load "$new"
    check "no download through the other two broke in $SECONDS_LONG s" served_by \
        "$WORK/trickle.json" pod-a pod-b
    check "new connections were served meanwhile, some by the one that comes and goes" says \
        "$WORK/new.json" '(.backends | keys) == ["pod-a", "pod-b", "pod-c"] and
        all(.broken | keys[]; . == "pod-c") and .failures <= 0.02 * .requests'
}

test_services_come_and_go() {
    trickle_start 6 5
    local i
    for i in 1 2 3 4 5; do
        check "service $i is added" lbctl service add "10.96.0.2$i:80" --backend 10.1.0.11:8080
        requests 20 "10.96.0.2$i"
        check "service $i serves" served_by "$WORK/http.json" pod-a
        check "service $i is removed" lbctl service del "10.96.0.2$i:80"
        check "service $i answers no more" fails answers client "10.96.0.2$i:80"
    done
    wait_load "$LOAD_PID"
    check "no download through another service broke" says "$WORK/trickle.json" '.failures == 0'
    check "a service without backends is accepted" lbctl service add 10.96.0.30:80
    check "and answers nobody" fails answers client 10.96.0.30:80
}

make_topology
check "lbd becomes ready" node_lbd
test_one_comes_and_goes
test_states
test_flapping
test_services_come_and_go

finish
