# shellcheck shell=bash
# What netlink_test.sh needs: namespaces, and neighbour_driver in the node, which runs those modules
# of lbd that follow netlink and prints each call of their hooks. All is gone when the test exits.
#
#                       ┌ veth0 ── eth0 a         10.9.0.2, fd09::2
#     node  10.9.N.1 ───┼ veth1 ── eth0 b         10.9.1.2, fd09:1::2
#           fd09:N::1   └ veth2 ── eth0 nameless  10.9.2.2: only a process holds its namespace
#
# NEIGHBOUR_DRIVER: the program (build/test/neighbour_driver).

set -u

[ "$(id -u)" = 0 ] || { echo "${0##*/} must run as root: it makes network namespaces" >&2; exit 1; }

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
NEIGHBOUR_DRIVER=${NEIGHBOUR_DRIVER:-$HERE/../../build/test/neighbour_driver}
PREFIX=lbt-nl-$$
NODE=$PREFIX-node
A=$PREFIX-a
B=$PREFIX-b
WORK=$(mktemp -d "/tmp/$PREFIX.XXXXXX")
LBD_LOG=$WORK/driver.log # _check.sh shows its end with a failure
DRIVER=
HOLDER=
MAX_MS=100

. "$HERE/_check.sh"

clean_up() {
    trap - EXIT
    report_unfinished
    for pid in $DRIVER $HOLDER; do
        kill -9 "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    for name in "$NODE" "$A" "$B"; do
        ip netns del "$name" 2>/dev/null
    done
    rm -rf "${WORK:?}"
    [ "$FAILED" = 0 ]
    exit $?
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# ---- topology

# No duplicate address detection: neighbour discovery needs a link-local address to ask from.
calm() { # COMMAND…, which enters a namespace
    "$@" sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0
    "$@" ip link set lo up
}

connect() { # N PEER-NAMESPACE (a name or a pid)
    local prefix6=fd09:$1
    [ "$1" = 0 ] && prefix6=fd09
    ip -n "$NODE" link add "veth$1" type veth peer name eth0 netns "$2"
    ip -n "$NODE" address add "10.9.$1.1/24" dev "veth$1"
    ip -n "$NODE" address add "$prefix6::1/64" dev "veth$1" nodad
    ip -n "$NODE" link set "veth$1" up
    set -- "$1" "$prefix6" nsenter "--net=$(namespace_file "$2")"
    "${@:3}" ip address add "10.9.$1.2/24" dev eth0
    "${@:3}" ip address add "$2::2/64" dev eth0 nodad
    "${@:3}" ip link set eth0 up
}

namespace_file() { # NAME or PID
    case $1 in
    *[!0-9]*) echo "/run/netns/$1" ;;
    *) echo "/proc/$1/ns/net" ;;
    esac
}

# $! is the process itself, but it has its own namespace only when unshare has come that far.
hold_nameless_namespace() {
    unshare --net sleep 600 &
    HOLDER=$!
    within 2 is_elsewhere "$HOLDER"
}

is_elsewhere() { # PID
    [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}

make_topology() {
    for name in "$NODE" "$A" "$B"; do
        ip netns add "$name"
        calm ip netns exec "$name"
    done
    hold_nameless_namespace
    calm nsenter "--net=/proc/$HOLDER/ns/net"
    connect 0 "$A"
    connect 1 "$B"
    connect 2 "$HOLDER"
    ip -n "$NODE" link add veth3 type veth peer name veth4
    add_routes_by_a
    ip -n "$NODE" route add unreachable 10.12.0.0/16
}

add_routes_by_a() {
    ip -n "$NODE" route replace 10.10.0.0/16 via 10.9.0.2
    ip -n "$NODE" route replace 10.11.0.0/16 via inet6 fd09::2
    ip -n "$NODE" route replace fd10::/64 via fd09::2
}

mac() { # NAMESPACE INTERFACE
    ip -n "$1" -j link show dev "$2" | jq -r '.[0].address'
}

ifindex() { # INTERFACE
    ip -n "$NODE" -j link show dev "$1" | jq -r '.[0].ifindex'
}

# ---- the driver and what it printed

# As a user of its own, with what these modules need of lbd's privileges.
start_driver() { # ARGUMENT…
    local caps=-all,+net_admin,+sys_admin,+sys_ptrace
    ip netns exec "$NODE" setpriv --reuid 58001 --regid 58001 --clear-groups \
        --bounding-set "$caps" --inh-caps "$caps" --ambient-caps "$caps" \
        "$WORK/neighbour_driver" "$@" >"$LBD_LOG" 2>&1 &
    DRIVER=$!
    within 5 grep -q '^started' "$LBD_LOG"
}

stop_driver() {
    kill "$DRIVER"
    wait "$DRIVER"
    local status=$?
    DRIVER=
    return "$status"
}

now_ms() {
    echo $((${EPOCHREALTIME/./} / 1000))
}

# A line with this beginning that is not older than START.
printed_since() { # START BEGINNING
    awk -v start="$1" -v beginning="$2" -F 'at=' \
        'index($0, beginning) == 1 && $NF >= start {found = 1} END {exit !found}' "$LBD_LOG"
}

# The last word on a slot: the next hop expected, heard of at most MAX_MS after START.
becomes() { # START SLOT MAC INTERFACE|none
    local port=0
    [ "$4" != none ] && port=$(ifindex "$4")
    local line="resolved slot=$2 mac=$3 port=$port "
    within 2 printed_since "$1" "$line" || { echo "never: $line"; return 1; }
    local last
    last=$(grep "^resolved slot=$2 " "$LBD_LOG" | tail -n 1)
    [[ $last == "$line"* ]] || { echo "at last: $last"; return 1; }
    local took=$((${last##*at=} - $1))
    echo "# slot $2 after $took ms" >&3
    [ "$took" -le "$MAX_MS" ]
}

is_unresolved() { # START SLOT
    becomes "$1" "$2" 00:00:00:00:00:00 none
}

# The driver's own list: what it holds of an address.
lists() { # ADDRESS PATTERN
    local before
    before=$(grep -c '^listed' "$LBD_LOG")
    kill -USR1 "$DRIVER"
    within 2 test_listed_after "$before" || return
    grep "^entry address=$1 " "$LBD_LOG" | tail -n 1 | grep -E "$2"
}

test_listed_after() { # COUNT
    [ "$(grep -c '^listed' "$LBD_LOG")" -gt "$1" ]
}

[ -x "$NEIGHBOUR_DRIVER" ] || { fail "there is a neighbour_driver"; finish; }
cp "$NEIGHBOUR_DRIVER" "$WORK/" # where any user may go
chmod 711 "$WORK"
exec 3>&1
