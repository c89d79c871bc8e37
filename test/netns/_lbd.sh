# shellcheck shell=bash
# Starting, ending and asking lbd; _init.sh sources it. lbd runs as its unit for systemd has it: as
# a user of its own with four capabilities and none to be had beyond them, in directories that are
# its user's. lbctl is that user's without any. A test that is about root says run_as_root.

LBD_USER=58001 # nobody has it
SOCKET=$WORK/run/lbd.sock
STATE=$WORK/state/operator.json
PIN=$WORK/bpf/lbd # a bpffs of our own, outside /sys so that `ip netns exec` does not hide it
READY_SECONDS=${READY_SECONDS:-30}

LBD_IN=node # the namespace that lbd runs in
LBD_PID=
LBD_LOG=
LBD_RUNS=0
LBD_AS=() # words before lbd: as whom it runs, with which privileges
LBD_OWNER= # of what it finds there when it starts
LBD_GROUPS=$LBD_USER # with commas
LBCTL_AS=() # words before lbctl

# lbd will run as its user, with these capabilities.
run_with() { # CAPABILITY…, as setpriv calls them
    local set
    set=-all$(printf ',+%s' "$@")
    LBD_AS=(setpriv --reuid "$LBD_USER" --regid "$LBD_USER" --groups "$LBD_GROUPS"
        --bounding-set "$set" --inh-caps "$set" --ambient-caps "$set")
    LBD_OWNER=$LBD_USER
    LBCTL_AS=(setpriv --reuid "$LBD_USER" --regid "$LBD_USER" --clear-groups --inh-caps=-all)
}

run_as_root() {
    LBD_AS=()
    LBD_OWNER=0
    LBCTL_AS=()
}

# Programs that are where its user may not go (a home directory) run from a copy.
reach_programs() {
    "${LBCTL_AS[@]}" test -x "$LBD" -a -x "$LBCTL" && return
    cp "$LBD" "$LBCTL" "$WORK/"
    LBD=$WORK/lbd
    LBCTL=$WORK/lbctl
}

chmod 711 "$WORK"
run_with bpf net_admin perfmon sys_admin
reach_programs

# What a unit of systemd has made for it.
mount_bpffs() {
    mkdir -p "$WORK/bpf" "$WORK/run" "$WORK/state"
    mountpoint -q "$WORK/bpf" || mount -t bpf bpf "$WORK/bpf"
    chown "$LBD_OWNER:$LBD_OWNER" "$WORK/bpf" "$WORK/run" "$WORK/state"
}

# Starts lbd in the node with exactly these options beside the paths, and does not wait for it.
lbd_launch() { # OPTION…
    local enter=(nsenter "--net=/run/netns/$PREFIX-$LBD_IN")
    [ "$LBD_ENTER" = netns-exec ] && enter=(ip netns exec "$PREFIX-$LBD_IN")
    mount_bpffs
    LBD_RUNS=$((LBD_RUNS + 1))
    LBD_LOG=$WORK/lbd.$LBD_RUNS.log
    "${enter[@]}" "${LBD_AS[@]}" "$LBD" --pin "$PIN" --socket "$SOCKET" --state "$STATE" \
        ${LBT_XDP_MODE:+--xdp-mode "$LBT_XDP_MODE"} "$@" >"$LBD_LOG" 2>&1 &
    LBD_PID=$!
}

is_ready() {
    grep -qw ready "$LBD_LOG"
}

is_ready_or_gone() {
    is_ready || ! kill -0 "$LBD_PID" 2>/dev/null
}

# Waits for lbd's ready line; what it says before it dies is in $LBD_LOG.
lbd_wait() {
    within "$READY_SECONDS" is_ready_or_gone && is_ready && return
    echo "lbd is not ready" >&2
    sed 's/^/    lbd: /' "$LBD_LOG" >&2
    return 1
}

node_lbd_bare() { # OPTION…
    lbd_launch "$@"
    lbd_wait
}

# lbd as most tests want it: on the uplink and every pod's interface.
node_lbd() { # OPTION…
    node_lbd_bare --interface uplink0 --interface 'veth-*' "$@"
}

lbd_is_running() {
    [ -n "$LBD_PID" ] && kill -0 "$LBD_PID" 2>/dev/null
}

lbd_kill() { # SIGNAL
    [ -n "$LBD_PID" ] || return 0
    {
        kill "-$1" "$LBD_PID"
        within 5 fails lbd_is_running || kill -9 "$LBD_PID"
        wait "$LBD_PID"
    } 2>/dev/null # where bash would say "Killed"
    LBD_PID=
}

# lbd with these options ends by itself, by no signal, and names WORD in its last lines.
lbd_refuses() { # WORD OPTION…
    local word=$1 status
    shift
    lbd_launch "$@"
    within "$READY_SECONDS" fails lbd_is_running || { echo "it runs on"; lbd_kill KILL; return 1; }
    wait "$LBD_PID"
    status=$?
    LBD_PID=
    echo "status $status"
    [ "$status" -gt 0 ] && [ "$status" -lt 126 ] && tail -n 3 "$LBD_LOG" | grep -qi -e "$word"
}

# Without pins programs are detached and maps end. Removing them is not left to the unmount: whoever
# made a mount namespace meanwhile (`ip netns exec` does) holds a copy of the mount.
forget_pins() {
    rm -rf "${PIN:?}" "$WORK/bpf"/* 2>/dev/null
    umount -l "$WORK/bpf" 2>/dev/null
}

# Ends lbd and forgets all that it left: programs, maps, state. The topology stays.
lbd_forget() {
    lbd_kill TERM
    forget_pins
    rm -rf "$WORK/state" "$SOCKET"
}

lbctl() {
    timeout 60 "${LBCTL_AS[@]}" "$LBCTL" --socket "$SOCKET" "$@"
}

is_resolved() {
    lbctl_says '.neighbours.unresolved == 0 and .neighbours.resolved > 0' status >/dev/null
}

# The first packets to a backend wait for nothing, so the tests do: until its MAC address is known.
wait_resolved() {
    within 5 is_resolved || { echo "unresolved:"; lbctl neighbour list; return 1; } >&2
}

# The services of the header drawing, TCP and UDP over both families, and their next hops.
add_services() {
    lbctl service add "$HTTP_SERVICE" --name default/web --backend 10.1.0.11:8080 \
        --backend 10.1.0.12:8080 --backend 10.1.0.13:8080 &&
    lbctl service add "$HTTP_SERVICE6" --name default/web6 --backend '[fd00:1::11]:8080' \
        --backend '[fd00:1::12]:8080' --backend '[fd00:1::13]:8080' &&
    lbctl service add "$UDP_SERVICE" --name default/echo --backend 10.1.0.11:8053 \
        --backend 10.1.0.12:8053 --backend 10.1.0.13:8053 &&
    lbctl service add "$UDP_SERVICE6" --name default/echo6 --backend '[fd00:1::11]:8053' \
        --backend '[fd00:1::12]:8053' --backend '[fd00:1::13]:8053' &&
    wait_resolved
}
