#!/bin/bash
# lbd under `ip netns exec`, which hides the machine's bpffs: what it pins outlives it nevertheless,
# so traffic goes on when it is killed and the next lbd finds everything as it was.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

ids() {
    lbctl -o json service list | jq -c '[.services[] | [.address, .port, .id]] | sort'
}

none_failed() {
    http_load "$WORK/http.json" client -n 200 -c 10 "$1" 80
    says "$WORK/http.json" '.failures == 0 and (.backends | length) == 3'
}

make_topology
LBD_ENTER=netns-exec
run_as_root # mounting a bpffs takes it
PIN=/sys/fs/bpf/$PREFIX
check "lbd becomes ready" node_lbd
check "its pins are outside of its mount namespace" \
    test -e "$PIN/program/lb" -a -e "$PIN/link/uplink0"
check "services over IPv4 and IPv6 are added and resolved" add_services
before=$(ids)
lbd_kill KILL
check "without lbd no request over IPv4 fails" none_failed 10.96.0.10
check "nor over IPv6" none_failed fd00:96::10
check "a new lbd becomes ready" node_lbd
check "services keep their ids" test "$before" = "$(ids)"
check "no request over IPv4 fails" none_failed 10.96.0.10
check "nor over IPv6 with the new one" none_failed fd00:96::10
finish
