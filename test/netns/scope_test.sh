#!/bin/bash
# Two services of one address: clients inside of the cluster get one, those outside the other; and
# what has no backend is dropped in silence where it is to be. Over both families, and a new lbd
# keeps to it.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

CLUSTER=(--cluster-cidr 10.1.0.0/24 --cluster-cidr fd00:1::/64)

# Those inside get pod-a; those outside the backends given.
write_tables() { # BACKEND BACKEND6 (JSON lists)
    cat <<JSON
{"services": [
  {"address": "10.96.0.10", "port": 80, "clients": "inside",
   "backends": [{"address": "10.1.0.11", "port": 8080}]},
  {"address": "fd00:96::10", "port": 80, "clients": "inside",
   "backends": [{"address": "fd00:1::11", "port": 8080}]},
  {"address": "10.96.0.10", "port": 80, "clients": "outside", "unserved": "drop", "backends": $1},
  {"address": "fd00:96::10", "port": 80, "clients": "outside", "unserved": "drop", "backends": $2}
]}
JSON
}

apply() { # BACKEND BACKEND6
    write_tables "$@" >"$WORK/tables.json"
    chmod 644 "$WORK/tables.json"
    lbctl apply "$WORK/tables.json" && wait_resolved
}

gets() { # NAME ADDRESS POD
    inside "$1" curl -s -m 1 "http://$2/" | tee "$WORK/answer" | grep -q "$3"
}

# curl's exit status 28: nobody said anything.
hears_nothing() { # NAME ADDRESS
    inside "$1" curl -s -m 0.5 -o /dev/null "http://$2/"
    test $? = 28
}

unserved() {
    lbctl -o json stats | jq '.verdicts["drop-unserved"].packets // 0'
}

test_scopes() {
    local address
    for address in 10.96.0.10 '[fd00:96::10]'; do
        check "a pod gets the service for those inside: $address" gets pod-x "$address:80" pod-a
        check "the client gets the other one: $address" gets client "$address:80" pod-b
    done
}

test_silence() {
    local address before
    before=$(unserved)
    for address in 10.96.0.10 '[fd00:96::10]'; do
        check "the client hears nothing: $address" hears_nothing client "$address:80"
        check "a pod is served: $address" gets pod-x "$address:80" pod-a
    done
    check "the packets are counted" test "$(unserved)" -gt "$before"
}

make_topology
add_pod x 20
check "a prefix with host bits is refused" lbd_refuses cluster-cidr --cluster-cidr 10.1.0.1/24
check "lbd starts" node_lbd "${CLUSTER[@]}"
check "services for both are brought" apply '[{"address": "10.1.0.12", "port": 8080}]' \
    '[{"address": "fd00:1::12", "port": 8080}]'
test_scopes
lbd_kill KILL
check "a pod is inside without lbd" gets pod-x 10.96.0.10:80 pod-a
check "lbd comes back" node_lbd "${CLUSTER[@]}"
test_scopes
check "nothing had to be repaired" lbctl_says '.repaired == 0' status
check "those outside have no backend any more" apply '[]' '[]'
test_silence
lbd_kill KILL
check "lbd comes back without a cluster" node_lbd
check "a pod is outside now" hears_nothing pod-x 10.96.0.10:80
finish
