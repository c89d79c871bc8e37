#!/bin/bash
# Makes each call that lbd depends on fail, one at a time, and looks what becomes of it.
#
#     test/fault/run.sh                 some of the places that call, in about a minute
#     test/fault/run.sh --all           all of them; --write puts the table into docs/testing.md
#     test/fault/run.sh --class NAME    of these classes; --phase start or changes; --verbose
#
# Needs root and a build with -Dtests=true (BUILD: its directory). Everything happens in namespaces
# that end with it.
exec unshare --mount --net --propagation private \
    /usr/bin/python3 "$(dirname "${BASH_SOURCE[0]}")/faults.py" "$@"
