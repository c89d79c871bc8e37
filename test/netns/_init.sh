# shellcheck shell=bash
# What the tests beside this file share: a node with three pods and a client in network namespaces,
# lbd in that node, and checks that read as sentences. A test sources it, calls make_topology,
# checks and ends with `finish`. Everything carries the test's process id in its name and is gone
# when it exits, however it exits.
#
#     client ── eth0 ──── uplink0 ── node ── veth-a ── eth0 ── pod-a  10.1.0.11  fd00:1::11
#     192.0.2.2        192.0.2.1          ├─ veth-b ── eth0 ── pod-b  10.1.0.12  fd00:1::12
#     2001:db8::2      2001:db8::1        └─ veth-c ── eth0 ── pod-c  10.1.0.13  fd00:1::13
#                                                              each web 8080, 8081; UDP echo 8053
#
# The node does not forward, so only lbd's programs can move a packet between client and pods. The
# veths are as `ip link add` makes them and the pods are wired as Kubernetes' CNI plugins do it: a
# host address, a default route by an address of the node, a host route on the node.
#
# LBD, LBCTL: the programs under test (build/control/…). LBD_ENTER: nsenter (default) or netns-exec,
# how lbd gets into the node's namespace. SHORT=1: shorter runs where time is what is tested.
# LBT_XDP_MODE: native (default) or generic, the mode that lbd attaches in unless a test says which.

set -u

[ "$(id -u)" = 0 ] || { echo "${0##*/} must run as root: it makes network namespaces" >&2; exit 1; }

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
HERE=$ROOT/test/netns
LBD=${LBD:-$ROOT/build/control/lbd}
LBCTL=${LBCTL:-$ROOT/build/control/lbctl}
# shellcheck disable=SC2034 # for tests
BUILD=$(dirname "$(dirname "$LBD")")
LBD_ENTER=${LBD_ENTER:-nsenter}
export XDP_MODE=${LBT_XDP_MODE:-native}
PYTHON=/usr/bin/python3
PREFIX=lbt$$
WORK=$(mktemp -d "/tmp/$PREFIX.XXXXXX")

HTTP_SERVICE=10.96.0.10:80
HTTP_SERVICE6='[fd00:96::10]:80'
UDP_SERVICE=10.96.0.10:53/udp
UDP_SERVICE6='[fd00:96::10]:53/udp'
export HTTP_SERVICE HTTP_SERVICE6 UDP_SERVICE UDP_SERVICE6

PIDS=()

. "$HERE/_check.sh"
. "$HERE/_lbd.sh"

# ---- the end, also after a signal or a bug in the test

end_processes() {
    local pid
    for pid in "${PIDS[@]}" $LBD_PID; do
        kill -9 "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    PIDS=()
}

remove_namespaces() {
    local name pid
    for name in $(ip netns list | awk -v prefix="$PREFIX-" 'index($1, prefix) == 1 {print $1}'); do
        for pid in $(ip netns pids "$name"); do
            kill -9 "$pid"
            wait "$pid"
        done 2>/dev/null
        ip netns del "$name"
    done
}

clean_up() {
    trap - EXIT
    report_unfinished
    end_processes
    remove_namespaces
    forget_pins
    if [ -n "${KEEP:-}" ]; then
        echo "# logs are kept in $WORK"
    else
        rm -rf "${WORK:?}"
    fi
    [ "$FAILED" = 0 ]
    exit $?
}

trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# ---- namespaces

inside() { # NAME COMMAND…
    local name=$1
    shift
    nsenter --net="/run/netns/$PREFIX-$name" "$@"
}

# Starts a command in the background, ended with the test; its output is in $WORK/TITLE.log.
spawn() { # TITLE NAME COMMAND…
    local title=$1 name=$2
    shift 2
    nsenter --net="/run/netns/$PREFIX-$name" "$@" >"$WORK/$title.log" 2>&1 &
    PIDS+=($!)
}

add_namespace() { # NAME
    ip netns add "$PREFIX-$1"
    # Addresses are unique here: without duplicate detection they serve at once.
    inside "$1" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/all/accept_dad
                       echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
                       echo 0 >/proc/sys/net/ipv4/ip_forward
                       echo 0 >/proc/sys/net/ipv6/conf/all/forwarding'
    inside "$1" ip link set lo up
}

set_mtu() { # NAME INTERFACE, where the test asks for other than the default
    [ -z "${MTU:-}" ] || inside "$1" ip link set "$2" mtu "$MTU"
}

connect_client() {
    ip link add uplink0 netns "$PREFIX-node" type veth peer name eth0 netns "$PREFIX-client"
    set_mtu node uplink0
    set_mtu client eth0
    inside node ip address add 192.0.2.1/24 dev uplink0
    inside node ip address add 2001:db8::1/64 dev uplink0 nodad
    inside node ip link set uplink0 up
    inside client ip address add 192.0.2.2/24 dev eth0
    inside client ip address add 2001:db8::2/64 dev eth0 nodad
    inside client ip link set eth0 up
    inside client ip route add 10.96.0.0/12 via 192.0.2.1
    inside client ip route add fd00:96::/112 via 2001:db8::1
}

# The link between the node and a pod; also makes it again after it was deleted.
connect_pod() { # NAME NUMBER
    ip link add "veth-$1" netns "$PREFIX-node" type veth peer name eth0 netns "$PREFIX-pod-$1"
    set_mtu node "veth-$1"
    set_mtu "pod-$1" eth0
    inside node ip address add 10.1.0.1/32 dev "veth-$1"
    inside node ip address add fd00:1::1/128 dev "veth-$1" nodad
    inside node ip link set "veth-$1" up
    inside node ip route add "10.1.0.$2/32" dev "veth-$1"
    inside node ip route add "fd00:1::$2/128" dev "veth-$1"
    inside "pod-$1" ip address add "10.1.0.$2/32" dev eth0
    inside "pod-$1" ip address add "fd00:1::$2/128" dev eth0 nodad
    inside "pod-$1" ip link set eth0 up
    inside "pod-$1" ip route add 10.1.0.1 dev eth0
    inside "pod-$1" ip route add default via 10.1.0.1
    inside "pod-$1" ip route add fd00:1::1 dev eth0
    inside "pod-$1" ip route add default via fd00:1::1
}

disconnect_pod() { # NAME
    inside node ip link del "veth-$1"
}

add_pod() { # NAME NUMBER
    add_namespace "pod-$1"
    connect_pod "$1" "$2"
}

is_listening() { # NAME PORT
    inside "$1" bash -c "exec 3<>/dev/tcp/127.0.0.1/$2" 2>/dev/null
}

start_servers() { # NAME
    spawn "http-$1" "pod-$1" "$PYTHON" "$HERE/http_server.py" "pod-$1" 8080 8081
    spawn "udp-$1" "pod-$1" "$PYTHON" "$HERE/udp_echo.py" "pod-$1" 8053
}

make_topology() {
    add_namespace node
    add_namespace client
    connect_client
    add_pod a 11
    add_pod b 12
    add_pod c 13
    local name
    for name in a b c; do
        start_servers "$name"
    done
    for name in a b c; do
        within 10 is_listening "pod-$name" 8080 || fail "the web server of pod-$name starts"
    done
}

# ---- traffic; the answer is a JSON file, see http_load.py and udp_load.py

http_load() { # FILE NAME OPTION… ADDRESS PORT
    local file=$1 name=$2
    shift 2
    inside "$name" "$PYTHON" "$HERE/http_load.py" "$@" >"$file"
}

udp_load() { # FILE NAME OPTION… ADDRESS PORT
    local file=$1 name=$2
    shift 2
    inside "$name" "$PYTHON" "$HERE/udp_load.py" "$@" >"$file"
}

# The same in the background: LOAD_PID, and `wait_load` for its end.
http_load_start() { # FILE NAME OPTION… ADDRESS PORT
    local file=$1 name=$2
    shift 2
    nsenter --net="/run/netns/$PREFIX-$name" "$PYTHON" "$HERE/http_load.py" "$@" >"$file" &
    LOAD_PID=$!
    PIDS+=("$LOAD_PID")
}

have_begun() { # ADDRESS COUNT
    [ "$(inside client ss -Htn state established dst "$1:80" | wc -l)" -ge "$2" ]
}

# So many downloads at once from the client that take so long, all of them begun: LOAD_PID, and what
# became of them in $WORK/trickle.json.
trickle_start() { # COUNT SECONDS [ADDRESS [TIMEOUT]]
    local address=${3:-10.96.0.10}
    http_load_start "$WORK/trickle.json" client -n "$1" -c "$1" --timeout "${4:-3}" \
        --path "/trickle?seconds=$2" "$address" 80
    within 10 have_begun "$address" "$1" || fail "$1 downloads begin"
}

wait_load() { # PID
    wait "$1"
}

# How an XDP program is attached, as the kernel tells it: 1 native, 2 generic (XDP_ATTACHED_… of
# linux/if_link.h); nothing where there is none.
xdp_attached() { # INTERFACE
    inside node ip -j -d link show dev "$1" | jq -r '.[0].xdp.mode // empty'
}

is_attached() { # INTERFACE MODE
    local -A number=([native]=1 [generic]=2)
    [ "$(xdp_attached "$1")" = "${number[$2]}" ]
}

is_bare() { # INTERFACE
    [ -z "$(xdp_attached "$1")" ]
}

answers() { # NAME ADDRESS:PORT, one request that may take 0.3 s
    [ "$(inside "$1" curl -s -m 0.3 -o /dev/null -w '%{http_code}' "http://$2/")" = 200 ]
}
