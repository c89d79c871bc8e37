#!/bin/bash
# ICMP errors reach the one they are about, through the service: a closed port is refused at once,
# and a path with a smaller MTU is found out. Behind the client is a router's link for that:
#
#     far ── eth0 ──── narrow0 ── client ── eth0 ──── uplink0 ── node ── pods
#     198.51.100.2     MTU 1300   (routes)
#     2001:db8:1::2
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

LARGE=300000 # bytes, which take more than one segment

# The far end of the link may be sent 1500 bytes, so it announces an MSS that does not fit.
make_narrow_link() {
    add_namespace far
    ip link add narrow0 netns "$PREFIX-client" type veth peer name eth0 netns "$PREFIX-far"
    inside client ip link set narrow0 up mtu 1300
    inside client ip address add 198.51.100.1/24 dev narrow0
    inside client ip address add 2001:db8:1::1/64 dev narrow0 nodad
    inside client sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
                         echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
    inside far ip address add 198.51.100.2/24 dev eth0
    inside far ip address add 2001:db8:1::2/64 dev eth0 nodad
    inside far ip link set eth0 up
    inside far ip route add default via 198.51.100.1
    inside far ip route add default via 2001:db8:1::1
}

# Nobody listens at the pod's port 9: the pod answers with an error, and the socket gets it.
is_refused() { # NAME ADDRESS PORT
    inside "$1" "$PYTHON" - "$2" "$3" <<'PYTHON'
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.socket(family, socket.SOCK_DGRAM) as sock:
    sock.connect((sys.argv[1], int(sys.argv[2])))
    sock.settimeout(2)
    sock.send(b"anybody?")
    try:
        sock.recv(100)
    except ConnectionRefusedError:
        print("refused")
        sys.exit(0)
    except TimeoutError:
        print("no answer at all")
sys.exit(1)
PYTHON
}

# Sends LARGE bytes to whoever connects to the pod's port 7000.
serve_large() { # NAME
    spawn "large-$1" "pod-$1" "$PYTHON" -c '
import socket, sys
server = socket.create_server(("::", 7000), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    with server.accept()[0] as peer:
        peer.sendall(b"x" * int(sys.argv[1]))
' "$LARGE"
}

receives_large() { # NAME ADDRESS
    inside "$1" timeout 20 "$PYTHON" - "$2" "$LARGE" <<'PYTHON'
import socket, sys
with socket.create_connection((sys.argv[1], 7000), timeout=10) as sock:
    got = sum(len(part) for part in iter(lambda: sock.recv(65536), b""))
print(got, "bytes")
sys.exit(got != int(sys.argv[2]))
PYTHON
}

# The pod has learnt what the path takes, which only the router's error can have told it.
knows_mtu() { # NAME DESTINATION
    inside "$1" ip route get "$2" >"$WORK/route"
    cat "$WORK/route"
    grep -q 'mtu 1300' "$WORK/route"
}

add_closed() {
    lbctl service add 10.96.0.30:9/udp --backend 10.1.0.11:9 &&
    lbctl service add '[fd00:96::30]:9/udp' --backend '[fd00:1::11]:9' &&
    lbctl service add 10.96.0.30:7000 --backend 10.1.0.11:7000 &&
    lbctl service add '[fd00:96::30]:7000' --backend '[fd00:1::11]:7000' && wait_resolved
}

make_topology
make_narrow_link
serve_large a
check "lbd becomes ready" node_lbd
check "services over IPv4 and IPv6 are added and resolved" add_services
check "and some whose backend has a closed port" add_closed
for address in 10.96.0.30 fd00:96::30; do
    check "a client learns that $address is closed" is_refused client "$address" 9
    check "a pod learns that $address is closed" is_refused pod-b "$address" 9
    check "a pod that is the backend of $address learns it, too" is_refused pod-a "$address" 9
    check "a client over a narrow link gets all that $address sends" receives_large far "$address"
done
check "the backend knows the MTU of the way over IPv4" knows_mtu pod-a 198.51.100.2
check "and over IPv6" knows_mtu pod-a 2001:db8:1::2

# Errors are looked at by a program that is reached through a map: it must outlive lbd.
lbd_kill KILL
check "without lbd a client learns that the port is closed" is_refused client 10.96.0.30 9
check "lbd becomes ready again" node_lbd
check "and so does a client of the next lbd" is_refused client fd00:96::30 9
finish
