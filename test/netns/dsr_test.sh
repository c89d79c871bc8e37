#!/bin/bash
# Direct server return: a node that has no backend of a service sends its clients' packets in a
# tunnel to the node that has one, and that node answers the client by its own way. The backend sees
# the client's address. Over TCP and UDP and both families; with packets that are too big for the
# tunnel, restarts of either lbd, and tunnels of strangers.
#
#     client ── router ─┬─ uplink0 node   10.9.0.1  fd00:9::1: where clients' packets arrive
#     192.0.2.2         └─ uplink0 far    10.9.0.2  fd00:9::2 ── veth-p ── pod-p  10.2.0.21
#     2001:db8::2                                                                 fd00:2::21
#
# In generic mode no tunnel begins: node masquerades, as without.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

CLUSTER=(--cluster-cidr 10.2.0.0/24 --cluster-cidr fd00:2::/64)
FROM_NODE=(--dsr-from 10.9.0.1/32 --dsr-from fd00:9::1/128)
SIZE=$((${MEBIBYTES:-16} << 20))
FAR_PID=
TUNNEL_PORT=5353

# ---- the network

join() { # NAME ADDRESS ADDRESS6 INTERFACE, with a port of the router's bridge
    ip link add "$4" netns "$PREFIX-$1" type veth peer name "to-$1" netns "$PREFIX-router"
    inside router ip link set "to-$1" master "${5:-br0}" up
    inside "$1" ip address add "$2/24" dev "$4"
    inside "$1" ip address add "$3/64" dev "$4" nodad
    inside "$1" ip link set "$4" up
}

add_router() {
    add_namespace router
    inside router ip link add br0 type bridge
    inside router ip link add br1 type bridge
    inside router ip address add 10.9.0.254/24 dev br0
    inside router ip address add fd00:9::254/64 dev br0 nodad
    inside router ip address add 192.0.2.254/24 dev br1
    inside router ip address add 2001:db8::254/64 dev br1 nodad
    inside router ip link set br0 up
    inside router ip link set br1 up
    inside router sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
                         echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
    inside router ip route add 10.96.0.0/12 via 10.9.0.1
    inside router ip route add fd00:96::/112 via fd00:9::1
    inside router ip route add 10.2.0.0/24 via 10.9.0.2
    inside router ip route add fd00:2::/64 via fd00:9::2
}

add_far_pod() {
    add_namespace pod-p
    ip link add veth-p netns "$PREFIX-far" type veth peer name eth0 netns "$PREFIX-pod-p"
    inside far ip address add 10.2.0.1/32 dev veth-p
    inside far ip address add fd00:2::1/128 dev veth-p nodad
    inside far ip link set veth-p up
    inside far ip route add 10.2.0.21/32 dev veth-p
    inside far ip route add fd00:2::21/128 dev veth-p
    inside pod-p ip address add 10.2.0.21/32 dev eth0
    inside pod-p ip address add fd00:2::21/128 dev eth0 nodad
    inside pod-p ip link set eth0 up
    inside pod-p ip route add 10.2.0.1 dev eth0
    inside pod-p ip route add default via 10.2.0.1
    inside pod-p ip route add fd00:2::1 dev eth0
    inside pod-p ip route add default via fd00:2::1
    start_servers p
    within 10 is_listening pod-p 8080 || fail "the web server of pod-p starts"
}

make_network() {
    local name
    add_router
    for name in client node far; do
        add_namespace "$name"
    done
    join client 192.0.2.2 2001:db8::2 eth0 br1
    join node 10.9.0.1 fd00:9::1 uplink0
    join far 10.9.0.2 fd00:9::2 uplink0
    inside client ip route add default via 192.0.2.254
    inside client ip route add default via 2001:db8::254
    for name in node far; do
        inside "$name" ip route add default via 10.9.0.254
        inside "$name" ip route add default via fd00:9::254
    done
    inside node ip route add 10.2.0.0/24 via 10.9.0.2
    inside node ip route add fd00:2::/64 via fd00:9::2
    # Else far is not asked for its way to the client.
    inside far sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
                      echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
    inside far ping -q -c 1 10.9.0.254 >/dev/null
    inside far ping -q -c 1 fd00:9::254 >/dev/null
    add_far_pod
}

# ---- the other lbd

# The words that are about an lbd, about that of far.
on_far() { # COMMAND…
    local LBD_IN=far LBD_PID=$FAR_PID LBD_LOG=$WORK/lbd.far.log PIN=$WORK/bpf/far
    local SOCKET=$WORK/run/far.sock STATE=$WORK/state/far.json status
    "$@"
    status=$?
    FAR_PID=$LBD_PID
    [ -z "$FAR_PID" ] || PIDS+=("$FAR_PID")
    return "$status"
}

start_node() { # OPTION…
    node_lbd_bare --interface uplink0 "${CLUSTER[@]}" "$@"
}

start_far() { # OPTION…
    on_far node_lbd_bare --interface uplink0 --interface veth-p "${CLUSTER[@]}" "$@"
}

apply() { # REMOTE [SOURCE-RANGE…], on one of them
    local remote=$1 file=$WORK/tables-$LBD_IN.json
    shift
    jq -n --argjson remote "$remote" --args '
        [["10.96.0.10", "10.2.0.21"], ["fd00:96::10", "fd00:2::21"]] as $ends |
        {services: [$ends[] as [$address, $backend] |
            {"port": 80, "protocol": "tcp", "to": 8080},
            {"port": 53, "protocol": "udp", "to": 8053} |
            {address: $address, port: .port, protocol: .protocol, masquerade: "strangers",
             backends: [{address: $backend, port: .to, remote: $remote}]} +
            if $ARGS.positional == [] then {} else
                {source_ranges: [$ARGS.positional[] |
                    select(contains(":") == ($address | contains(":")))]}
            end]}' "$@" >"$file"
    chmod 644 "$file"
    lbctl apply "$file" && wait_resolved
}

# ---- what is asked for

is_seen_as() { # CLIENT
    says "$WORK/load.json" '.failures == 0 and (.clients | keys == ["'"$1"'"])'
}

web() { # ADDRESS SEEN-AS
    check "the client is served by $1:80" http_load "$WORK/load.json" client -n 50 -c 4 "$1" 80
    check "and seen as $2" is_seen_as "$2"
}

echoes() { # ADDRESS [OPTION…]
    local address=$1
    shift
    check "the client has its datagrams back from $address ($*)" \
        udp_load "$WORK/udp.json" client -n 50 "$@" "$address" 53
    check "none was lost" says "$WORK/udp.json" '.lost == 0 and .stray == 0'
}

sent_by_node() { # bytes
    inside node ip -j -s link show uplink0 | jq '.[0].stats64.tx.bytes'
}

download_is_whole() { # ADDRESS
    local sum
    sum=$(inside client curl -sS -m 30 "http://$1/bytes?n=$SIZE" | sha256sum | cut -d ' ' -f 1)
    echo "got $sum, want $SUM"
    [ "$sum" = "$SUM" ]
}

upload_is_whole() { # ADDRESS
    local sum
    sum=$(inside client curl -sS -m 30 -X POST -H 'Expect:' -T "$WORK/stream" "http://$1/sum")
    echo "got $sum, want $SUM"
    [ "$sum" = "$SUM" ]
}

transfers() { # ADDRESS
    local before after
    before=$(sent_by_node)
    check "a download from $1 is whole" download_is_whole "$1"
    after=$(sent_by_node)
    check "and does not pass the node: $((after - before)) bytes of $SIZE" \
        [ $((after - before)) -lt $((SIZE / 8)) ]
    check "an upload, of packets too big for a tunnel at first, is whole" upload_is_whole "$1"
}

counted() { # VERDICT, as a number, of one of them
    lbctl -o json stats | jq ".verdicts[\"$1\"].packets"
}

counts() { # VERDICT COMMAND…: whether it has more of them after that
    local verdict=$1 before
    shift
    before=$(counted "$verdict")
    "$@"
    sleep 0.2
    echo "$verdict: $before, then $(counted "$verdict")"
    [ "$(counted "$verdict")" -gt "$before" ]
}

# One datagram in a tunnel, each from another port of the client; whether the client is answered.
tunnels() { # NAME TO SERVICE CLIENT
    local waiting
    TUNNEL_PORT=$((TUNNEL_PORT + 1))
    inside client "$PYTHON" -c '
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.socket(family, socket.SOCK_DGRAM) as sock:
    sock.bind((sys.argv[1], int(sys.argv[2])))
    sock.settimeout(1)
    print("listening", flush=True)
    sys.exit(b"tunnelled" not in sock.recv(1000))' "$4" "$TUNNEL_PORT" >"$WORK/answer.log" 2>&1 &
    waiting=$!
    within 3 grep -q listening "$WORK/answer.log"
    inside "$1" "$PYTHON" "$HERE/tunnel_packet.py" "$2" "$4" "$TUNNEL_PORT" "$3" 53 tunnelled
    wait "$waiting"
}

# Connections that last over what is done to an lbd meanwhile.
trickle() { # SENTENCE COMMAND…
    local sentence=$1 load
    shift
    http_load_start "$WORK/trickle.json" client -n 8 -c 8 --timeout 4 \
        --path "/trickle?seconds=4" 10.96.0.10 80
    load=$LOAD_PID
    sleep 1
    check "$sentence" "$@"
    wait_load "$load"
    check "connections that were there go on" says "$WORK/trickle.json" '.failures == 0'
}

restart_node() { # OPTION…
    lbd_kill KILL
    start_node "$@"
}

restart_far() { # OPTION…
    on_far lbd_kill KILL
    start_far "$@"
}

"$HERE/http_server.py" --stream "$SIZE" >"$WORK/stream"
SUM=$(sha256sum <"$WORK/stream" | cut -d ' ' -f 1)
make_network
check "lbd starts on the node of the backend" start_far "${FROM_NODE[@]}"
check "and has its services" on_far apply false
check "lbd starts where clients arrive" start_node --dsr
check "and has its services" apply true
if [ "$XDP_MODE" = generic ]; then
    web 10.96.0.10 10.9.0.1
    web fd00:96::10 fd00:9::1
    finish
fi

web 10.96.0.10 192.0.2.2
web fd00:96::10 2001:db8::2
echoes 10.96.0.10
echoes fd00:96::10
transfers 10.96.0.10
transfers '[fd00:96::10]'
check "who sent too much was told" lbctl_says '.verdicts["answer-too-big"].packets > 0' stats
echoes 10.96.0.10 --size 4000
echoes fd00:96::10 --size 4000
inside router ip link set to-client mtu 1300
check "where less than an answer goes on to the client, its pod hears of it" \
    download_is_whole 10.96.0.10
check "over IPv6, too" download_is_whole '[fd00:96::10]'
inside router ip link set to-client mtu 1500

check "its connections are listed as tunnelled" lbctl_says \
    '[.connections[] | select(.client | startswith("192.0.2.2:"))] | length > 0 and
     all(.tunnelled and .masquerade == null)' connection list
check "none was masqueraded" lbctl_says '.verdicts["drop-masquerade"].packets == 0' stats

check "a tunnel of the node's is taken" tunnels node 10.2.0.21 10.96.0.10 192.0.2.2
check "over IPv6, too" tunnels node fd00:2::21 fd00:96::10 2001:db8::2
check "a stranger's is not" fails tunnels client 10.2.0.21 10.96.0.10 192.0.2.2
check "nor over IPv6" fails tunnels client fd00:2::21 fd00:96::10 2001:db8::2
check "it is the stack's" on_far counts pass-protocol \
    tunnels client 10.2.0.21 10.96.0.10 192.0.2.2
check "nor is one to a service that is not there" fails tunnels node 10.2.0.21 10.96.0.99 192.0.2.2
check "nor to an address that is no backend's" fails tunnels node 10.2.0.1 10.96.0.10 192.0.2.2

trickle "lbd comes back where clients arrive" restart_node --dsr
trickle "lbd comes back where the backend is" restart_far "${FROM_NODE[@]}"
trickle "and without --dsr where clients arrive" restart_node
web 10.96.0.10 10.9.0.1
trickle "and with it again" restart_node --dsr
web 10.96.0.10 192.0.2.2

check "the node of the backend has source ranges" on_far apply false 198.51.100.0/24 fd00::/16
check "which hold for what comes by a tunnel" fails answers client 10.96.0.10:80
check "and say so" on_far counts drop-source-range fails answers client '[fd00:96::10]:80'

check "lbd removes what it has left" test "$(lbd_kill TERM; lbd_launch --cleanup; wait "$LBD_PID"
    echo $?)" = 0
finish
