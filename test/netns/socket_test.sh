#!/bin/bash
# Clients on the node: what processes of the node ask of a service is led to a backend by their
# sockets, with no program on any interface. Those of pods with --socket-lb all.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"
. "$HERE/_cgroup.sh"

PROGRAMS=9

probe() { # NAME WORD…
    local name=$1
    shift
    inside "$name" "$PYTHON" "$HERE/socket_probe.py" "$@" >"$WORK/probe.json" &&
        cat "$WORK/probe.json"
}

probe_says() { # EXPRESSION NAME WORD…
    local expression=$1
    shift
    probe "$@" && says "$WORK/probe.json" "$expression"
}

attached() { # programs for sockets on our cgroup
    bpftool -j cgroup show "$CGROUP" | jq -s 'add | length'
}

# ---- the node's own processes

test_host() {
    local address name
    check "lbd becomes ready" node_lbd_bare --socket-lb host-only --cgroup "$CGROUP"
    check "services over IPv4 and IPv6 are added" add_services
    check "lbd says what is attached" lbctl_says '.sockets == {"mode": "host-only",
        "wanted": '$PROGRAMS', "attached": '$PROGRAMS'}' status
    check "so does the kernel" test "$(attached)" = $PROGRAMS
    check "no interface has a program" is_bare uplink0
    check "curl reaches a service" within 5 answers node "$HTTP_SERVICE"
    check "over IPv6, too" within 5 answers node "$HTTP_SERVICE6"
    for address in 10.96.0.10 fd00:96::10; do
        name="$address"
        http_load "$WORK/http.json" node -n 300 -c 4 "$address" 80
        check "300 requests to $name are spread over three backends" says "$WORK/http.json" \
            '.failures == 0 and (.backends | length) == 3 and all(.backends[]; . > 50)'
        check "the peer of a connection is $name" probe_says '.peer == "'"$address"':80"' \
            node tcp "$address" 80
        check "answers to an unconnected UDP socket are from $name, of one backend" \
            probe_says '.sources == ["'"$address"':53"] and (.backends | length) == 1' \
            node udp -n 20 "$address" 53
        check "so are those to a connected one, which has that peer" probe_says \
            '.sources == ["'"$address"':53"] and .peer == "'"$address"':53"' \
            node udp --connect -n 3 "$address" 53
        udp_load "$WORK/udp.json" node -n 200 "$address" 53
        check "200 sockets are spread over three backends" says "$WORK/udp.json" \
            '.lost == 0 and .stray == 0 and (.backends | length) == 3'
    done
    check "connections are counted" lbctl_says '[.backends[].connections] | add > 600' backend list
}

test_mapped() {
    check "an IPv6 socket reaches IPv4 by a mapped address" probe_says \
        '.peer == "10.96.0.10:80" and .whole' node tcp --mapped 10.96.0.10 80
    check "so does an unconnected UDP socket" probe_says '.sources == ["10.96.0.10:53"]' \
        node udp --mapped 10.96.0.10 53
    check "and a connected one" probe_says '.peer == "10.96.0.10:53"' \
        node udp --mapped --connect 10.96.0.10 53
}

test_others() {
    check "what is no service is reached as ever" probe_says '.peer == "10.1.0.11:8080"' \
        node tcp 10.1.0.11 8080
    check "also by UDP" probe_says '.sources == ["10.1.0.11:8053"]' node udp 10.1.0.11 8053
    check "pods are not led under host-only" probe_says '.error != null' \
        pod-a refused --timeout 0.5 10.96.0.10 80
}

# Of so many requests from new sockets, how many backends.
backends_of() { # NAME ADDRESS
    http_load "$WORK/http.json" "$1" -n 40 -c 1 "$2" 80
    jq '.backends | length' "$WORK/http.json"
}

backend_of() { # NAME
    probe "$1" tcp 10.96.0.10 80 | jq -r .backend
}

test_choice() {
    check "affinity is set" lbctl service set "$HTTP_SERVICE" --affinity 60
    check "a client then stays with one backend" test "$(backends_of node 10.96.0.10)" = 1
    check "and goes elsewhere when that drains" drains_away
    check "affinity is taken back" lbctl service set "$HTTP_SERVICE" --affinity 0
    for algorithm in random round-robin; do
        check "the algorithm is set to $algorithm" \
            lbctl service set "$HTTP_SERVICE" --algorithm "$algorithm"
        check "$algorithm reaches three" test "$(backends_of node 10.96.0.10)" = 3
    done
    check "the algorithm is set to source-hash" \
        lbctl service set "$HTTP_SERVICE" --algorithm source-hash
    check "source-hash keeps the node at one" test "$(backends_of node 10.96.0.10)" = 1
    check "the algorithm is maglev again" lbctl service set "$HTTP_SERVICE" --algorithm maglev
}

pod_address() { # pod-NAME
    echo "10.1.0.$((11 + $(printf '%d' "'${1#pod-}") - 97))"
}

drains_away() {
    local first second
    first=$(backend_of node)
    lbctl backend set "$HTTP_SERVICE" "$(pod_address "$first"):8080" --state draining || return
    second=$(backend_of node)
    lbctl backend set "$HTTP_SERVICE" "$(pod_address "$first"):8080" --state active
    echo "$first, then $second"
    [ "$first" != "$second" ] && [ "$(backend_of node)" = "$second" ]
}

test_refused() {
    check "a service without backends is added" lbctl service add 10.96.0.20:80
    check "and one of UDP" lbctl service add 10.96.0.20:53/udp
    check "connect() to it is refused at once" probe_says '.error == "ECONNREFUSED" and .ms < 50' \
        node refused 10.96.0.20 80
    check "so is sendto()" probe_says '.error == "ECONNREFUSED" and .ms < 50' \
        node refused --udp 10.96.0.20 53
    check "it is counted" lbctl_says '.services[0].request.packets > 0' stats 10.96.0.20:80
}

# ---- backends that go

# The backend that a connected UDP socket of NAME has is taken away by lbctl COMMAND…; what becomes
# of the socket is in $WORK/stay.json.
THEN=()
take_away() { # NAME COMMAND…, behind the backend what is in AFTER
    local name=$1 stay backend
    shift
    rm -f "$WORK/stay.backends"
    probe "$name" stay "${THEN[@]}" --seconds 2.5 10.96.0.10 53 \
        >"$WORK/stay.json" 2>"$WORK/stay.backends" &
    stay=$!
    within 10 test -s "$WORK/stay.backends"
    backend=$(head -n 1 "$WORK/stay.backends")
    lbctl "$@" "$UDP_SERVICE" "$(pod_address "$backend"):8053" "${AFTER[@]}"
    wait "$stay" || rm "$WORK/stay.json"
}

# A socket that was not waiting just then learns of it when it sends.
is_told_and_goes_elsewhere() {
    says "$WORK/stay.json" '(.told == ["ECONNABORTED"] or .told == ["EDESTADDRREQ"]) and
                            (.backends | length) == 2'
}

test_lost() { # NAME
    AFTER=(--state down)
    take_away "$1" backend set
    check "a connected UDP socket of $1 is ended when its backend goes down, and goes elsewhere" \
        is_told_and_goes_elsewhere
    lbctl backend set "$UDP_SERVICE" "$(pod_address "$(jq -r '.backends[0]' \
        "$WORK/stay.json")"):8053" --state active
    AFTER=(--state draining)
    take_away "$1" backend set
    check "not so when it drains" says "$WORK/stay.json" \
        '.told == [] and (.backends | length) == 1'
    AFTER=(--state down)
    THEN=(--then 10.1.0.13:8053)
    take_away "$1" backend set
    check "nor when it talks to somebody else by then" says "$WORK/stay.json" '.told == []'
    lbctl backend set "$UDP_SERVICE" "$(pod_address "$(jq -r '.backends[0]' \
        "$WORK/stay.json")"):8053" --state active
    THEN=()
    AFTER=()
    take_away "$1" backend del
    check "but when it is removed" is_told_and_goes_elsewhere
    lbctl service del "$UDP_SERVICE"
    lbctl service add "$UDP_SERVICE" --backend 10.1.0.11:8053 --backend 10.1.0.12:8053 \
        --backend 10.1.0.13:8053
}

node_has_connection() {
    inside node ss -Htn state established dport = :8080 | grep -q .
}

test_tcp_stays() {
    local trickle
    probe node trickle --seconds 3 10.96.0.10 80 >"$WORK/trickle.out" &
    trickle=$!
    within 5 node_has_connection
    for address in 10.1.0.11 10.1.0.12; do
        lbctl backend set "$HTTP_SERVICE" "$address:8080" --state draining
    done
    lbctl backend del "$HTTP_SERVICE" 10.1.0.13:8080
    wait "$trickle" || rm "$WORK/trickle.out"
    check "TCP goes on, with a backend that drains or is removed" says "$WORK/trickle.out" .whole
    check "the backends are as before" lbctl backend add "$HTTP_SERVICE" 10.1.0.13:8080
    for address in 10.1.0.11 10.1.0.12; do
        lbctl backend set "$HTTP_SERVICE" "$address:8080" --state active
    done
}

# ---- from one lbd to the next

link_ids() {
    local pin
    for pin in "$PIN"/socket/*; do
        bpftool -j link show pinned "$pin" | jq -c '[.id, .attach_type]'
    done
}

program_ids() {
    bpftool -j cgroup show "$CGROUP" | jq -c 'map(.id) | sort'
}

restart_lbd() { # OPTION…
    lbd_kill KILL
    node_lbd_bare --cgroup "$CGROUP" "$@"
}

test_restart() {
    local trickle links programs
    links=$(link_ids)
    programs=$(program_ids)
    probe node trickle --seconds 4 10.96.0.10 80 >"$WORK/trickle.out" &
    trickle=$!
    lbd_kill KILL
    check "without lbd a service is reached" answers node "$HTTP_SERVICE"
    check "lbd becomes ready again" node_lbd_bare --socket-lb host-only --cgroup "$CGROUP"
    check "the links are the same" test "$(link_ids)" = "$links"
    check "and have other programs" fails test "$(program_ids)" = "$programs"
    check "one with other limits becomes ready" restart_lbd --socket-lb host-only \
        --max-services 5000 --max-backends 9000
    check "a service that is added then is reached" within 5 reaches_new 10.96.0.30
    check "the links are the same still" test "$(link_ids)" = "$links"
    wait "$trickle" || rm "$WORK/trickle.out"
    check "a connection never noticed" says "$WORK/trickle.out" \
        '.whole and .peer == "10.96.0.10:80"'
    check "nothing had to be repaired" lbctl_says '.repaired == 0' status
}

reaches_new() { # ADDRESS
    lbctl service add "$1:80" --backend 10.1.0.11:8080
    answers node "$1:80"
}

node_waits() { # for datagrams, by a socket that is not connected
    inside node ss -Huan | grep -q .
}

# Notes of sockets are theirs: an answer that comes after a restart is still from the service.
test_notes() {
    inside node "$PYTHON" "$HERE/socket_probe.py" late 10.96.0.10 53 \
        >"$WORK/late.json" <"$WORK/go" &
    local late=$!
    exec 3>"$WORK/go"
    within 5 node_waits
    check "lbd is restarted while a socket waits for its answer" restart_lbd --socket-lb host-only
    echo >&3
    exec 3>&-
    wait "$late" || rm "$WORK/late.json"
    check "which comes from the service" says "$WORK/late.json" '.sources == ["10.96.0.10:53"]'
}

test_tampering() {
    check "a link is detached" bpftool link detach pinned "$PIN/socket/connect4"
    check "which is put right" within 5 answers node "$HTTP_SERVICE"
    check "a pin is removed" rm "$PIN/socket/sendmsg4"
    check "which is put right" within 5 test -e "$PIN/socket/sendmsg4"
    check "all of them are" rm -r "$PIN/socket"
    check "which is put right, too" within 5 test -e "$PIN/socket/sock_release"
    check "all programs are attached again, once" within 2 test "$(attached)" = $PROGRAMS
    check "a map's pin is removed" rm "$PIN/map/udp_sockets"
    check "which is put right" within 5 test -e "$PIN/map/udp_sockets"
    check "and counted" lbctl_says '.repairs.links >= 11 and .repairs.pins >= 1' status
}

# ---- pods

test_pods() {
    inside node sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    check "lbd starts anew for pods, too" restart_lbd --socket-lb all
    check "a pod reaches a service" within 5 answers pod-a "$HTTP_SERVICE"
    check "over IPv6" within 5 answers pod-a "$HTTP_SERVICE6"
    http_load "$WORK/http.json" pod-b -n 200 -c 4 10.96.0.10 80
    check "and all its backends, itself among them" says "$WORK/http.json" \
        '.failures == 0 and (.backends | length) == 3'
    check "answers to its datagrams are from the service" probe_says \
        '.sources == ["10.96.0.10:53"]' pod-b udp -n 5 10.96.0.10 53
    check "affinity is set" lbctl service set "$HTTP_SERVICE" --affinity 60
    check "each pod stays with one backend" test \
        "$(backends_of pod-a 10.96.0.10) $(backends_of pod-b 10.96.0.10)" = "1 1"
    check "affinity is taken back" lbctl service set "$HTTP_SERVICE" --affinity 0
    check "the node reaches it as before" answers node "$HTTP_SERVICE"
}

# Packets that other programs see are of no service, so they let them pass.
test_beside_xdp() {
    check "lbd starts anew with programs on all interfaces as well" restart_lbd \
        --socket-lb all --interface uplink0 --interface 'veth-*'
    check "next hops are known" wait_resolved
    check "a pod reaches a service" within 5 answers pod-a "$HTTP_SERVICE"
    http_load "$WORK/http.json" pod-a -n 100 -c 4 10.96.0.10 80
    check "and all its backends" says "$WORK/http.json" \
        '.failures == 0 and (.backends | length) == 3'
    http_load "$WORK/http.json" node -n 100 -c 4 10.96.0.10 80
    check "so does the node" says "$WORK/http.json" \
        '.failures == 0 and (.backends | length) == 3'
    outside http_load "$WORK/http.json" client -n 100 -c 4 10.96.0.10 80
    check "and a client from outside, by packets" says "$WORK/http.json" \
        '.failures == 0 and (.backends | length) == 3'
}

# ---- the end

nothing_is_left() {
    [ "$(attached)" = 0 ] && ! [ -e "$PIN/socket" ]
}

test_end() {
    check "lbd starts anew with --socket-lb off" restart_lbd --socket-lb off
    check "which takes all programs off" within 2 nothing_is_left
    check "and says so" lbctl_says '.sockets == {"mode": "off", "wanted": 0, "attached": 0}' status
    lbd_kill TERM
    check "a mode that there is not is refused" lbd_refuses 'not off, host-only or all' \
        --socket-lb some
    check "so is a directory that is no cgroup" lbd_refuses 'not a directory of cgroup' \
        --socket-lb all --cgroup /tmp
    check "lbd starts with --detach-on-exit" restart_lbd --socket-lb all --detach-on-exit
    check "its programs are there" test "$(attached)" = $PROGRAMS
    lbd_kill TERM
    check "and gone with it" within 2 nothing_is_left
    check "it starts once more" restart_lbd --socket-lb host-only
    lbd_kill KILL
    check "its programs stay" test "$(attached)" = $PROGRAMS
    lbd_launch --cleanup
    wait "$LBD_PID"
    check "until --cleanup" within 2 nothing_is_left
}

if ! enter_cgroup 2>/dev/null; then
    skip "sockets are led to backends" "no cgroup of version 2 that may be changed"
    finish
fi
make_topology
test_host
test_mapped
test_others
test_choice
test_refused
test_lost node
test_tcp_stays
mkfifo "$WORK/go"
test_restart
test_notes
test_tampering
test_pods
test_lost pod-a
test_beside_xdp
test_end
finish
