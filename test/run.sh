#!/bin/bash
# Every test, on a Debian 12 machine as root. What is missing is installed.
#
#     test/run.sh              all of them
#     test/run.sh NAME…        those whose name contains one of the words; `test/run.sh -l` lists
#
# Some run beside each other. Each prints `ok - …`, `not ok - …` and `ok - … # SKIP reason` lines,
# kept in build/test-log/NAME.log; failures and skips are shown here. The last line is always
# `N passed, N failed, N skipped`, and the exit status is 0 only when nothing failed.

set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
. test/install.sh

LOGS=build/test-log
PASSED=0
FAILED=0
SKIPPED=0
WANTED=("$@")
AT_ONCE=2 # tests, of those that need not be alone

NAMES=(house build unit bpf differential tc oracle shadow clang19 asan fuzz kernel lbctl_test
       lbctl_output_test schema manifests package image shellcheck)
GENERIC=()
ONCE='fault|health|kube_sync|kube_watch|metrics|mode|name|scale|socket|sweep|takeover|tamper|tc'
ONCE+='|too_big|unit'
for file in test/netns/*_test.sh; do
    name=$(basename "$file" _test.sh)
    NAMES+=("netns/$name")
    # In generic mode as well, but for what sets modes itself, what is the same in both, and what
    # generic mode cannot do (docs/configuration.md).
    [[ $name =~ ^($ONCE)$ ]] || GENERIC+=("$name")
done
NAMES+=("${GENERIC[@]/#/generic/}")
for file in test/kube/*_test.sh; do
    NAMES+=("kube/$(basename "$file" _test.sh)")
done
NAMES+=(soak demo counts bench)

is_wanted() { # NAME
    local word
    [ "${#WANTED[@]}" = 0 ] && return
    for word in "${WANTED[@]}"; do
        [[ $1 == *"$word"* ]] && return
    done
    return 1
}

count_lines() { # FILE PATTERN
    grep -cE "$2" "$1"
}

# What a test without TAP lines amounts to: python's unittest, or just an exit status.
count_plain() { # LOG STATUS
    local ran good bad skipped
    ran=$(sed -n 's/^Ran \([0-9]*\) tests\? in .*/\1/p' "$1" | tail -n 1)
    bad=$(sed -n 's/^FAILED (\(.*\))$/\1/p' "$1" | grep -oE '(failures|errors)=[0-9]+' |
        awk -F= '{sum += $2} END {print sum + 0}')
    skipped=$(sed -n 's/^\(OK\|FAILED\) (.*skipped=\([0-9]*\).*/\2/p' "$1" | tail -n 1)
    good=$((${ran:-1} - bad - ${skipped:-0}))
    [ "$2" != 0 ] && [ "$bad" = 0 ] && { bad=1; good=$((good > 0 ? good - 1 : 0)); }
    echo "$good $bad ${skipped:-0}"
}

# Adds up one log; a status that its lines do not explain is a failure too.
tally() { # NAME LOG STATUS SECONDS
    local passed failed skipped
    skipped=$(count_lines "$2" '^ok\b.*# SKIP')
    passed=$(($(count_lines "$2" '^ok\b') - skipped))
    failed=$(count_lines "$2" '^not ok\b')
    if [ $((passed + failed + skipped)) = 0 ]; then
        read -r passed failed skipped <<<"$(count_plain "$2" "$3")"
    elif [ "$3" != 0 ] && [ "$failed" = 0 ]; then
        failed=1
    fi
    PASSED=$((PASSED + passed))
    FAILED=$((FAILED + failed))
    SKIPPED=$((SKIPPED + skipped))
    printf '%-20s %4d passed, %d failed, %d skipped  (%d s)\n' "$1" "$passed" "$failed" \
        "$skipped" "$4"
    show_findings "$2" "$3" "$failed"
}

show_findings() { # LOG STATUS FAILED
    grep -E '^ok\b.*# SKIP' "$1" | sed 's/^/    /'
    [ "$3" = 0 ] && return
    grep -q '^not ok' "$1" && { grep -A 12 '^not ok' "$1" | head -n 120 | sed 's/^/    /'; return; }
    echo "    status $2 $([ "$2" = 124 ] && echo '(took too long)'), log $1 ends with:"
    tail -n 30 "$1" | sed 's/^/    /'
}

declare -A RUNNING=() # names by process

# One test, ended with its children when it takes longer. The mounts that it makes are its own.
measure() { # NAME SECONDS COMMAND…
    local name=$1 limit=$2 log=$LOGS/${1//\//-} start=$SECONDS
    shift 2
    timeout --kill-after=20 "$limit" "$@" >"$log.log" 2>&1
    echo "$? $((SECONDS - start))" >"$log.end"
}

# Waits for one of those that run, and says what it came to.
finish_one() {
    local process name log status seconds
    wait -n -p process "${!RUNNING[@]}"
    name=${RUNNING[$process]}
    unset "RUNNING[$process]"
    log=$LOGS/${name//\//-}
    read -r status seconds <"$log.end"
    rm "$log.end"
    tally "$name" "$log.log" "$status" "$seconds"
}

finish_all() {
    while [ "${#RUNNING[@]}" != 0 ]; do
        finish_one
    done
}

run() { # NAME SECONDS COMMAND…, beside others
    is_wanted "$1" || return
    [ "${#RUNNING[@]}" -lt "$AT_ONCE" ] || finish_one
    measure "$@" &
    RUNNING[$!]=$1
}

run_alone() { # NAME SECONDS COMMAND…
    finish_all
    run "$@"
    finish_all
}

# Sets a build directory up, or gives it these options, and builds it.
build_in() { # DIRECTORY OPTION…
    local directory=$1
    shift
    if [ -f "$directory/build.ninja" ]; then
        meson configure "$directory" "$@" || return
    else
        meson setup "$directory" "$@" || return
    fi
    meson compile -C "$directory"
}

build_gcc() {
    CC=gcc build_in build -Dwerror=true -Dtests=true
}

build_clang19() {
    if ! command -v clang-19 >/dev/null; then
        echo "ok - BPF compiled by clang-19 # SKIP clang-19 is not installed"
        return
    fi
    CC=gcc build_in build-clang19 -Dwerror=true -Dtests=true -Dbpf_clang=clang-19 >&2 || return
    echo "ok - everything builds with BPF compiled by clang-19"
    run_binaries build-clang19/test/bpf
}

# One at a time: two tests need it, and may run beside each other.
build_with_sanitizers() {
    export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1
    export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
    CC=clang flock "$LOGS/build-asan.lock" test/run.sh --function build_in build-asan \
        -Dwerror=true -Dtests=true -Db_sanitize=address,undefined -Db_lundef=false >&2
}

build_asan() {
    build_with_sanitizers || return
    echo "ok - everything builds with clang and sanitizers"
    run_binaries build-asan/test/unit
}

# What fuzzing found worth keeping (test/fuzz/run.sh), once.
replay_corpora() {
    local corpus target
    build_with_sanitizers || return
    for corpus in test/fuzz/corpus/*; do
        target=$(basename "$corpus")
        if "build-asan/test/fuzz/fuzz_$target" "$corpus"; then
            echo "ok - $target bears its corpus"
        else
            echo "not ok - $target bears its corpus"
        fi
    done
}

# Each executable of a directory; one that dies without a `not ok` line gets one here.
run_binaries() { # DIRECTORY
    local binary status worst=0 found="" out=$LOGS/${1//\//-}
    export CMOCKA_MESSAGE_OUTPUT=TAP
    for binary in "$1"/*; do
        if [ ! -f "$binary" ] || [ ! -x "$binary" ]; then
            continue
        fi
        found=yes
        echo "# $binary"
        timeout 300 "$binary" >"$out.out" 2>"$out.err"
        status=$?
        cat "$out.out" "$out.err"
        if [ "$status" != 0 ] && ! grep -q '^not ok' "$out.out"; then
            echo "not ok - $binary ends with status $status"
        fi
        [ "$status" = 0 ] || worst=1
    done
    [ -n "$found" ] || { echo "not ok - $1 holds tests"; return 1; }
    rm "$out.out" "$out.err"
    return "$worst"
}

check_scripts() {
    local script
    while read -r script; do
        if shellcheck -x "$script"; then
            echo "ok - $script pleases shellcheck"
        else
            echo "not ok - $script pleases shellcheck"
        fi
    done < <(find .ci/run test -name '*.sh' -o -path .ci/run | sort)
}

check_demo() {
    test/demo.sh || return
    echo "ok - test/demo.sh shows the main job"
}

# That every part of the benchmark runs; how fast it was says nothing on a busy machine.
check_bench() {
    test/bench/run.sh --quick || return
    echo "ok - test/bench/run.sh --quick runs every part"
}

run_all() {
    local name function=(test/run.sh --function) apart=(unshare --mount test/run.sh --function)
    run_alone house 60 /usr/bin/python3 test/check_house.py
    run_alone build 300 "${function[@]}" build_gcc
    [ -x build/control/lbd ] || { echo "no lbd was built: nothing else can run"; return; }
    run clang19 1200 "${apart[@]}" build_clang19
    run bpf 900 "${apart[@]}" run_binaries build/test/bpf
    run shadow 600 "${apart[@]}" run_binaries build/test/model/shadow
    run asan 600 "${apart[@]}" build_asan
    run differential 600 unshare --mount build/test/model/differential
    run tc 600 env LBT_HOOK=tc LBT_SEQUENCES=60000 unshare --mount build/test/model/differential
    run oracle 120 build/test/model/oracle
    run unit 300 "${apart[@]}" run_binaries build/test/unit
    run fuzz 600 "${apart[@]}" replay_corpora
    for name in test/unit/*_test.py; do
        run "$(basename "$name" .py)" 120 /usr/bin/python3 "$name"
    done
    run schema 60 /usr/bin/python3 test/schema_check.py
    run manifests 60 /usr/bin/python3 test/manifests_check.py
    run package 400 unshare --mount test/package.sh
    run image 300 unshare --mount test/image.sh
    run shellcheck 120 "${function[@]}" check_scripts
    finish_all
    run kernel 1800 nice test/kernel/run.sh # computes while those of run_netns wait
    run_netns
    run_alone soak 400 test/soak.sh --minutes 2 --seed 1
    run_alone demo 120 "${function[@]}" check_demo
    run_alone counts 120 /usr/bin/python3 test/bench/counts.py build
    run_alone bench 400 "${function[@]}" check_bench
}

# Those that tell how long something takes.
is_timed() { # NAME
    [[ $1 =~ ^(netns/)?(bulk|limits|mac|restart|scale|sweep|takeover|upgrade)$ ]]
}

# Mostly they wait. Where others run beside them, lbd may take longer to be ready.
run_netns() {
    local name generic=(env LBT_XDP_MODE=generic MEBIBYTES=64)
    export READY_SECONDS=30
    AT_ONCE=3
    for name in "${NAMES[@]}"; do
        [[ $name != netns/* && $name != kube/* ]] || is_timed "$name" ||
            run "$name" 600 "test/${name}_test.sh"
    done
    for name in "${GENERIC[@]}"; do
        is_timed "$name" || run "generic/$name" 300 "${generic[@]}" "test/netns/${name}_test.sh"
    done
    for name in "${NAMES[@]}"; do
        [[ $name != netns/* ]] || ! is_timed "$name" || run_alone "$name" 300 "test/${name}_test.sh"
    done
    for name in "${GENERIC[@]}"; do
        ! is_timed "$name" ||
            run_alone "generic/$name" 300 "${generic[@]}" "test/netns/${name}_test.sh"
    done
}

if [ "${1:-}" = --function ]; then # how `run` calls the functions above, in a process of their own
    shift
    "$@"
    exit
fi
if [ "${1:-}" = -l ]; then
    printf '%s\n' "${NAMES[@]}"
    exit
fi
if [ "$(id -u)" != 0 ]; then
    echo "test/run.sh must run as root: it makes network namespaces" >&2
    exit 1
fi
mkdir -p "$LOGS"
install_packages --test || FAILED=1
run_all
echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
[ "$FAILED" = 0 ]
