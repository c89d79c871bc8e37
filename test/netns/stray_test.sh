#!/bin/bash
# What is for a service's address and no service of it: TCP is reset, UDP gets port unreachable, at
# once, over both families, from elsewhere and from pods; other protocols end here. The node's own
# addresses are left to it, whatever services they have.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

# curl's exit status 7: could not connect; in less than a second.
is_refused_tcp() { # NAME ADDRESS:PORT
    local began=${EPOCHREALTIME/./} status
    inside "$1" curl -s -m 3 -o /dev/null "http://$2/"
    status=$?
    echo "curl ends with status $status after $((${EPOCHREALTIME/./} - began)) µs"
    [ "$status" = 7 ] && [ $((${EPOCHREALTIME/./} - began)) -lt 1000000 ]
}

# A resolver that is told "refused" says so at once instead of "timed out".
is_refused_dns() { # NAME ADDRESS
    inside "$1" dig +tries=1 +timeout=3 @"$2" -p 5353 example.org >"$WORK/dig" 2>&1
    cat "$WORK/dig"
    grep -q 'connection refused' "$WORK/dig"
}

verdict() { # NAME
    lbctl -o json stats | jq ".verdicts[\"$1\"].packets // 0"
}

# Nothing of it leaves by the uplink, where a node that forwards would send it back.
ends_here() { # NAME ADDRESS
    local before
    before=$(verdict drop-not-served)
    inside "$1" "$PYTHON" - "$2" <<'PYTHON'
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.socket(family, socket.SOCK_RAW, 47) as sock:
    sock.sendto(b"\0" * 20, (sys.argv[1], 0))
PYTHON
    within 2 test "$(verdict drop-not-served)" -gt "$before"
}

# As ssh would, on the node's own address beside a service.
listen() {
    spawn listener node "$PYTHON" -c '
import socket
server = socket.create_server(("::", 2222), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    with server.accept()[0] as peer:
        peer.sendall(b"SSH-2.0-test\r\n")
'
    within 5 is_listening node 2222
}

greets() { # NAME ADDRESS
    inside "$1" timeout 3 socat -u "TCP:$2:2222,connect-timeout=2" - | grep -q SSH-2.0
}

make_topology
inside node sysctl -q net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
inside node ip route add default via 192.0.2.2
inside node ip route add default via 2001:db8::2
check "lbd becomes ready" node_lbd
check "services over IPv4 and IPv6 are added" add_services
for name in client pod-a; do
    check "TCP of $name to another port is refused" is_refused_tcp "$name" 10.96.0.10:81
    check "over IPv6, too" is_refused_tcp "$name" '[fd00:96::10]:81'
    check "UDP of $name to another port is refused" is_refused_dns "$name" 10.96.0.10
    check "over IPv6, too" is_refused_dns "$name" fd00:96::10
    check "another protocol ends here" ends_here "$name" 10.96.0.10
    check "over IPv6, too" ends_here "$name" fd00:96::10
    check "the services answer" answers "$name" "$HTTP_SERVICE"
    check "over IPv6, too" answers "$name" "$HTTP_SERVICE6"
done
check "resets were sent" lbctl_says '.verdicts["answer-reset"].packets >= 4' stats
check "and port unreachable" lbctl_says '.verdicts["answer-unreachable"].packets >= 4' stats

check "the node listens on a port of its own" listen
check "a service is added at its own address" lbctl service add 192.0.2.1:80 \
    --backend 10.1.0.11:8080
check "over IPv6, too" lbctl service add '[2001:db8::1]:80' --backend '[fd00:1::11]:8080'
check "they answer" within 3 answers client 192.0.2.1:80
check "over IPv6, too" within 3 answers client '[2001:db8::1]:80'
check "a client reaches the node's own port" greets client 192.0.2.1
check "over IPv6, too" greets client '[2001:db8::1]'

# An address that comes after its service; one of the node's that goes.
check "the node gets 10.96.0.10" inside node ip address add 10.96.0.10/32 dev lo
check "then a client reaches its port there, too" within 3 greets client 10.96.0.10
check "the node loses it" inside node ip address del 10.96.0.10/32 dev lo
check "then it is refused" within 3 is_refused_tcp client 10.96.0.10:2222

lbd_kill KILL
check "without lbd a client reaches the node's own port" greets client 192.0.2.1
check "and is refused at a service's address" is_refused_tcp client 10.96.0.10:81
check "lbd that refuses silently becomes ready" node_lbd --refuse drop
check "TCP is not answered" fails is_refused_tcp client 10.96.0.10:81
check "the drop is counted" lbctl_says '.verdicts["drop-not-served"].packets > 0' stats
finish
