#!/bin/bash
# lbd as a user of its own, with a few capabilities: it serves, keeps no more than it says, and says
# of each that is missing what it is for.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

READER=58002 # nobody has it, nor these
READERS=58003
STRANGER=58004
LBD_GROUPS=$LBD_USER,$READERS
WORKS_WITH=$((1 << 12)) # CAP_NET_ADMIN of linux/capability.h
FINDS_WITH=$((1 << 19)) # CAP_SYS_PTRACE
ENTERS_WITH=$((1 << 21)) # CAP_SYS_ADMIN

status_of() { # WORD of /proc/PID/status, of every thread
    cat "/proc/$LBD_PID/task"/*/status | awk -v word="$1:" '$1 == word {print $2}' | sort -u
}

has_set() { # WORD MASK
    local set
    set=$(status_of "$1")
    echo "$1 $set"
    [ "$set" = "$(printf '%016x' "$2")" ]
}

no_request_fails() { # ADDRESS
    http_load "$WORK/http.json" client -n 200 -c 10 "$1" 80
    says "$WORK/http.json" '.failures == 0 and (.backends | length) == 3'
}

is_owned() { # PATH
    [ "$(stat -c %u "$1")" = "$LBD_USER" ]
}

# ---- what it works with

keeps_only() { # CAPABILITIES that are held back, as a mask
    check "effective is what it works with once programs are loaded" has_set CapEff "$WORKS_WITH"
    check "permitted is no more than what it raises for a moment" has_set CapPrm \
        "$((WORKS_WITH | $1))"
    check "nothing is inherited" has_set CapInh 0
    check "nothing is ambient" has_set CapAmb 0
    check "nothing that it executes can have more" test "$(status_of NoNewPrivs)" = 1
    check "its system calls are restricted" test "$(status_of Seccomp)" = 2
}

test_serving() {
    run_with bpf net_admin perfmon sys_admin
    check "lbd with four capabilities becomes ready" node_lbd
    keeps_only "$ENTERS_WITH"
    check "it runs as its user" test "$(status_of Uid)" = "$LBD_USER"
    check "services over IPv4 and IPv6 are added and resolved" add_services
    check "no request over IPv4 fails" no_request_fails 10.96.0.10
    check "nor over IPv6" no_request_fails fd00:96::10
    check "the program is its user's" is_owned "$PIN/program/lb"
    check "so is the journal" is_owned "$STATE.journal"
    check "the other ends of veths were seen to" lbctl_says \
        '[.interfaces[].peer] | all(test("gro on .*, tx checksumming off"))' interface list
    check "it says what it does without" grep -q \
        'event=without-privilege capability=CAP_SYS_PTRACE' "$LBD_LOG"
    check "an interface is taken on later" later_interface
}

later_interface() {
    add_namespace pod-d && connect_pod d 14 &&
        within 5 lbctl_says '.interfaces[] | select(.name == "veth-d") | .transmit == "redirect"' \
            interface list
}

test_restart() {
    lbd_kill KILL
    check "killed and started again, it adopts what is pinned" node_lbd
    check "its services are there" lbctl_says '.services | length == 4' service list
    check "no request fails" no_request_fails 10.96.0.10
    check "it ends when told to" ends_well
    check "and removes its socket" fails test -e "$SOCKET"
}

ends_well() {
    kill -TERM "$LBD_PID" && wait "$LBD_PID" && LBD_PID=
}

# ---- what it says where one is missing

test_missing() {
    lbd_forget
    run_with net_admin perfmon sys_admin
    check "without CAP_BPF lbd ends and names it" lbd_refuses \
        'needs CAP_BPF to make maps and load programs; start' --interface uplink0
    run_with bpf perfmon sys_admin
    check "without CAP_NET_ADMIN it names that" lbd_refuses \
        'needs CAP_NET_ADMIN to load and attach XDP programs .* resolved; start' \
        --interface uplink0
    run_with bpf net_admin sys_admin
    check "without CAP_PERFMON it names that" lbd_refuses \
        'needs CAP_PERFMON for the verifier .* pointers; start' --interface uplink0
    LBD_AS=("${LBCTL_AS[@]}")
    check "without any it names all three" lbd_refuses \
        'needs CAP_BPF .*, CAP_NET_ADMIN .*, CAP_PERFMON ' --interface uplink0
    check "and has made nothing" fails test -e "$PIN" -o -e "$SOCKET"
    run_with bpf net_admin perfmon
    check "without CAP_SYS_ADMIN a veth cannot be attached, and it names that" lbd_refuses \
        'lacks CAP_SYS_ADMIN' --interface uplink0
}

interface_says() { # INTERFACE EXPRESSION
    lbctl_says '.interfaces[] | select(.name == "'"$1"'") | '"$2" interface list
}

# A pair of which both ends are in the node, whose addresses the client of the topology cannot see.
add_inner_pair() {
    inside node ip link add inner0 type veth peer name inner1
    inside node ip link set inner0 up
    inside node ip link set inner1 up
}

# What it can do for less: one whose other end needs no entering, as a network card's has none.
test_without_entering() {
    add_inner_pair
    check "it starts for an interface whose other end it need not enter" node_lbd_bare \
        --interface inner0 --interface 'veth-*'
    keeps_only 0
    check "that one is attached" interface_says inner0 '.mode == "'"$XDP_MODE"'"'
    check "of the others it is said why not" interface_says veth-a \
        '.mode == "none" and (.error | test("CAP_SYS_ADMIN"))'
    lbd_forget
    inside node ip link del inner0
}

# Root may be without it as well.
test_root_without_entering() {
    run_as_root
    LBD_AS=(setpriv --bounding-set=-sys_admin)
    add_inner_pair
    check "lbd as root starts without CAP_SYS_ADMIN, too" node_lbd_bare --interface inner0 \
        --interface 'veth-*'
    keeps_only "$FINDS_WITH"
    check "it attaches what it need not enter" interface_says inner0 '.mode == "'"$XDP_MODE"'"'
    check "and says why it does not attach the others" interface_says veth-a \
        '.mode == "none" and (.error | test("CAP_SYS_ADMIN"))'
    lbd_forget
    inside node ip link del inner0
}

# A network namespace that no file leads to, only a process; iproute2 takes a path for it.
add_nameless() {
    nsenter --net="/run/netns/$PREFIX-node" unshare --net sleep 600 &
    PIDS+=($!)
    within 2 is_elsewhere $! &&
        inside node ip link add veth-n type veth peer name eth0 netns $! &&
        inside node ip link set veth-n up
}

is_elsewhere() { # PID
    ! [ "/proc/$1/ns/net" -ef /proc/self/ns/net ] &&
        ! [ "/proc/$1/ns/net" -ef "/run/netns/$PREFIX-node" ]
}

test_nameless() {
    check "a veth's end is where only a process leads to" add_nameless
    run_with bpf net_admin perfmon sys_admin
    check "without CAP_SYS_PTRACE lbd starts" node_lbd
    check "but does not find the namespace, and names what it takes" interface_says veth-n \
        '.error | test("CAP_SYS_PTRACE")'
    lbd_kill TERM
    run_with bpf net_admin perfmon sys_admin sys_ptrace
    check "with it lbd starts" node_lbd
    keeps_only "$((ENTERS_WITH | FINDS_WITH))"
    check "and finds it" interface_says veth-n '.error == null and .transmit == "redirect"'
    lbd_forget
}

# ---- as root

test_root() {
    run_as_root
    check "lbd as root becomes ready" node_lbd
    keeps_only "$((ENTERS_WITH | FINDS_WITH))"
    check "nor could what it executes have any as root" has_set CapBnd 0
    check "services over IPv4 and IPv6 are added and resolved" add_services
    check "no request fails" no_request_fails 10.96.0.10
}

# What one user's lbd has pinned another's cannot have, until it is handed over.
test_handover() {
    lbd_kill TERM
    run_with bpf net_admin perfmon sys_admin
    check "what lbd of root has pinned a user's does not get" lbd_refuses \
        'bpf/lbd: Permission denied' --interface uplink0
    chown -R "$LBD_USER:$LBD_USER" "$WORK/bpf" "$WORK/state"
    check "it does when it is handed over" node_lbd
    check "with its services" lbctl_says '.services | length == 4' service list
    check "no request fails" no_request_fails 10.96.0.10
}

# ---- who may ask it

lbctl_as() { # USER GROUPS WORD…
    local user=$1 groups=$2
    shift 2
    timeout 60 setpriv --reuid "$user" --regid "$user" --groups "$groups" --inh-caps=-all \
        "$LBCTL" --socket "$SOCKET" "$@"
}

is_told() { # USER GROUPS WORD…; as the last of them what is to be told, with status 1
    local status
    lbctl_as "${@:1:$#-1}" >"$WORK/out" 2>"$WORK/err"
    status=$?
    cat "$WORK/out" "$WORK/err"
    [ "$status" = 1 ] && ! [ -s "$WORK/out" ] && [ "$(wc -l <"$WORK/err")" = 1 ] &&
        grep -q -e "${*: -1}" "$WORK/err"
}

READS=('service list' "service show $HTTP_SERVICE" 'backend list' 'interface list'
    'neighbour list' 'connection list' 'connection count' 'deny list' export stats status version)
CHANGES=('service add 10.96.0.77:80' "service set $HTTP_SERVICE --affinity 9"
    "service del $HTTP_SERVICE" "backend add $HTTP_SERVICE 10.1.0.14:80"
    "backend set $HTTP_SERVICE 10.1.0.11:8080 --weight 2"
    "backend del $HTTP_SERVICE 10.1.0.11:8080" 'interface add up9' 'interface del uplink0'
    'connection flush' 'deny add 203.0.113.0/24' 'deny del 203.0.113.0/24'
    "apply $ROOT/docs/examples/grammar.json" "apply $ROOT/docs/examples/grammar.json --dry-run")

may_read() { # USER GROUPS
    local command
    for command in "${READS[@]}"; do
        # shellcheck disable=SC2086 # words
        lbctl_as "$1" "$2" $command || { echo "not $command"; return 1; }
    done
}

may_not_change() { # USER GROUPS
    local command
    for command in "${CHANGES[@]}"; do
        # shellcheck disable=SC2086
        is_told "$1" "$2" $command 'permission denied: .* may only read' ||
            { echo "but $command"; return 1; }
    done
}

may_watch() { # USER GROUPS
    timeout 3 setpriv --reuid "$1" --regid "$1" --groups "$2" \
        "$LBCTL" --socket "$SOCKET" -o json stats --watch >"$WORK/out"
    [ $? = 124 ] && [ "$(jq -s length "$WORK/out")" -ge 2 ]
}

tables_of() {
    lbctl export | sha256sum
    lbctl -o json interface list | jq -c '[.interfaces[].name]'
}

test_levels() {
    local before
    lbd_kill TERM
    check "lbd starts with a group that may ask it" node_lbd --socket-group "$READERS"
    chmod 711 "$WORK/run"
    before=$(tables_of)
    check "its members may read" may_read "$READER" "$READERS"
    check "and watch" may_watch "$READER" "$READERS"
    check "they may change nothing" may_not_change "$READER" "$READERS"
    check "and have not" test "$(tables_of)" = "$before"
    check "its own user may" lbctl_as "$LBD_USER" "$LBD_USER" deny add 203.0.113.0/24
    check "root may" lbctl_as 0 0 deny del 203.0.113.0/24
    check "others cannot even ask" is_told "$STRANGER" "$STRANGER" service list \
        'permission denied: run as root, .* --socket-group'
    chmod 666 "$SOCKET"
    check "nor where the socket is open to all" is_told "$STRANGER" "$STRANGER" service list \
        'permission denied: only root'
    check "which is in the log" grep -q "event=client-refused uid=$STRANGER" "$LBD_LOG"
    lbd_kill TERM
    check "lbd starts with a group that may change it" node_lbd --socket-group "$READERS" \
        --socket-group-may change
    check "its members may" lbctl_as "$READER" "$READERS" deny add 203.0.113.0/24
    check "others still cannot ask" is_told "$STRANGER" "$STRANGER" service list \
        'permission denied'
    lbd_kill TERM
    check "a group that lbd is not in is refused by name" lbd_refuses \
        "socket-group.*group $STRANGER.*lbd is not in it" --socket-group "$STRANGER"
    check "so is one that there is not" lbd_refuses 'socket-group nope: no such group' \
        --socket-group nope
}

# Where the C library or a sanitizer needs more.
test_without_filter() {
    lbd_kill TERM
    echo '{"seccomp": false}' >"$WORK/config.json"
    chmod 644 "$WORK/config.json"
    check "lbd starts with the filter of system calls switched off" node_lbd \
        --config "$WORK/config.json"
    check "it is" test "$(status_of Seccomp)" = 0
    check "and it says so" grep -q 'level=warning event=system-calls-unrestricted' "$LBD_LOG"
}

make_topology
test_serving
test_restart
test_missing
test_without_entering
test_root_without_entering
test_nameless
test_root
test_handover
test_levels
test_without_filter

finish
