# shellcheck shell=bash
# What tests of the API server alone share: it runs on the loopback, in no namespace.
set -u

WORK=$(mktemp -d /tmp/lbt-api.XXXXXX)
PYTHON=/usr/bin/python3
LBD_LOG=
PIDS=()

. "$(dirname "${BASH_SOURCE[0]}")/../netns/_check.sh"
. "$(dirname "${BASH_SOURCE[0]}")/_api_server.sh"

clean_up() {
    trap - EXIT
    report_unfinished
    kill -9 "${PIDS[@]}" 2>/dev/null
    wait "${PIDS[@]}" 2>/dev/null
    rm -rf "${WORK:?}"
    [ "$FAILED" = 0 ]
    exit $?
}

trap clean_up EXIT
trap 'exit 130' INT TERM HUP
