#!/bin/bash
# Control: how long tables take to be in place, from nothing, from what is pinned and one by one;
# what lbd and its maps weigh; and the same of kube-proxy's rules where they load. Whoever is timed
# has balanced before.
#
#     control.sh FILE          BUILD, QUICK=1 (small), FULL=1 (nothing left out)
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"
. "$HERE/_grace.sh"

RESULT=$1
SERVICES=50000
RULES=(iptables:10000 nftables:2000)
REPEATS=7
[ -n "$QUICK" ] && { SERVICES=5000; RULES=(iptables:500 nftables:500); REPEATS=3; }
[ -n "$FULL" ] && RULES=(iptables:10000 iptables:50000 nftables:2000 nftables:10000)
: >"$RESULT"

note() { # KEY NUMBER
    jq -cn --arg note "$1" --argjson value "$2" '{$note, $value}' >>"$RESULT"
}

# Starts lbd as _init.sh does, and says when its log has the word, in ms since the start.
start_timed() { # WORD LANE OPTION…
    local word=$1 start=${EPOCHREALTIME/./}
    shift
    lbd_launch "$@" --interface n0 --interface n1
    until grep -qw "$word" "$LBD_LOG"; do
        kill -0 "$LBD_PID" 2>/dev/null || { tail -n 5 "$LBD_LOG" >&2; return 1; }
        sleep 0.002
    done
    SPENT=$(awk -v us=$((${EPOCHREALTIME/./} - start)) 'BEGIN {print us / 1000}')
}

# Every service answers with the right backends: bench_path shows it or fails.
all_balance() { # LANE SERVICES xdp|skb
    with_short_grace_periods "$BUILD/test/bench/path/bench_path" --rounds 1 --slice-ms 1 \
        --pattern new "$1,$PREFIX-$1,$2,balancer,$3,1" >/dev/null
}

# What the kernel and everybody else have taken; a rule set is the difference.
used_mib() {
    awk '$1 == "MemTotal:" {all = $2} $1 == "MemAvailable:" {free = $2}
        END {print (all - free) / 1024}' /proc/meminfo
}

prepare_sockets() { # LANE: for control.py
    local pod
    inside "$1" client ip address add 172.16.0.1/32 dev c0
    # Pods are addresses of the backend here; a service nobody translates goes nowhere.
    for pod in 0 1 2 3 4; do
        inside "$1" backend ip address add "10.128.0.$pod/32" dev lo
    done
    inside "$1" node ip route replace blackhole 10.96.0.0/12
}

run_python() { # LANE SERVICES
    "$PYTHON" "$HERE/control.py" "$(jq -cn --arg prefix "$PREFIX" --arg lane "$1" \
        --arg lbctl "$LBCTL" --arg socket "$WORK/$1.sock" --arg work "$WORK" \
        --arg makers "$HERE/make_rules.py" --argjson services "$2" --arg quick "$QUICK" \
        '{$prefix, $lane, $lbctl, $socket, $work, $makers, $services, quick: ($quick != "")}')" \
        >>"$RESULT"
}

# What lbd's maps take, each once however many fds there are. Kernel memory, as fdinfo tells it.
map_bytes() {
    local file
    for file in /proc/"$LBD_PID"/fdinfo/*; do
        awk '/^map_id:/ {id = $2} /^memlock:/ {bytes = $2} END {if (id) print id, bytes}' "$file"
    done 2>/dev/null | sort -u | awk '{sum += $2} END {print sum + 0}'
}

status_kib() { # FIELD
    awk -v field="$1:" '$1 == field {print $2}' "/proc/$LBD_PID/status"
}

note_memory() {
    sleep 2 # settled: what loading took is given back
    note "lbd RSS MiB" "$(status_kib VmRSS | awk '{print $1 / 1024}')"
    note "lbd RSS without mapped tables MiB" "$(status_kib RssAnon | awk '{print $1 / 1024}')"
    note "maps MiB" "$(map_bytes | awk '{print $1 / 1048576}')"
}

measure_ours() {
    make_lane ours
    "$HERE/make_rules.py" tables "$SERVICES" >"$WORK/tables.json"
    note "services" "$SERVICES"
    "$BUILD/test/bench/path/bench_tables" "$WORK/tables.json" "$WORK/bpf/tables" "$REPEATS" \
        >>"$RESULT" || return
    rm -rf "$WORK"/bpf/tables-*
    start_timed tables-loaded ours --tables "$WORK/tables.json" || return
    note "lbd --tables to all in place ms" "$SPENT"
    within 20 grep -qw ready "$LBD_LOG"
    all_balance ours "$SERVICES" xdp || return
    note_memory
    stop_lbd KILL
    start_timed ready ours --tables "$WORK/tables.json" || return
    note "restart with all pinned to ready ms" "$SPENT"
    prepare_sockets ours
    run_python ours "$SERVICES" || return
    stop_lbd TERM
    rm -rf "$WORK"/bpf/ours "$WORK"/ours.state
    start_timed ready ours || return
    note "lbd empty to ready ms" "$SPENT"
    SPENT=$(milliseconds lbctl ours apply "$WORK/tables.json") || return
    note "lbctl apply ms" "$SPENT"
    stop_lbd TERM
    remove_lanes ours
}

measure_rules() { # KIND SERVICES
    local lane=$1-$2 spent before
    make_lane "$lane"
    "$HERE/make_rules.py" "$1" "$2" >"$WORK/rules"
    before=$(used_mib)
    spent=$(milliseconds "load_$1" "$lane" "$WORK/rules") || return
    note "$1 $2 load ms" "$spent"
    note "$1 $2 MiB" "$(awk -v before="$before" -v after="$(used_mib)" \
        'BEGIN {print after - before}')"
    prepare_kernel_lane "$lane"
    all_balance "$lane" "$2" skb || return
    prepare_sockets "$lane"
    run_python "$lane" "$2" || return
    "$HERE/make_rules.py" "$1" "$2" --again >"$WORK/rules"
    spent=$(milliseconds "load_$1" "$lane" "$WORK/rules") || return
    note "$1 $2 restart, all written again ms" "$spent"
    remove_lanes "$lane"
}

measure_ours || exit
for rules in "${RULES[@]}"; do
    measure_rules "${rules%:*}" "${rules#*:}" || exit
done
