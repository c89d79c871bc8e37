#!/bin/sh
# The first process of the guest that run.sh boots: BPF tests, then lbd on a node that has a client
# and a pod. Prints TAP lines and, when it got so far, `# the end`.
#
#     client ── eth0 ── uplink0 ── this ── veth-pod ── eth0 ── pod 10.1.0.11, fd00:1::11
#     192.0.2.2      192.0.2.1                                   a web server at 8080
#     2001:db8::2    2001:db8::1
#
# It does not forward, so only lbd's programs can move a packet between client and pod.

SERVICE=10.96.0.10
SERVICE6=fd00:96::10
LBD_USER=58001
CAPABILITIES=-all,+bpf,+net_admin,+perfmon,+sys_admin
LOG=/lbd.log
LBD_PID=

prepare() {
    /bin/busybox mkdir -p /proc /sys /dev /tmp /run/lbd /run/netns /var/lib/lbd /busybox /www
    /bin/busybox --install -s /busybox
    export PATH=/bin:/busybox
    chown "$LBD_USER" /run/lbd /var/lib/lbd
    mount -t proc proc /proc
    mount -t sysfs sys /sys
    mount -t devtmpfs dev /dev
    mount -t bpf bpf /sys/fs/bpf
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    busybox insmod /veth.ko
    ip link set lo up
    echo # behind what the firmware has written
    echo "# Linux $(uname -v | sed 's/.*Debian //'), $(uname -r)"
}

run_tests() {
    export CMOCKA_MESSAGE_OUTPUT=TAP LBT_HAMMER_ROUNDS=20 LBT_DUELS=500 LBT_FLOOD=100000
    for test in /tests/*; do
        echo "# $test, $(cut -d ' ' -f 1 /proc/uptime) s after boot"
        only=$(sed -n "s/^${test##*/} //p" /only)
        env ${only:+"LBT_ONLY=$only"} "$test" || echo "not ok - $test ends with status $?"
    done
}

check() { # SENTENCE COMMAND…
    sentence=$1
    shift
    if "$@" >/said 2>&1; then
        echo "ok - $sentence"
        return
    fi
    echo "not ok - $sentence"
    sed 's/^/# /' /said
}

fails() { # COMMAND…
    ! "$@"
}

within() { # TENTHS COMMAND…
    tenths=$1
    shift
    while ! "$@"; do
        tenths=$((tenths - 1))
        [ "$tenths" -gt 0 ] || return 1
        sleep 0.1
    done
}

connect() { # NAME INTERFACE
    ip netns add "$1" &&
        ip link add "$2" type veth peer name eth0 netns "$1" &&
        ip link set "$2" up &&
        ip -n "$1" link set lo up &&
        ip -n "$1" link set eth0 up
}

make_network() {
    echo 0 >/proc/sys/net/ipv4/ip_forward
    connect client uplink0 && connect pod veth-pod || return
    ip address add 192.0.2.1/24 dev uplink0
    ip address add 2001:db8::1/64 dev uplink0 nodad
    ip -n client address add 192.0.2.2/24 dev eth0
    ip -n client address add 2001:db8::2/64 dev eth0 nodad
    ip -n client route add default via 192.0.2.1
    ip -n client route add default via 2001:db8::1
    ip address add 10.1.0.1/24 dev veth-pod
    ip address add fd00:1::1/64 dev veth-pod nodad
    ip -n pod address add 10.1.0.11/24 dev eth0
    ip -n pod address add fd00:1::11/64 dev eth0 nodad
    ip -n pod route add default via 10.1.0.1
    ip -n pod route add default via fd00:1::1
    echo pod >/www/index.html
    ip netns exec pod busybox httpd -p 8080 -h /www
}

is_ready_or_gone() {
    grep -qw ready "$LOG" || ! kill -0 "$LBD_PID" 2>/dev/null
}

# As its unit for systemd does.
start_lbd() {
    : >"$LOG"
    setpriv --reuid "$LBD_USER" --regid "$LBD_USER" --clear-groups \
        --bounding-set "$CAPABILITIES" --inh-caps "$CAPABILITIES" --ambient-caps "$CAPABILITIES" \
        lbd --xdp-mode native --interface uplink0 --interface veth-pod \
        --socket-lb host-only >"$LOG" 2>&1 &
    LBD_PID=$!
    within 900 is_ready_or_gone
    cat "$LOG"
    grep -qw ready "$LOG"
}

kill_lbd() {
    kill -9 "$LBD_PID"
    wait "$LBD_PID"
    [ $? = 137 ]
}

says() { # WORDS COMMAND…
    words=$1
    shift
    answer=$("$@") || return
    echo "$answer"
    echo "$answer" | grep -Eq "$words"
}

is_native() { # INTERFACE
    says "^$1 .* native " lbctl interface list
}

# busybox's wget dies without a database of users.
serves() { # ADDRESS
    printf 'GET / HTTP/1.0\r\n\r\n' | ip netns exec client busybox nc -w 5 "$1" 80 |
        grep -qx pod
}

# The same from here: the service's address leads nowhere, so only sockets can be led to the pod.
serves_here() { # ADDRESS
    printf 'GET / HTTP/1.0\r\n\r\n' | busybox nc -w 5 "$1" 80 | grep -qx pod
}

# A request after another while the file is there; one that fails leaves a line.
keep_asking() { # FILE FAILURES ANSWERS
    while [ -e "$1" ]; do
        if serves "$SERVICE"; then
            echo answered >>"$3"
        else
            echo failed >>"$2"
        fi
    done
}

restart_lbd() {
    start_lbd && grep -q 'event=adopted services=2' "$LOG"
}

use_lbd() {
    check "client, node and pod are there" make_network
    check "lbd starts" start_lbd
    check "uplink0 has its program in native mode" is_native uplink0
    check "veth-pod has, too" is_native veth-pod
    check "a service is added" lbctl service add "$SERVICE:80" --backend 10.1.0.11:8080
    check "one of IPv6, too" lbctl service add "[$SERVICE6]:80" --backend '[fd00:1::11]:8080'
    check "lbctl lists both" says "1/1.*operator" lbctl service list
    check "a request is answered by the pod" within 50 serves "$SERVICE"
    check "so is one of IPv6" within 50 serves "$SERVICE6"
    check "and one of a process of the node" serves_here "$SERVICE"
    check "over IPv6" serves_here "$SERVICE6"

    touch /asking /failures /answers
    keep_asking /asking /failures /answers &
    asker=$!
    check "lbd is killed" kill_lbd
    check "requests are answered while there is none" serves "$SERVICE"
    check "a new one adopts both services" restart_lbd
    rm /asking
    wait "$asker"
    check "no request failed meanwhile" fails test -s /failures
    echo "# $(wc -l </answers) were answered"
    check "lbctl lists both services again" says "1/1.*operator" lbctl service list
    check "the backend's connections are still counted" says "10.1.0.11:8080 .* active +- +[1-9]" \
        lbctl backend list "$SERVICE:80"
    check "a request of IPv6 is answered" serves "$SERVICE6"
}

is_content() {
    dmesg >/said_by_kernel
    ! grep -E 'BUG:|WARNING:|Oops|Call Trace' /said_by_kernel
}

prepare
use_lbd
run_tests
check "the kernel has nothing to complain of" is_content
echo "# the end"
poweroff -f
