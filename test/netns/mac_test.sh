#!/bin/bash
# A backend's MAC address changes, because its veth was made anew or because it says so: traffic
# goes on within a second and nobody restarts anything.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"


mac_of_pod_is_known() {
    local mac
    mac=$(inside pod-a ip -j link show dev eth0 | jq -r '.[0].address')
    lbctl_says '[.neighbours[] | select(.address == "10.1.0.11" or .address == "fd00:1::11") |
        .mac] | length == 2 and all(.[]; . == "'"$mac"'")' neighbour list
}

answers_again() { # ADDRESS:PORT, within a second of now
    local start=${EPOCHREALTIME/./}
    within 1 answers client "$1"
    local status=$?
    echo "# answered again after $(((${EPOCHREALTIME/./} - start) / 1000)) ms" >&3
    return "$status"
}

test_veth_made_anew() { # ROUND
    local pid=$LBD_PID
    disconnect_pod a
    sleep 0.3
    connect_pod a 11
    check "round $1: IPv4 traffic flows within 1 s of the new veth" answers_again 10.96.0.20:80
    check "round $1: IPv6 traffic flows too" answers_again '[fd00:96::20]:80'
    check "round $1: the new MAC address is listed" within 1 mac_of_pod_is_known
    check "round $1: it is the same lbd" test "$pid" = "$LBD_PID" -a -d "/proc/$pid"
}

test_announced_change() {
    inside pod-a ip link set dev eth0 address 02:00:00:00:0a:99
    inside pod-a arping -q -U -c 1 -I eth0 10.1.0.11
    check "a MAC address announced by gratuitous ARP is used within 1 s" \
        answers_again 10.96.0.20:80
}

test_others_were_not_disturbed() {
    wait_load "$LOAD_PID"
    check "downloads from the other backends went on" says "$WORK/trickle.json" '.failures == 0'
    http_load "$WORK/http.json" client -n 300 -c 10 10.96.0.10 80
    check "all three backends serve" says "$WORK/http.json" \
        '.failures == 0 and (.backends | length) == 3'
}

exec 3>&1
make_topology
check "lbd becomes ready" node_lbd
check "services over IPv4 and IPv6 are added and resolved" add_services
check "a service of pod-a alone is added" lbctl service add 10.96.0.20:80 --backend 10.1.0.11:8080
check "and one over IPv6" lbctl service add '[fd00:96::20]:80' --backend '[fd00:1::11]:8080'
check "and one of the others" lbctl service add 10.96.0.21:80 \
    --backend 10.1.0.12:8080 --backend 10.1.0.13:8080
check "their next hops are known" wait_resolved
check "pod-a answers" answers client 10.96.0.20:80
check "its MAC address is listed" mac_of_pod_is_known

trickle_start 8 10 10.96.0.21
for round in 1 2 3; do
    test_veth_made_anew "$round"
done
if command -v arping >/dev/null; then
    test_announced_change
else
    skip "a MAC address announced by gratuitous ARP is used" "arping is not installed"
fi
test_others_were_not_disturbed

finish
