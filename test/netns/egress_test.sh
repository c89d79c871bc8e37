#!/bin/bash
# Backends that are processes of the node itself: what they answer leaves by the stack, and gets the
# service's address on its way out, by every interface, over both families.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

SIZE=$((${MEBIBYTES:-16} << 20))
"$HERE/http_server.py" --stream "$SIZE" >"$WORK/stream"
SUM=$(sha256sum <"$WORK/stream" | cut -d ' ' -f 1)

start_node_servers() {
    spawn http-node node "$PYTHON" "$HERE/http_server.py" node 8080
    spawn udp-node node "$PYTHON" "$HERE/udp_echo.py" node 8053
    within 10 is_listening node 8080
}

add_node_services() {
    lbctl service add "$HTTP_SERVICE" --name default/node --backend 192.0.2.1:8080 &&
        lbctl service add "$HTTP_SERVICE6" --name default/node6 --backend '[2001:db8::1]:8080' &&
        lbctl service add "$UDP_SERVICE" --name default/udp --backend 192.0.2.1:8053 &&
        lbctl service add "$UDP_SERVICE6" --name default/udp6 --backend '[2001:db8::1]:8053'
}

http_works() { # NAME ADDRESS
    http_load "$WORK/http.json" "$1" -n 20 "$2" 80
    says "$WORK/http.json" '.failures == 0 and .slowest_ms < 900 and .backends == {"node": 20}'
}

udp_works() { # NAME ADDRESS OPTION…
    udp_load "$WORK/udp.json" "$1" -n 20 "${@:3}" "$2" 53
    says "$WORK/udp.json" '.lost == 0 and .stray == 0 and .damaged == 0'
}

download_is_whole() { # NAME ADDRESS:PORT
    local sum
    sum=$(inside "$1" curl -sS -m 60 "http://$2/bytes?n=$SIZE" | sha256sum | cut -d ' ' -f 1)
    [ "$sum" = "$SUM" ]
}

# Nobody listens there: the node's stack says so, of the port that was asked for.
port_is_unreachable() { # NAME ADDRESS PORT
    inside "$1" "$PYTHON" - "$2" "$3" <<'PYTHON'
import socket, sys
address, port = sys.argv[1], int(sys.argv[2])
with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as udp:
    udp.settimeout(1)
    udp.connect((address, port))
    udp.send(b"?")
    try:
        udp.recv(1)
    except ConnectionRefusedError:
        sys.exit(0)
sys.exit(1)
PYTHON
}

test_from() { # NAME
    check "$1 reaches the node's process over IPv4" http_works "$1" 10.96.0.10
    check "$1 reaches it over IPv6" http_works "$1" fd00:96::10
    check "$1 gets UDP's answers from the service over IPv4" udp_works "$1" 10.96.0.10
    check "$1 gets them over IPv6" udp_works "$1" fd00:96::10
    check "$1 gets answers in fragments" udp_works "$1" 10.96.0.10 --size 4000
    check "$1 gets a large download whole" download_is_whole "$1" "$HTTP_SERVICE"
    check "$1 gets it over IPv6" download_is_whole "$1" "$HTTP_SERVICE6"
    check "$1 hears that nobody listens" port_is_unreachable "$1" 10.96.0.10 54
    check "$1 hears it over IPv6" port_is_unreachable "$1" fd00:96::10 54
}

add_deaf_services() {
    lbctl service add 10.96.0.10:54/udp --backend 192.0.2.1:8054 &&
        lbctl service add '[fd00:96::10]:54/udp' --backend '[2001:db8::1]:8054'
}

lbd_again() {
    lbd_kill KILL
    node_lbd
}

test_restart() {
    local load
    http_load_start "$WORK/load.json" client -t 6 -c 2 --pause 0.005 10.96.0.10 80
    load=$LOAD_PID
    sleep 1
    check "lbd is killed and becomes ready again" lbd_again
    wait_load "$load"
    check "no request failed meanwhile" says "$WORK/load.json" \
        '.failures == 0 and .requests > 200 and .slowest_ms < 900'
}

has_egress_pins() {
    [ -e "$PIN/tc_egress/uplink0" ] && [ -e "$PIN/tc_egress/veth-a" ]
}

make_topology
check "the node serves" start_node_servers
check "lbd becomes ready" node_lbd
check "no program looks at what leaves" fails has_egress_pins
check "services of the node's own backends are added" add_node_services
check "and others that nobody listens for" add_deaf_services
check "now one does" within 2 has_egress_pins
test_from client
test_from pod-a
test_restart
lbd_forget
check "lbd becomes ready with pods by tc" node_lbd_bare --interface uplink0 --tc-interface 'veth-*'
check "services are added" add_node_services
check "and others" add_deaf_services
test_from pod-a
check "when they are removed" lbctl apply --prune - <<<'{"services": []}'
check "no program looks at what leaves" within 3 fails has_egress_pins
lbd_forget
check "lbd becomes ready with filters" node_lbd --tc-attach clsact --egress on
check "services are added again" add_node_services
check "client reaches the node's process" http_works client 10.96.0.10
lbd_forget
check "lbd becomes ready without" node_lbd --egress off
check "services are added" add_node_services
check "then the client is not answered" fails answers client "$HTTP_SERVICE"
finish
