#!/bin/bash
# The benchmark: one command, as root, on a Debian 12 machine; installs what it needs, builds, and
# cleans up after itself. Ten minutes at most.
#
#     test/bench/run.sh [--quick|--full] [--rounds N] [PART…]
#
# --quick: every part once and small, under two minutes, to show that the harness works; its figures
# are of fewer services than the targets mean. --full: also what takes long to load (50,000 services
# as iptables rules, 10,000 as nftables'). PART: counts, program, path, control, applications;
# default all.
#
# Prints tables with the targets last, and leaves in build/bench/ result.json, the plots as SVG and
# PNG, and index.html, which shows them. Status: 0 when every part ran and no count has grown by
# more than counts.json allows; missed targets do not fail.
# BUILD: the build directory (build).

set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
. test/install.sh
. test/bench/_grace.sh

BENCH_PACKAGES=(iptables nftables ethtool iperf3 wrk nginx-light python3-matplotlib)
ALL_PARTS=(counts program path control applications)
BUILD=${BUILD:-build}
ROUNDS=7
QUICK=
FULL=
PARTS=()
FAILED=()

usage() {
    sed -n '5s/^# *//p' test/bench/run.sh >&2
    exit 2
}

parse_arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
        --quick) QUICK=1; ROUNDS=2 ;;
        --full) FULL=1 ;;
        --rounds) ROUNDS=${2:-}; shift ;;
        counts | program | path | control | applications) PARTS+=("$1") ;;
        *) usage ;;
        esac
        shift
    done
    [[ $ROUNDS =~ ^[1-9][0-9]*$ ]] || usage
    [ "${#PARTS[@]}" = 0 ] && PARTS=("${ALL_PARTS[@]}")
}

# nginx is for the pods: the host's own must neither start now nor at the next boot.
install_bench_packages() {
    local missing policy=/usr/sbin/policy-rc.d made_policy=
    mapfile -t missing < <(missing_of "${BENCH_PACKAGES[@]}")
    [ "${#missing[@]}" = 0 ] && return
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
        made_policy=1
    fi
    install_missing "${missing[@]}"
    local status=$?
    [ -n "$made_policy" ] && rm -f "$policy"
    [[ " ${missing[*]} " == *" nginx-light "* ]] && systemctl disable nginx 2>/dev/null
    return "$status"
}

build_quietly() {
    local log
    if [ ! -f "$BUILD/build.ninja" ]; then
        log=$(meson setup "$BUILD" -Dtests=true 2>&1) || { echo "$log" >&2; return 1; }
    fi
    log=$(meson configure "$BUILD" -Dtests=true 2>&1 && meson compile -C "$BUILD" 2>&1) ||
        { printf '%s\n' "$log" | tail -n 40 >&2; return 1; }
}

run_counts() {
    "$BUILD/test/bench/bench_counts" >"$OUT/counts.json" || return
    /usr/bin/python3 test/bench/counts.py "$OUT/counts.json" | grep -v '^ok' >&2
    [ "${PIPESTATUS[0]}" = 0 ]
}

run_program() {
    local program=$BUILD/test/bench/bench_program options=(--rounds "$ROUNDS")
    if [ ! -x "$program" ]; then
        echo "program: skipped, $program is not built"
        return 0
    fi
    [ -n "$QUICK" ] && options+=(--quick)
    with_short_grace_periods "$program" "${options[@]}" >"$OUT/program.json"
}

run_path() {
    test/bench/path.sh "$OUT/path.json" --rounds "$ROUNDS"
}

run_control() {
    test/bench/control.sh "$OUT/control.json"
}

run_applications() {
    local rounds=3
    [ -n "$QUICK" ] && rounds=1
    [ -n "$FULL" ] && rounds=7
    test/bench/applications.sh "$OUT/applications.json" --rounds "$rounds"
}

run_part() { # PART, its messages in OUT/PART.log
    local start=$SECONDS
    if "run_$1" 2>"$OUT/$1.log"; then
        echo "$1: $((SECONDS - start)) s"
        return
    fi
    FAILED+=("$1")
    echo "$1: FAILED after $((SECONDS - start)) s; $OUT/$1.log ends with:"
    tail -n 15 "$OUT/$1.log" | sed 's/^/    /'
}

describe_machine() {
    echo "$(date -u +%F), $(nproc) × $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)," \
        "kernel $(uname -r), lb $(git rev-parse --short HEAD 2>/dev/null || echo unknown)," \
        "$ROUNDS rounds, load before $(cut -d ' ' -f 1 /proc/loadavg)"
    [ -n "$QUICK" ] && echo "QUICK: small and short; the targets mean more services and rounds"
    return 0
}

parse_arguments "$@"
[ "$(id -u)" = 0 ] || { echo "test/bench/run.sh must run as root" >&2; exit 1; }
install_packages --test && install_bench_packages && build_quietly || exit
BUILD=$(cd "$BUILD" && pwd)
OUT=$BUILD/bench
export BUILD QUICK FULL
mkdir -p "$OUT"
rm -f "$OUT"/*.json "$OUT"/*.log "$OUT"/*.svg "$OUT"/*.png "$OUT"/table.txt

trap restore_grace_periods EXIT
trap 'exit 130' INT TERM HUP
MACHINE=$(describe_machine)
for part in "${PARTS[@]}"; do
    run_part "$part"
done
{
    echo "$MACHINE"
    /usr/bin/python3 test/bench/report.py "$OUT"
} | tee "$OUT/table.txt"
[ "${PIPESTATUS[0]}" = 0 ] || FAILED+=(report)
/usr/bin/python3 test/bench/plots.py "$OUT" || FAILED+=(plots)
echo "everything is in $OUT: result.json, index.html"
[ "${#FAILED[@]}" = 0 ] || { echo "failed: ${FAILED[*]}" >&2; exit 1; }
