#!/bin/bash
# The main job, to see: a node that balances a service over three pods with XDP. Run it as root on a
# Debian 12 machine; it installs what is missing, builds, shows, and cleans up after itself.

set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
if [ "$(id -u)" != 0 ]; then
    echo "test/demo.sh must run as root: it makes network namespaces" >&2
    exit 1
fi
. test/install.sh

build_quietly() {
    local log
    [ -f build/build.ninja ] || log=$(meson setup build 2>&1) || { echo "$log" >&2; return 1; }
    log=$(meson compile -C build 2>&1) || { printf '%s\n' "$log" | tail -n 40 >&2; return 1; }
}

install_packages || exit
echo "Building …"
build_quietly || exit
. test/netns/_init.sh

REQUESTS=600

# Shows a command as one would type it, then runs it.
typed() { # COMMAND…
    echo "\$ $*"
    "$@" && return
    echo "demo: that failed with status $?; lbd said:" >&2
    tail -n 20 "$LBD_LOG" >&2
    exit 1
}

heading() {
    printf '\n%s\n' "$*"
}

bars() { # FILE: pod, answers, a bar; fails where one request did
    "$PYTHON" - "$1" <<'PYTHON'
import json, sys
load = json.load(open(sys.argv[1]))
total = sum(load["backends"].values())
for pod, count in load["backends"].items():
    share = count / total
    print(f"  {pod}  {count:4d}  {share:4.0%}  {'█' * round(share * 60)}")
failures = load["failures"] if "failures" in load else load["lost"] + load["stray"]
print(f"  {total} answers, {failures} failures, {load['seconds']:.1f} s")
sys.exit(failures > 0 or total == 0)
PYTHON
}

spread() { # ADDRESS
    echo "# $REQUESTS HTTP requests from the client to $1, 20 at a time:"
    http_load "$WORK/load.json" client -n "$REQUESTS" -c 20 "$1" 80
    bars "$WORK/load.json" || exit 1
}

curl() { # as the client's
    inside client curl -sS -m 5 "$@"
}

make_topology
heading "A node that forwards nothing itself, a client outside, three pods 10.1.0.11–13."
echo "\$ lbd --interface uplink0 --interface 'veth-*'"
node_lbd || exit 1
grep -wm 1 ready "$LBD_LOG"

heading "A service, and requests through its virtual address"
typed lbctl service add 10.96.0.10:80 --name default/web --backend 10.1.0.11:8080 \
    --backend 10.1.0.12:8080 --backend 10.1.0.13:8080
wait_resolved || exit 1
typed curl http://10.96.0.10/
typed curl http://10.96.0.10/
spread 10.96.0.10

heading "The same over IPv6"
typed lbctl service add '[fd00:96::10]:80' --name default/web6 --backend '[fd00:1::11]:8080' \
    --backend '[fd00:1::12]:8080' --backend '[fd00:1::13]:8080'
wait_resolved || exit 1
typed curl 'http://[fd00:96::10]/'
spread fd00:96::10

heading "A backend is drained: no new connection for pod-b"
typed lbctl backend set 10.96.0.10:80 10.1.0.12:8080 --state draining
spread 10.96.0.10
grep -q pod-b "$WORK/load.json" && exit 1
typed lbctl backend set 10.96.0.10:80 10.1.0.12:8080 --state active

heading "UDP"
typed lbctl service add 10.96.0.10:53/udp --name default/echo --backend 10.1.0.11:8053 \
    --backend 10.1.0.12:8053 --backend 10.1.0.13:8053
wait_resolved || exit 1
echo "# $REQUESTS datagrams, each from a new port:"
udp_load "$WORK/load.json" client -n "$REQUESTS" 10.96.0.10 53
bars "$WORK/load.json" || exit 1

heading "What lbd knows"
typed lbctl service list
typed lbctl backend list 10.96.0.10:80
typed lbctl interface list

heading "The main job is done: every request was answered."
FINISHED=yes # for _init.sh: not cut short
export FINISHED
exit 0
