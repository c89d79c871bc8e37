# shellcheck shell=bash
# Expedited RCU grace periods while a command runs. Every BPF_PROG_TEST_RUN waits for two, in which
# nothing is measured: half of a part's time otherwise. It is a setting of the whole machine and is
# put back; where it cannot be changed (a container) all takes longer and is no different.

GRACE_KNOB=/sys/kernel/rcu_expedited
GRACE_BEFORE=

restore_grace_periods() {
    [ -n "$GRACE_BEFORE" ] && echo "$GRACE_BEFORE" >"$GRACE_KNOB"
    GRACE_BEFORE=
}

with_short_grace_periods() { # COMMAND…
    local status
    if [ -w "$GRACE_KNOB" ]; then
        GRACE_BEFORE=$(cat "$GRACE_KNOB")
        echo 1 >"$GRACE_KNOB" || GRACE_BEFORE=
    fi
    "$@"
    status=$?
    restore_grace_periods
    return "$status"
}
