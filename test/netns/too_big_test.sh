#!/bin/bash
# Path MTU discovery through a service, both ways: the link of pod-a takes less than the others, and
# pod-a announces more than it takes, so that only lbd's programs can tell who sends too much.
#
#     client ── 1500 ── node ── 1400 ── pod-a
#                         └──── 1500 ── pod-b
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

LARGE=300000 # bytes, which take more than one segment

make_narrow() {
    inside node ip link set veth-a mtu 1400
    inside pod-a ip link set eth0 mtu 1400
    inside pod-a ip route change default via 10.1.0.1 advmss 1460
    inside pod-a ip route change default via fd00:1::1 advmss 1440
}

# 7000 counts what it is sent, 7001 sends LARGE bytes; UDP 7000 says how long each datagram was.
start_meters() { # NAME
    spawn "meters-$1" "pod-$1" "$PYTHON" -c '
import socket, sys, threading
def serve(port, work):
    server = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    while True:
        with server.accept()[0] as peer:
            work(peer)
def count(peer):
    got = sum(len(part) for part in iter(lambda: peer.recv(65536), b""))
    peer.sendall(str(got).encode())
threading.Thread(target=serve, args=(7000, count)).start()
def send(peer):
    peer.sendall(b"x" * int(sys.argv[1]))
threading.Thread(target=serve, args=(7001, send)).start()
udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
udp.bind(("::", 7000))
while True:
    datagram, sender = udp.recvfrom(65536)
    udp.sendto(str(len(datagram)).encode(), sender)
' "$LARGE"
}

uploads() { # NAME ADDRESS
    inside "$1" timeout 20 "$PYTHON" - "$2" "$LARGE" <<'PYTHON'
import socket, sys
with socket.create_connection((sys.argv[1], 7000), timeout=10) as sock:
    sock.sendall(b"x" * int(sys.argv[2]))
    sock.shutdown(socket.SHUT_WR)
    got = int(sock.recv(100))
print(got, "bytes")
sys.exit(got != int(sys.argv[2]))
PYTHON
}

downloads() { # NAME ADDRESS
    inside "$1" timeout 20 "$PYTHON" - "$2" "$LARGE" <<'PYTHON'
import socket, sys
with socket.create_connection((sys.argv[1], 7001), timeout=10) as sock:
    got = sum(len(part) for part in iter(lambda: sock.recv(65536), b""))
print(got, "bytes")
sys.exit(got != int(sys.argv[2]))
PYTHON
}

# A datagram that must not be fragmented: the socket learns the MTU from the error, at once.
learns_mtu() { # ADDRESS MTU
    inside client timeout 5 "$PYTHON" - "$1" "$2" <<'PYTHON'
import socket, sys, time
ipv6 = ":" in sys.argv[1]
level, option, mtu = (41, 23, 24) if ipv6 else (0, 10, 14)  # IPV6_MTU_DISCOVER, IP_MTU, …
with socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.connect((sys.argv[1], 7000))
    sock.setsockopt(level, option, 2)  # IP_PMTUDISC_DO
    sock.send(b"x" * (1452 if ipv6 else 1472))
    time.sleep(0.3)
    known = sock.getsockopt(level, mtu)
print("MTU", known)
sys.exit(known != int(sys.argv[2]))
PYTHON
}

# One that may be: the node's stack cuts it, the pod gets it whole.
arrives_whole() { # ADDRESS BYTES
    inside client timeout 5 "$PYTHON" - "$1" "$2" <<'PYTHON'
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.setsockopt(0, 10, 0)  # IP_MTU_DISCOVER, IP_PMTUDISC_DONT
    sock.connect((sys.argv[1], 7000))
    sock.settimeout(2)
    sock.send(b"x" * int(sys.argv[2]))
    got = int(sock.recv(100))
print(got, "bytes")
sys.exit(got != int(sys.argv[2]))
PYTHON
}

knows_mtu() { # NAME DESTINATION MTU
    inside "$1" ip route get "$2" >"$WORK/route"
    cat "$WORK/route"
    grep -q "mtu $3" "$WORK/route"
}

add_meter_services() { # LAST-BYTE POD'S
    local port
    for port in 7000 7001; do
        lbctl service add "10.96.0.$1:$port" --backend "10.1.0.$2:$port" &&
        lbctl service add "[fd00:96::$1]:$port" --backend "[fd00:1::$2]:$port" || return
    done
    lbctl service add "10.96.0.$1:7000/udp" --backend "10.1.0.$2:7000" &&
    lbctl service add "[fd00:96::$1]:7000/udp" --backend "[fd00:1::$2]:7000" && wait_resolved
}

make_topology
make_narrow
start_meters a
start_meters b
check "lbd becomes ready" node_lbd
check "services of pod-a are added and resolved" add_meter_services 31 11
check "and of pod-b" add_meter_services 32 12
for prefix in 10.96.0. fd00:96::; do
    check "a UDP socket learns what the way to ${prefix}31 takes" learns_mtu "${prefix}31" 1400
    check "all that a client uploads to ${prefix}31 arrives" uploads client "${prefix}31"
    check "the client knows the MTU of the way" knows_mtu client "${prefix}31" 1400
    check "all that a pod uploads to ${prefix}31 arrives" uploads pod-b "${prefix}31"
    check "all that pod-a downloads from ${prefix}32 arrives" downloads pod-a "${prefix}32"
done
check "the backend knows the MTU of the way back over IPv4" knows_mtu pod-b 10.1.0.11 1400
check "and over IPv6" knows_mtu pod-b fd00:1::11 1400
check "senders were told so" lbctl_says '.verdicts["answer-too-big"].packets > 5' stats

# A client that has not learnt the MTU sends it in one piece.
inside client ip route flush cache
inside node sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
check "a datagram that may be fragmented arrives whole" arrives_whole 10.96.0.31 1450
check "the stack has cut it" lbctl_says '.verdicts["pass-by-stack"].packets > 0' stats
finish
