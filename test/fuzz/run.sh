#!/bin/bash
# Fuzzes for long, one target after another, each on one core, with the sanitizers.
#
#     test/fuzz/run.sh [TARGET…] [--minutes N]     all of them, 30 minutes each, unless told
#     test/fuzz/run.sh [TARGET…] --minimise        the smallest corpus with the same coverage
#
# What it finds on its way stays in build-fuzz/corpus/TARGET; a crash, with the input that led to
# it, in build-fuzz/crash/. The exit status is 0 when nothing crashed.

set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
. test/install.sh

BUILD=build-fuzz
MAX_FILES=200
MINUTES=30
MINIMISE=
TARGETS=()
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1:malloc_context_size=4
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
ASAN_SYMBOLIZER_PATH=$(command -v llvm-symbolizer-14)
export ASAN_SYMBOLIZER_PATH

while [ $# -gt 0 ]; do
    case $1 in
    --minutes)
        MINUTES=${2:?--minutes needs a number}
        shift
        ;;
    --minimise) MINIMISE=yes ;;
    *) TARGETS+=("$1") ;;
    esac
    shift
done

build() { # TARGET…
    if [ ! -f "$BUILD/build.ninja" ]; then
        CC=clang meson setup "$BUILD" -Dfuzz=true -Dtests=true -Db_sanitize=address,undefined \
            -Db_lundef=false || return
    fi
    meson compile -C "$BUILD" "${@/#/fuzz_}"
}

# The numbers libFuzzer prints at its end.
statistic() { # LOG NAME
    sed -n "s/^stat::$2: *//p" "$1" | tail -n 1
}

edges() { # LOG
    grep -oE 'cov: [0-9]+' "$1" | tail -n 1 | cut -d ' ' -f 2
}

fuzz() { # TARGET
    local corpus=$BUILD/corpus/$1 log=$BUILD/$1.log status
    mkdir -p "$corpus" "$BUILD/crash"
    nice -n 15 "$BUILD/test/fuzz/fuzz_$1" -dict=test/fuzz/json.dict -max_len=8192 -timeout=60 \
        -rss_limit_mb=1500 -max_total_time=$((MINUTES * 60)) -print_final_stats=1 \
        -artifact_prefix="$BUILD/crash/$1-" "$corpus" "test/fuzz/corpus/$1" >"$log" 2>&1
    status=$?
    printf '%-12s %10s executions, %5s edges, %s minutes, %s\n' "$1" \
        "$(statistic "$log" number_of_executed_units)" "$(edges "$log")" "$MINUTES" \
        "$([ "$status" = 0 ] && echo 'no crash' || echo "CRASH: $log")"
    return "$status"
}

# Files with names (what once crashed, and examples) stay; the others are those that reach an edge
# which none before them reaches, small ones first.
minimise() { # TARGET
    local corpus=test/fuzz/corpus/$1 merged=$BUILD/merged/$1
    rm -rf "$merged"
    mkdir -p "$merged" "$BUILD/corpus/$1" "$corpus"
    find "$corpus" -type f -regextype egrep -not -regex '.*/[0-9a-f]{40}' -exec cp -t "$merged" {} +
    "$BUILD/test/fuzz/fuzz_$1" -merge=1 -use_counters=0 -max_len=8192 -timeout=10 "$merged" \
        "$corpus" "$BUILD/corpus/$1" >"$BUILD/$1.merge.log" 2>&1 || return
    rm -rf "$corpus"
    mkdir "$corpus"
    find "$merged" -type f -printf '%s %p\n' | sort -n | head -n "$MAX_FILES" |
        cut -d ' ' -f 2 | xargs cp -t "$corpus"
    echo "$1: $(find "$corpus" -type f | wc -l) files, $(du -sb "$corpus" | cut -f 1) bytes"
}

if [ "${#TARGETS[@]}" = 0 ]; then
    mapfile -t TARGETS < <(find test/fuzz/corpus -mindepth 1 -maxdepth 1 -printf '%f\n' | sort)
fi
install_packages --test && build "${TARGETS[@]}" >/dev/null || exit
WORST=0
for target in "${TARGETS[@]}"; do
    if [ -n "$MINIMISE" ]; then
        minimise "$target" || WORST=1
    else
        fuzz "$target" || WORST=1
    fi
done
exit "$WORST"
