#!/bin/bash
# UDP through a service: every request gets its answer, from the service's address and no other.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

all_answered() { # FILE PAIRS BACKENDS
    says "$1" '.lost == 0 and .stray == 0 and .damaged == 0 and
               ([.backends[]] | add) == '"$2"' and (.backends | length) == '"$3"
}

exchange() { # SENTENCE NAME BACKENDS OPTION… ADDRESS
    local sentence=$1 name=$2 backends=$3
    shift 3
    udp_load "$WORK/udp.json" "$name" -n 1000 "$@" 53
    check "$sentence" all_answered "$WORK/udp.json" 1000 "$backends"
}

add_sharing_services() {
    lbctl service add 10.96.0.11:53/udp --backend 10.1.0.11:8053 --backend 10.1.0.12:8053 \
        --backend 10.1.0.13:8053 &&
    lbctl service add '[fd00:96::11]:53/udp' --backend '[fd00:1::11]:8053' \
        --backend '[fd00:1::12]:8053' --backend '[fd00:1::13]:8053' &&
    wait_resolved
}

make_topology
add_pod x 20
check "lbd becomes ready" node_lbd
check "services over IPv4 and IPv6 are added and resolved" add_services

for address in 10.96.0.10 fd00:96::10; do
    exchange "1,000 pairs from new ports through $address: none lost or from a wrong address" \
        client 3 "$address"
    exchange "1,000 pairs from one port through $address stay with one backend" \
        client 1 --one-port "$address"
    exchange "1,000 pairs from a pod through $address: none lost or from a wrong address" \
        pod-x 3 "$address"
    exchange "1,000 pairs that fill the MTU through $address" client 3 --size 1440 "$address"
done

# The backend of both services could be the same one: then only its choice keeps the replies apart.
check "two more services share the backends" add_sharing_services
for port in 40001 40002 40003 40004; do
    for address in 10.96.0.10 10.96.0.11 10.96.0.10 fd00:96::10 fd00:96::11 fd00:96::10; do
        exchange "port $port to two services with the same backends: $address answers as itself" \
            client 1 --one-port --source-port "$port" "$address"
    done
done

check "the connections are counted" lbctl_says '.udp > 4000 and .connections >= .udp' \
    connection count

finish
