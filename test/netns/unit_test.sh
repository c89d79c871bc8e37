#!/bin/bash
# lbd as its unit for systemd starts it: what systemd-analyze says of that, and how it runs. systemd
# is booted for it in namespaces of its own, so it is the one that applies the limits.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

EXPOSURE_MAX=2.0 # of 10
BOOT_SECONDS=60
FILES=$WORK/boot
UNIT=$FILES/root/usr/local/lib/systemd/system/lbd.service
CGROUP=

# Once all that was booted is dead, a moment after who booted it.
cgroup_is_gone() {
    find "$CGROUP" -depth -type d -exec rmdir {} \; 2>/dev/null
    ! [ -e "$CGROUP" ]
}

remove_cgroup() {
    [ -z "$CGROUP" ] || within 5 cgroup_is_gone || echo "# $CGROUP is left"
}

trap 'end_processes; remove_cgroup; clean_up' EXIT

# ---- what the machine that is booted has, and does

install_lbd() {
    mkdir -p "$FILES/root/etc/lbd"
    DESTDIR=$FILES/root meson install -C "$BUILD" --no-rebuild --quiet &&
        [ -e "$UNIT" ] &&
        echo '{"interface": ["uplink0", "veth-*"]}' >"$FILES/root/etc/lbd/lbd.json"
}

write_probe() {
    cp "$HERE/http_server.py" "$FILES/root/"
    cat >"$FILES/root/probe.sh" <<'EOF'
connect() { # INTERFACE NAMESPACE
    ip netns add "$2"
    ip link add "$1" type veth peer name eth0 netns "$2"
    ip link set "$1" up
    ip -n "$2" link set eth0 up
    ip -n "$2" link set lo up
}
pid() {
    systemctl show --property MainPID --value lbd
}
fact() { # NAME COMMAND…
    local name=$1
    shift
    echo "$name: $("$@" 2>&1 | paste -s -d ' ')"
}
get() {
    ip netns exec client curl -s -m 2 -o /dev/null -w '%{http_code}' http://10.96.0.10/
}
interface() { # NAME
    lbctl -o json interface list |
        jq -c ".interfaces[] | select(.name == \"$1\") | [.transmit, .error]"
}
systemctl start systemd-journald
systemd-sysusers
connect uplink0 client
ip address add 192.0.2.1/24 dev uplink0
ip -n client address add 192.0.2.2/24 dev eth0
ip -n client route add default via 192.0.2.1
connect veth-a pod
ip address add 10.1.0.1/32 dev veth-a
ip route add 10.1.0.11/32 dev veth-a
ip -n pod address add 10.1.0.11/32 dev eth0
ip -n pod route add 10.1.0.1 dev eth0
ip -n pod route add default via 10.1.0.1
ip netns exec pod python3 /http_server.py pod 8080 &
fact start systemctl start lbd
fact active systemctl is-active lbd
fact user stat -c %U "/proc/$(pid)"
fact status grep -E '^(CapPrm|CapEff|CapBnd|NoNewPrivs|Seccomp):' "/proc/$(pid)/status"
fact writable nsenter --target "$(pid)" --mount sh -c \
    'for i in / /etc /proc/sys /sys /sys/fs/bpf /sys/fs/bpf/lbd /run/lbd /var/lib/lbd; do
         [ -w $i ] && ! [ -e $i/nope ] && echo $i; done'
fact add lbctl service add 10.96.0.10:80 --backend 10.1.0.11:8080
fact served get
connect veth-b later
for ((i = 0; i < 50; i++)); do
    interface veth-b | grep -q redirect && break
    sleep 0.1
done
fact later interface veth-b
fact reload systemctl reload lbd
was=$(pid)
systemctl kill --signal KILL lbd
fact killed get
for ((i = 0; i < 100; i++)); do
    sleep 0.1
    [ "$(pid)" != "$was" ] && systemctl --quiet is-active lbd && break
done
fact again systemctl is-active lbd
fact kept sh -c "lbctl -o json service list | jq -c '.services | length'"
fact served_again get
fact stop systemctl stop lbd
fact stopped get
journalctl --unit lbd --no-pager --output cat
kill %1
EOF
}

boot() {
    CGROUP=$(findmnt -n -o TARGET -t cgroup2 | head -n 1)/$PREFIX
    mkdir "$CGROUP" || return
    bash -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' - "$CGROUP" unshare --mount --pid \
        --fork --kill-child --uts --ipc --net --cgroup "$HERE/_boot.sh" "$FILES" \
        '/bin/bash /probe.sh' >"$WORK/boot.log" 2>&1 &
    PIDS+=($!)
    within "$BOOT_SECONDS" test -e "$FILES/out/done"
}

can_boot() {
    [ -x /lib/systemd/systemd ] && findmnt -t cgroup2 >/dev/null &&
        grep -qw overlay /proc/filesystems
}

# ---- what it said

fact_is() { # NAME PATTERN
    grep "^$1:" "$FILES/out/log"
    grep -qx -e "$1: $2" "$FILES/out/log"
}

is_exposed_at_most() { # LEVEL
    local level
    level=$(systemd-analyze security --offline=true --no-pager "$UNIT" |
        sed -n 's/.*exposure level for .*: \([0-9.]*\) .*/\1/p')
    echo "exposure ${level:-unknown}"
    [ -n "$level" ] && awk "BEGIN {exit !($level <= $1)}"
}

test_run() {
    check "systemd boots, with the unit, to the end of the probe" boot ||
        { cat "$WORK/boot.log" "$FILES/out/log" 2>/dev/null; return; }
    check "the unit starts, and is active once lbd is ready" fact_is active active
    check "lbd runs as its user" fact_is user lbd
    check "with no capability but what it says, and a filter" fact_is status \
        'CapPrm:.*201000 CapEff:.*1000 CapBnd:.*c000201000 NoNewPrivs:.1 Seccomp:.2'
    check "it may write pins, socket and state alone" fact_is writable \
        '/sys/fs/bpf/lbd /run/lbd /var/lib/lbd'
    check "a service is added" fact_is add 'added 10.96.0.10:80/tcp with 1 backend'
    check "and serves, from a pod" fact_is served 200
    check "the pod that came later is seen to" fact_is later '\["redirect",null\]'
    check "it can be reloaded" fact_is reload ''
    check "killed, what is pinned goes on" fact_is killed 200
    check "systemd starts it again" fact_is again active
    check "with its services" fact_is kept 1
    check "which serve" fact_is served_again 200
    check "it stops" fact_is stop ''
    check "and what is pinned goes on" fact_is stopped 200
}

install_lbd || fail "lbd is installed"
check "systemd-analyze finds it exposed by at most $EXPOSURE_MAX" is_exposed_at_most \
    "$EXPOSURE_MAX"
write_probe
if can_boot; then
    test_run
else
    skip "lbd runs as its unit starts it" "systemd cannot be booted here: it takes overlay, cgroup2"
fi

finish
