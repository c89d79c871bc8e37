#!/bin/bash
# ping of a service's address: answered by lbd's programs, whether the client is elsewhere or a pod,
# as long as any port of the address is served; where the node has the address, by its kernel.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

pings() { # NAME OPTION… ADDRESS
    local name=$1
    shift
    inside "$name" ping -n -c 3 -i 0.05 -W 1 "$@"
}

echoes() { # how many were answered by us
    lbctl -o json stats | jq '.verdicts["answer-echo"].packets // 0'
}

are_ours() { # NAME OPTION… ADDRESS
    local before
    before=$(echoes)
    pings "$@" && [ "$(($(echoes) - before))" = 3 ]
}

are_the_kernels() { # NAME ADDRESS
    local before
    before=$(echoes)
    pings "$@" && [ "$(echoes)" = "$before" ]
}

own() { # add|del ADDRESS/LENGTH
    inside node ip address "$1" "$2" dev lo
}

# While lbd is killed and comes back; pings are sent for 3 seconds at least.
restarts_lose_no_ping() { # ADDRESS
    inside client ping -q -n -c 1500 -i 0.002 -W 1 "$1" >"$WORK/ping" &
    local pinging=$!
    for _ in 1 2; do
        sleep 0.3
        lbd_kill KILL
        node_lbd || return
    done
    wait "$pinging"
    grep ' 0% packet loss' "$WORK/ping" || { cat "$WORK/ping"; return 1; }
}

make_topology
check "lbd becomes ready" node_lbd
check "services over IPv4 and IPv6 are added" add_services
for address in 10.96.0.10 fd00:96::10; do
    check "a client pings $address" are_ours client "$address"
    check "a pod pings $address" are_ours pod-a "$address"
    check "a large packet comes back from $address" are_ours client -M 'do' -s 1400 "$address"
    check "one that fills the link, too" are_ours client -M 'do' \
        -s "$([[ $address = *:* ]] && echo 1452 || echo 1472)" "$address"
    check "an odd one, too" are_ours client -s 57 "$address"
done
check "a record of the route does not come back" are_ours client -R 10.96.0.10
check "no ping of 10.96.0.10 is lost while lbd restarts" restarts_lose_no_ping 10.96.0.10
check "nor of fd00:96::10" restarts_lose_no_ping fd00:96::10
check "nobody answers for 10.96.0.99" fails pings client 10.96.0.99
check "nor for fd00:96::99" fails pings client fd00:96::99

for prefix in 10.96.0.10/32 fd00:96::10/128; do
    address=${prefix%/*}
    check "the node gets $address" own add "$prefix"
    check "then its kernel answers" within 3 are_the_kernels client "$address"
    lbd_kill KILL
    check "lbd comes back" node_lbd
    check "and the kernel answers still" are_the_kernels client "$address"
    check "the node loses $address" own del "$prefix"
    check "and we answer again" within 3 are_ours client "$address"
done

lbd_kill KILL
check "without lbd a client pings 10.96.0.10" pings client 10.96.0.10
check "and fd00:96::10" pings client fd00:96::10
check "lbd becomes ready again" node_lbd
check "one of two services of 10.96.0.10 goes" lbctl service del "$HTTP_SERVICE"
check "it is still answered for" are_ours client 10.96.0.10
check "the other goes" lbctl service del "$UDP_SERVICE"
check "nobody answers any more" fails pings client 10.96.0.10
check "but for fd00:96::10" are_ours client fd00:96::10
finish
