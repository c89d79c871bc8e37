#!/bin/bash
# A TCP connection ends with its backend: whether it was removed or set to down, whether the client
# waits or speaks, both ends are reset and nobody waits on. UDP goes to another backend.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

# What is to be done to the backend at that place, and undone.
take_away() { # HOW SERVICE BACKEND
    if [ "$1" = removed ]; then
        lbctl backend del "$2" "$3"
    else
        lbctl backend set "$2" "$3" --state down
    fi
}

give_back() { # HOW SERVICE BACKEND
    if [ "$1" = removed ]; then
        lbctl backend add "$2" "$3"
    else
        lbctl backend set "$2" "$3" --state active
    fi && wait_resolved
}

# A download of a byte each tenth of a second; curl's exit status 56: receiving failed.
download_start() { # ADDRESS:PORT
    inside client curl -s -o "$WORK/download" -m 20 --no-buffer "http://$1/trickle?seconds=30" &
    DOWNLOAD=$!
    PIDS+=("$DOWNLOAD")
    within 5 test -s "$WORK/download"
    rm -f "$WORK/download"
}

is_broken_off() {
    local status
    within 3 fails kill -0 "$DOWNLOAD" || { echo "it waits on"; return 1; }
    wait "$DOWNLOAD"
    status=$?
    echo "curl ends with status $status"
    [ "$status" = 56 ]
}

# Of the server's sockets, whoever is at the other end. One whose client was reset may be among
# them, as long as it says nothing.
has_connections() { # NAME COUNT
    [ "$(inside "$1" ss -Htn state established sport = :8080 | wc -l)" = "$2" ]
}

# Connects, says that it has, and when a file appears speaks: the answer must be a reset.
speaker_start() { # ADDRESS
    rm -f "$WORK/speak" "$WORK/connected"
    inside client timeout 20 "$PYTHON" - "$1" "$WORK" >"$WORK/speaker" 2>&1 <<'PYTHON' &
import os, socket, sys, time
with socket.create_connection((sys.argv[1], 80), timeout=5) as sock:
    open(sys.argv[2] + "/connected", "w").close()
    while not os.path.exists(sys.argv[2] + "/speak"):
        time.sleep(0.05)
    began = time.monotonic()
    try:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        print("heard", sock.recv(100))
    except ConnectionResetError:
        print("reset after", time.monotonic() - began)
        sys.exit(time.monotonic() - began > 0.5)
sys.exit(1)
PYTHON
    SPEAKER=$!
    PIDS+=("$SPEAKER")
    within 5 test -e "$WORK/connected"
}

is_reset_when_it_speaks() {
    touch "$WORK/speak"
    wait "$SPEAKER"
    local status=$?
    cat "$WORK/speaker"
    [ "$status" = 0 ]
}

test_tcp() { # HOW SERVICE BACKEND ADDRESS
    local before
    before=$(inside pod-a ss -Htn state established sport = :8080 | wc -l)
    download_start "$2"
    check "a backend of $2 is $1" take_away "$1" "$2" "$3"
    check "its client, which waits, is told" is_broken_off
    check "and so is the backend" within 3 has_connections pod-a "$before"
    check "it is back" give_back "$1" "$2" "$3"
    check "a client connects" speaker_start "$4"
    check "its backend is $1" take_away "$1" "$2" "$3"
    check "the client is reset when it speaks" is_reset_when_it_speaks
    check "the backend is back again" give_back "$1" "$2" "$3"
    check "and serves" answers client "$2"
}

# From one port, so that all datagrams are of one connection.
speaks_to() { # POD
    udp_load "$WORK/udp.json" client -n 20 --one-port --source-port 40000 10.96.0.40 53
    says "$WORK/udp.json" '.lost == 0 and (.backends | keys) == ["'"$1"'"]'
}

test_udp() {
    check "a UDP service of one backend is added" lbctl service add 10.96.0.40:53/udp \
        --backend 10.1.0.11:8053
    check "its next hop is known" wait_resolved
    check "it answers" speaks_to pod-a
    check "it gets another backend" lbctl backend add 10.96.0.40:53/udp 10.1.0.12:8053
    check "the first is removed" lbctl backend del 10.96.0.40:53/udp 10.1.0.11:8053
    check "the other answers in its place" speaks_to pod-b
}

make_topology
check "lbd becomes ready" node_lbd
check "services of one backend are added" lbctl service add "$HTTP_SERVICE" \
    --backend 10.1.0.11:8080
check "over IPv6, too" lbctl service add "$HTTP_SERVICE6" --backend '[fd00:1::11]:8080'
check "their next hops are known" wait_resolved
for how in removed down; do
    test_tcp "$how" "$HTTP_SERVICE" 10.1.0.11:8080 10.96.0.10
    test_tcp "$how" "$HTTP_SERVICE6" '[fd00:1::11]:8080' fd00:96::10
done
test_udp
finish
