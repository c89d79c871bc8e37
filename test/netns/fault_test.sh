#!/bin/bash
# Calls of lbd fail, some of each class: see docs/testing.md and test/fault/run.sh, which does all.

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if test/fault/run.sh >"$log" 2>&1; then
    echo "ok - lbd bears what fails around it, as docs/testing.md has it"
else
    cat "$log"
    grep -q '^not ok' "$log" || echo "not ok - test/fault/run.sh runs to its end"
    exit 1
fi
sed -n 's/^|/# |/p' "$log"
