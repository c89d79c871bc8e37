# shellcheck shell=bash
# What the benchmark's parts share: namespaces, lbd in a node of them, clean-up, time. A part
# sources it and writes its rows, one JSON object a line, to the file that it was given.
#
#     client ── c0 ──── n0 ── node ── n1 ──── b0 ── backend, the router of all pods
#     192.0.2.2    192.0.2.1      198.51.100.1    198.51.100.2
#     172.16.0.0/12 behind it                     10.128.0.0/12 (probe.h) behind it
#
# A set of these three namespaces is called a lane, after the track a runner keeps to: each
# contender has its own, so that measurements can go from one to the other and back. Neighbours are
# permanent entries: what resolving costs is no part of this.
#
# BUILD: the build directory. QUICK, FULL: set by run.sh.

set -u

[ "$(id -u)" = 0 ] || { echo "${0##*/} must run as root: it makes network namespaces" >&2; exit 1; }

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck disable=SC2034 # for the parts
HERE=$ROOT/test/bench
BUILD=${BUILD:-$ROOT/build}
LBD=$BUILD/control/lbd
LBCTL=$BUILD/control/lbctl
# shellcheck disable=SC2034 # for the parts
PYTHON=/usr/bin/python3
QUICK=${QUICK:-}
FULL=${FULL:-}
PREFIX=lbp-$$
WORK=$(mktemp -d "/tmp/$PREFIX.XXXXXX") # also pins, sockets and state
PIDS=()

# State is on memory, so that the disk's fdatasync is not what is measured.
mount -t tmpfs -o size=1g tmpfs "$WORK" || exit
mkdir "$WORK/bpf" && mount -t bpf bpf "$WORK/bpf" || exit

say() {
    echo "${0##*/}: $*" >&2
}

remove_lanes() { # [LANE], or all
    local name pid prefix=$PREFIX-${1:-}
    for name in $(ip netns list | awk -v prefix="$prefix" 'index($1, prefix) == 1 {print $1}'); do
        for pid in $(ip netns pids "$name"); do
            kill -9 "$pid" 2>/dev/null
        done
        ip netns del "$name"
    done
}

clean_up() {
    trap - EXIT
    declare -F restore_grace_periods >/dev/null && restore_grace_periods
    for pid in "${PIDS[@]}"; do
        kill -9 "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    remove_lanes
    rm -rf "${WORK:?}"/bpf/*/ # but not what the kernel itself shows in a bpffs
    umount -l "$WORK/bpf" "$WORK"
    rmdir "$WORK"
}

trap clean_up EXIT
trap 'exit 130' INT TERM HUP

now_us() {
    echo "${EPOCHREALTIME/./}"
}

# Runs a command and says how long it took, in ms with three digits; its output goes to stderr.
milliseconds() { # COMMAND…
    local start status
    start=${EPOCHREALTIME/./}
    "$@" >&2
    status=$?
    local spent=$((${EPOCHREALTIME/./} - start))
    printf '%d.%03d\n' $((spent / 1000)) $((spent % 1000))
    return "$status"
}

within() { # SECONDS COMMAND…, tried every 10 ms
    local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
    shift
    until "$@"; do
        [ "${EPOCHREALTIME/./}" -ge "$end" ] && return 1
        sleep 0.01
    done
}

# ---- a lane

inside() { # LANE client|node|backend COMMAND…
    local namespace=$PREFIX-$1-$2
    shift 2
    nsenter --net="/run/netns/$namespace" "$@"
}

mac_of() { # LANE NAME INTERFACE
    inside "$1" "$2" ip -o link show "$3" | grep -o 'link/ether [0-9a-f:]*' | cut -d ' ' -f 2
}

add_namespace() { # LANE NAME
    ip netns add "$PREFIX-$1-$2"
    inside "$1" "$2" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
        echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
        echo 1 >/proc/sys/net/ipv4/ip_forward
        echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter
        echo 0 >/proc/sys/net/ipv4/conf/default/rp_filter
        echo 0 >/proc/sys/net/ipv4/conf/all/send_redirects'
    inside "$1" "$2" ip link set lo up
}

link_ends() { # LANE NAME INTERFACE ADDRESS PEER_NAME PEER_INTERFACE PEER_ADDRESS
    # A queue a CPU: with one, a second generator would only wait for the first.
    ip link add "$3" numtxqueues 2 numrxqueues 2 netns "$PREFIX-$1-$2" type veth \
        peer name "$6" numtxqueues 2 numrxqueues 2 netns "$PREFIX-$1-$5"
    inside "$1" "$2" ip address add "$4/24" dev "$3"
    inside "$1" "$5" ip address add "$7/24" dev "$6"
    inside "$1" "$2" ip link set "$3" up
    inside "$1" "$5" ip link set "$6" up
    inside "$1" "$2" ip neigh replace "$7" lladdr "$(mac_of "$1" "$5" "$6")" dev "$3" nud permanent
    inside "$1" "$5" ip neigh replace "$4" lladdr "$(mac_of "$1" "$2" "$3")" dev "$6" nud permanent
}

make_lane() { # LANE
    local name
    for name in client node backend; do
        add_namespace "$1" "$name"
    done
    link_ends "$1" client c0 192.0.2.2 node n0 192.0.2.1
    link_ends "$1" backend b0 198.51.100.2 node n1 198.51.100.1
    inside "$1" client ip route add default via 192.0.2.1
    inside "$1" backend ip route add default via 198.51.100.1
    inside "$1" node ip route add 172.16.0.0/12 via 192.0.2.2
    inside "$1" node ip route add 10.128.0.0/12 via 198.51.100.2
    # Whoever does not translate sends services there, too.
    inside "$1" node ip route add 10.96.0.0/12 via 198.51.100.2
}

# Frames are redirected into n0, and only a NAPI receives those: XDP or GRO.
prepare_kernel_lane() { # LANE
    inside "$1" node ethtool -K n0 gro on
    # A NIC verifies checksums; conntrack would do it again in software.
    inside "$1" node sh -c 'echo 0 >/proc/sys/net/netfilter/nf_conntrack_checksum
        echo 20 >/proc/sys/net/netfilter/nf_conntrack_udp_timeout' 2>/dev/null
    return 0
}

load_iptables() { # LANE FILE
    inside "$1" node iptables-legacy-restore --noflush --counters <"$2"
}

load_nftables() { # LANE FILE
    inside "$1" node nft -f "$2"
}

# ---- lbd in a lane's node. The last one started is LBD_PID, its log LBD_LOG.

lbd_options() { # LANE
    echo --pin "$WORK/bpf/$1" --socket "$WORK/$1.sock" --state "$WORK/$1.state/operator.json"
}

lbd_launch() { # LANE OPTION…
    local lane=$1
    shift
    mkdir -p "$WORK/$lane.state"
    LBD_LOG=$WORK/$lane.log
    : >"$LBD_LOG"
    # shellcheck disable=SC2046 # words
    nsenter --net="/run/netns/$PREFIX-$lane-node" "$LBD" $(lbd_options "$lane") \
        --max-connections "${MAX_CONNECTIONS:-1048576}" "$@" >"$LBD_LOG" 2>&1 &
    LBD_PID=$!
    PIDS+=("$LBD_PID")
}

is_ready_or_gone() {
    grep -qw ready "$LBD_LOG" || ! kill -0 "$LBD_PID" 2>/dev/null
}

start_lbd() { # LANE OPTION…
    lbd_launch "$@" --interface n0 --interface n1
    within 60 is_ready_or_gone && grep -qw ready "$LBD_LOG" && return
    say "lbd of lane $1 is not ready:"
    tail -n 5 "$LBD_LOG" >&2
    return 1
}

stop_lbd() { # [SIGNAL]
    kill "-${1:-TERM}" "$LBD_PID"
    wait "$LBD_PID" 2>/dev/null
}

lbctl() { # LANE ARGUMENT…
    local lane=$1
    shift
    "$LBCTL" --socket "$WORK/$lane.sock" "$@"
}

is_resolved() { # LANE
    lbctl "$1" -o json status |
        jq -e '.neighbours.unresolved == 0 and .neighbours.resolved > 0' >/dev/null
}
