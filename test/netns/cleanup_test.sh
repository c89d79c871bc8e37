#!/bin/bash
# The end of the datapath: not with lbd unless --detach-on-exit says so, and all of it by --cleanup.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

lbd_cleanup() {
    lbd_launch --cleanup
    wait "$LBD_PID"
    local status=$?
    LBD_PID=
    return "$status"
}

all_are_bare() {
    is_bare uplink0 && is_bare veth-a && is_bare veth-b && is_bare veth-c
}

test_detach() {
    check "lbd becomes ready" node_lbd --detach-on-exit
    check "a service is added" lbctl service add "$HTTP_SERVICE" --backend 10.1.0.11:8080
    check "and answers" within 5 answers client "$HTTP_SERVICE"
    lbd_kill KILL
    check "killed with --detach-on-exit, it leaves the datapath" answers client "$HTTP_SERVICE"
    check "which the next lbd adopts" node_lbd --detach-on-exit
    lbd_kill TERM
    check "ended, it takes its programs along" within 2 all_are_bare
    check "and its pins" fails test -e "$PIN"
}

test_cleanup() {
    check "lbd becomes ready from its state" node_lbd
    check "the service answers" within 5 answers client "$HTTP_SERVICE"
    check "with an lbd there, --cleanup is refused" \
        fails "${LBD_AS[@]}" "$LBD" --cleanup --socket "$SOCKET" --pin "$PIN" --state "$STATE"
    check "nor does it help to name another socket" \
        fails "${LBD_AS[@]}" "$LBD" --cleanup --socket "$SOCKET.2" --pin "$PIN" \
        --state "$STATE"
    check "and nothing is gone" answers client "$HTTP_SERVICE"
    lbd_kill TERM
    check "without, the datapath goes on" answers client "$HTTP_SERVICE"
    check "until --cleanup" lbd_cleanup
    check "removes every program" within 2 all_are_bare
    check "every pin" fails test -e "$PIN"
    check "and the socket" fails test -e "$SOCKET"
    check "twice does no harm" lbd_cleanup
    check "and says so" grep -q event=nothing-to-remove "$LBD_LOG"
    check "the state is still there for the next lbd" node_lbd
    check "whose service answers" within 5 answers client "$HTTP_SERVICE"
}

make_topology
test_detach
test_cleanup
finish
