#!/bin/bash
# The main job over TCP: requests to a service from outside and from a pod, over both families, are
# all answered, evenly by its backends, and nobody sees a backend's address.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

# Packets that carry a pod's address must not reach the client; ARP and ND may name it.
watch_client() {
    spawn watch client tcpdump -l -nn -i eth0 'ip net 10.1.0.0/24 or ip6 net fd00:1::/64'
    WATCH_PID=${PIDS[-1]}
    within 5 grep -q 'listening on' "$WORK/watch.log"
}

saw_no_pod_address() {
    kill -INT "$WATCH_PID"
    wait "$WATCH_PID" 2>/dev/null
    cat "$WORK/watch.log"
    grep -q '^0 packets captured' "$WORK/watch.log"
}

none_failed() {
    says "$1" '.failures == 0 and .requests == '"$2"
}

is_even() {
    says "$1" '.requests as $n | (.backends | length) == 3 and
               all(.backends[]; . >= 0.25 * $n and . <= 0.42 * $n)'
}

request_from() { # NAME ADDRESS CLIENT-ADDRESS REQUESTS
    local file=$WORK/http.json from="$1 through $2"
    check "$4 requests from $from are made" http_load "$file" "$1" -n "$4" -c 20 "$2" 80
    check "none of the requests from $from fails" none_failed "$file" "$4"
    check "each backend serves 25%–42% of those from $from" is_even "$file"
    check "no packet of those from $from was lost" says "$file" '.slowest_ms < 900'
    check "clients are connected to nothing but $2" says "$file" '.peers | keys == ["'"$2"':80"]'
    check "the backends see the address of $1" says "$file" '.clients | keys == ["'"$3"'"]'
}

serve_all() { # REQUESTS
    check "lbd becomes ready ($LBD_ENTER)" node_lbd
    check "services over IPv4 and IPv6 are added and resolved" add_services
    watch_client
    request_from client 10.96.0.10 192.0.2.2 "$1"
    request_from client fd00:96::10 2001:db8::2 "$1"
    request_from pod-x 10.96.0.10 10.1.0.20 "$1"
    request_from pod-x fd00:96::10 fd00:1::20 "$1"
    check "no packet with a pod's address reached the client" saw_no_pod_address
}

# A port of the client that is used again at once may still be the same connection: 1 of 1,000.
count_is_kept() {
    lbctl_says '(.services[] | select(.service == "10.96.0.10:80/tcp") | .connections) as $n |
        $n >= 1998 and $n <= 2000 and .verdicts.redirect.packets > 0' stats
}

make_topology
add_pod x 20

serve_all 1000
check "each connection was counted once" count_is_kept
check "a backend's connections add up to the service's" lbctl_says \
    '[.backends[].connections] | add >= 1998 and add <= 2000' backend list "$HTTP_SERVICE"

lbd_forget
LBD_ENTER=netns-exec
PIN=/sys/fs/bpf/$PREFIX # hidden by `ip netns exec`: lbd mounts a bpffs there itself
serve_all 600

finish
