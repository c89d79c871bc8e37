#!/bin/bash
# Which lines of lb/ and control/ the tests reach, by clang's counters, in about 15 minutes.
#
#     test/coverage.sh                  all tests that run lbd, lbctl or their parts
#     test/coverage.sh NAME…            of the tests of test/netns those alone
#     test/coverage.sh --report         the figures of the last run again
#     test/coverage.sh --missed FILE    the lines of a file that it did not reach
#
# Counters are in files that are mapped, so what is killed has counted, too. The last line is
# `lines: N of M, P %`, and the exit status is 0 when P is at least 90.

set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
. test/install.sh

BUILD=$PWD/build-coverage
COUNTS=$BUILD/counts # also of an lbd that runs as another user
PROFILE=$BUILD/all.profdata
LEAST=90

build() {
    local counters=(-fprofile-instr-generate -fcoverage-mapping)
    [ -f "$BUILD/build.ninja" ] ||
        CC=clang meson setup "$BUILD" -Dtests=true \
            "-Dc_args=${counters[*]} -mllvm -runtime-counter-relocation" \
            "-Dc_link_args=${counters[*]}" || return
    meson compile -C "$BUILD"
}

# One test, whose own verdict is test/run.sh's to look at.
run() { # COMMAND…
    timeout 300 "$@" >"$BUILD/last.log" 2>&1 || echo "# ends with status $?: $*"
}

run_tests() { # NAME…
    local binary test
    export LLVM_PROFILE_FILE=$COUNTS/%m%c.profraw
    export LBD=$BUILD/control/lbd LBCTL=$BUILD/control/lbctl READY_SECONDS=30
    rm -rf "$COUNTS"
    mkdir -m 1777 "$COUNTS"
    if [ $# = 0 ]; then
        for binary in "$BUILD"/test/unit/* "$BUILD"/test/bpf/*; do
            [ ! -f "$binary" ] || [ ! -x "$binary" ] || run unshare --mount "$binary"
        done
        for test in test/unit/*_test.py; do
            run /usr/bin/python3 "$test"
        done
        set -- test/netns/*_test.sh
    else
        set -- "${@/#/test/netns/}"
        set -- "${@/%/_test.sh}"
    fi
    for test in "$@"; do
        run "$test"
    done
    chmod a+r "$COUNTS"/*
    llvm-profdata-14 merge --failure-mode=all -o "$PROFILE" "$COUNTS"/*.profraw
}

objects() {
    local binary
    echo "$BUILD/control/lbd" -object "$BUILD/control/lbctl"
    for binary in "$BUILD"/test/unit/* "$BUILD"/test/bpf/*; do
        [ ! -f "$binary" ] || [ ! -x "$binary" ] || echo -object "$binary"
    done
}

coverage() { # COMMAND ARGUMENT…
    local command=$1
    shift
    # shellcheck disable=SC2046 # a word each
    llvm-cov-14 "$command" $(objects) -instr-profile="$PROFILE" "$@" 2>/dev/null
}

# A line a file with what it lacks, and the sum.
report() {
    coverage export -summary-only lb control | jq -r --arg root "$PWD/" --argjson least "$LEAST" '
        [.data[0].files[] | select(.filename | test("/(lb|control)/[^/]*[.]c$")) |
            {name: (.filename | ltrimstr($root) | sub("^.*[.][.]/"; "")), all: .summary.lines.count,
             reached: .summary.lines.covered}] |
        (sort_by(.reached - .all)[] |
            "\(.name): \(.reached) of \(.all), \(.reached * 100 / .all | floor) %"),
        (map(.all) | add) as $all | (map(.reached) | add) as $reached |
        "lines: \($reached) of \($all), \($reached * 1000 / $all | floor / 10) %",
        ($reached * 100 >= $all * $least)' >"$BUILD/report.txt"
    sed '$d' "$BUILD/report.txt"
    [ "$(tail -n 1 "$BUILD/report.txt")" = true ]
}

case ${1:-} in
--report) report ;;
--missed)
    coverage show | awk -v title="$PWD/${2:?--missed needs a file}:" '
        /^\// {shown = $0 == title}
        shown && /^ *[0-9]+\| +0\|/'
    ;;
*)
    install_packages --test && build >/dev/null && run_tests "$@" && report
    ;;
esac
