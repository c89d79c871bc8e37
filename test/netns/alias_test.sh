#!/bin/bash
# One port of a client and three services that have the same backend, and no other: every
# connection works, by TCP and UDP, over both families, and no answer comes as from another service.
# The backend tells them apart by source ports that lbd gives.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

ROUNDS=50
[ "${SHORT:-0}" = 1 ] && ROUNDS=10
IPV4=(10.96.0.31 10.96.0.32 10.96.0.33)
IPV6=(fd00:96::31 fd00:96::32 fd00:96::33)

add_sharing_services() {
    local address
    for address in "${IPV4[@]}"; do
        lbctl service add "$address:80" --backend 10.1.0.11:8080 &&
        lbctl service add "$address:53/udp" --backend 10.1.0.11:8053 || return
    done
    for address in "${IPV6[@]}"; do
        lbctl service add "[$address]:80" --backend '[fd00:1::11]:8080' &&
        lbctl service add "[$address]:53/udp" --backend '[fd00:1::11]:8053' || return
    done
    wait_resolved
}

ask_all() { # NAME PORT ADDRESS…
    local name=$1 port=$2
    shift 2
    inside "$name" "$PYTHON" "$HERE/one_port.py" "$port" "$ROUNDS" "$@"
}

# Over both families at the same time.
ask_all_at_once() { # NAME PORT
    local pid status=0
    ask_all "$1" "$2" "${IPV4[@]}" &
    pid=$!
    ask_all "$1" "$2" "${IPV6[@]}" || status=1
    wait "$pid" || status=1
    return "$status"
}

has_aliases() { # PORT COUNT
    lbctl_says '[.connections[] | select(.client | endswith(":'"$1"'")) | .alias_port] |
        (map(select(. == null)) | length) == 4 and (map(select(.)) | length) == '"$2" \
        connection list
}

aliases() {
    lbctl -o json connection list | jq -c '[.connections[] |
        select(.alias_port and .protocol == "udp") |
        [.client, .service, .alias_port]] | sort'
}

keeps_aliases_over_a_restart() {
    local before
    before=$(aliases)
    lbd_kill KILL
    node_lbd && [ "$before" != "[]" ] && [ "$(aliases)" = "$before" ]
}

make_topology
check "lbd becomes ready" node_lbd
check "three services of each kind have one backend" add_sharing_services
for port in 40000 40001 1023 300; do
    check "port $port of the client talks to all of them at once" ask_all_at_once client "$port"
    check "and two of each three have an alias" has_aliases "$port" 8
done
check "a port of the pod that is the backend does, too" ask_all_at_once pod-a 40002
check "lbd is killed, and another finds the aliases as they were" \
    keeps_aliases_over_a_restart
check "port 40000 goes on" ask_all_at_once client 40000
check "nothing has collided" lbctl_says '.verdicts["drop-collision"].packets == 0' stats
finish
