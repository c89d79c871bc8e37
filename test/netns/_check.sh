# shellcheck shell=bash
# Checks that read as sentences, and their totals; _init.sh sources it. It needs WORK, a directory
# for its files, and LBD_LOG, the log whose end belongs to a failure.

PASSED=0
FAILED=0
SKIPPED=0
FINISHED= # yes: the test came to its end

print_totals() {
    echo "# $PASSED passed, $FAILED failed, $SKIPPED skipped"
}

finish() {
    FINISHED=yes
    print_totals
    exit
}

# A test that ended without `finish` has failed, whatever it checked.
report_unfinished() {
    [ -z "$FINISHED" ] && { fail "${0##*/} runs to its end"; print_totals; }
}

fail() { # SENTENCE
    FAILED=$((FAILED + 1))
    echo "not ok - $1"
}

# Passes when the command succeeds; a failure shows what it printed and the end of lbd's log.
check() { # SENTENCE COMMAND…
    local sentence=$1
    shift
    if "$@" >"$WORK/check.out" 2>&1; then
        PASSED=$((PASSED + 1))
        echo "ok - $sentence"
        return 0
    fi
    fail "$sentence"
    tail -c 3000 "$WORK/check.out" | sed 's/^/    /'
    [ -n "$LBD_LOG" ] && tail -n 15 "$LBD_LOG" | cut -c -300 | sed 's/^/    lbd: /'
    return 1
}

skip() { # SENTENCE REASON
    SKIPPED=$((SKIPPED + 1))
    echo "ok - $1 # SKIP $2"
}

fails() { # COMMAND…
    ! "$@"
}

# Whether `jq EXPRESSION` holds for a file; says both if not.
says() { # FILE EXPRESSION
    jq -e "$2" "$1" >/dev/null && return
    echo "expected: $2"
    echo "in: $(head -c 2000 "$1")"
    return 1
}

# The same for what `lbctl -o json COMMAND…` answers.
lbctl_says() { # EXPRESSION COMMAND…
    local expression=$1
    shift
    lbctl -o json "$@" >"$WORK/lbctl.json" && says "$WORK/lbctl.json" "$expression"
}

# Tries a command every 50 ms until it succeeds; fails when that takes longer than SECONDS.
within() { # SECONDS COMMAND…
    local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
    shift
    until "$@"; do
        [ "${EPOCHREALTIME/./}" -ge "$end" ] && return 1
        sleep 0.05
    done
}
