# shellcheck shell=bash
# A cgroup of the test's own, so that --socket-lb all reaches nobody else on this machine. To be
# sourced behind _init.sh.

UNIFIED=$(awk '$3 == "cgroup2" {print $2; exit}' /proc/self/mounts)
HOME_CGROUP=$UNIFIED$(awk -F: '$1 == 0 {print $3}' /proc/self/cgroup)
CGROUP=$UNIFIED/$PREFIX

enter_cgroup() {
    [ -n "$UNIFIED" ] && mkdir "$CGROUP" && echo $$ >"$CGROUP/cgroup.procs"
}

# A command by who is no client of this node, though all namespaces are in one machine.
outside() { # COMMAND…
    (echo "$BASHPID" >"$HOME_CGROUP/cgroup.procs" && "$@")
}

# Also what was started there ends.
leave_cgroup() {
    local pids
    [ -d "$CGROUP" ] || return
    echo $$ >"$HOME_CGROUP/cgroup.procs"
    mapfile -t pids <"$CGROUP/cgroup.procs" # at once: it changes while they end
    kill -9 "${pids[@]}" 2>/dev/null
    within 5 rmdir "$CGROUP" 2>/dev/null
}

trap 'leave_cgroup; clean_up' EXIT
