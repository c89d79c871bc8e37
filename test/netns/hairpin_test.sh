#!/bin/bash
# A pod calls a service that it is a backend of: when it is picked itself, it gets its own answer.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

none_failed() {
    says "$1" '.failures == 0 and (.backends | length) == 3'
}

request_from_a_backend() { # ADDRESS
    check "requests of pod-a through $1 are made" \
        http_load "$WORK/http.json" pod-a -n 300 -c 10 "$1" 80
    check "none through $1 fails, pod-a serves some itself" none_failed "$WORK/http.json"
    check "pod-a is connected to nothing but $1" says "$WORK/http.json" \
        '.peers | keys == ["'"$1"':80"]'
}

sees_the_hairpin_source() { # ADDRESS SOURCE
    inside pod-a curl -s -m 2 -o /dev/null "http://$1/" || return
    http_load "$WORK/one.json" pod-a -n 20 -c 1 "${1//[\[\]]/}" 80
    says "$WORK/one.json" '.clients | keys == ["'"$2"'"]'
}

make_topology
check "lbd becomes ready" node_lbd
check "services over IPv4 and IPv6 are added and resolved" add_services
request_from_a_backend 10.96.0.10
request_from_a_backend fd00:96::10
check "a service of pod-a alone is added" lbctl service add 10.96.0.20:80 --backend 10.1.0.11:8080
check "and one over IPv6" lbctl service add '[fd00:96::20]:80' --backend '[fd00:1::11]:8080'
check "pod-a sees itself as 169.254.42.1" sees_the_hairpin_source 10.96.0.20 169.254.42.1
check "pod-a sees itself as fd6c:6264::1" sees_the_hairpin_source '[fd00:96::20]' fd6c:6264::1
finish
