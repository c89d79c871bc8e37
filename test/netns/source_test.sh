#!/bin/bash
# Services of a file beside the operator's: what `lbctl export` prints can be applied as it is, and
# the file alone decides what becomes of its own.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

FILE_SERVICES=5
FILE_ADDRESS=10.100.0.1 # of the first, as make_tables.py counts

sources_are() { # FILE OPERATOR
    lbctl_says '(.sources.file // 0) == '"$1"' and (.sources.operator // 0) == '"$2" status
}

apply_export() {
    lbctl export >"$WORK/export.json" && lbctl -o json apply - <"$WORK/export.json" \
        >"$WORK/applied.json" && cat "$WORK/applied.json"
}

applied_says() { # EXPRESSION
    says "$WORK/applied.json" "$1"
}

reread() {
    kill -HUP "$LBD_PID"
}

test_export_and_apply() {
    check "the file's services and the operator's are there" sources_are "$FILE_SERVICES" 4
    check "what is exported holds all of them" test "$(lbctl export | jq '.services | length')" \
        = $((FILE_SERVICES + 4))
    check "lbctl export | lbctl apply - succeeds" apply_export
    check "and changes nothing" applied_says '.added == 0 and .changed == 0 and .removed == 0 and
        .unchanged == '$((FILE_SERVICES + 4))
    check "nor whose they are" sources_are "$FILE_SERVICES" 4
    check "also with --prune" lbctl_says '.added == 0 and .changed == 0 and .removed == 0' \
        apply --prune "$WORK/export.json"
    check "nor whose they are then" sources_are "$FILE_SERVICES" 4
}

# The operator may not change in passing what the file says.
test_changed_export() {
    jq --arg address "$FILE_ADDRESS" '(.services[] | select(.address == $address) | .algorithm) =
        "random"' "$WORK/export.json" >"$WORK/changed.json"
    check "the export is not as it was" fails cmp -s "$WORK/export.json" "$WORK/changed.json"
    lbctl apply "$WORK/changed.json" >"$WORK/out.txt" 2>"$WORK/err.txt"
    check "a change to a service of the file is refused with status 1" test $? = 1
    check "which is named" grep -F "$FILE_ADDRESS" "$WORK/err.txt"
    check "nothing has changed" lbctl_says '.algorithm != "random"' service show "$FILE_ADDRESS:80"
    check "nor whose they are" sources_are "$FILE_SERVICES" 4
}

test_emptied_file() {
    check "a service of the file answers" answers client "$FILE_ADDRESS:80"
    echo '{"services": []}' >"$WORK/tables.json"
    check "the file is emptied and lbd told so" reread
    check "its services go" within 2 sources_are 0 4
    check "and answer no more" fails answers client "$FILE_ADDRESS:80"
    check "the operator's answer" answers client "$HTTP_SERVICE"
    check "the export applies again" apply_export
    check "and changes nothing" applied_says '.added == 0 and .changed == 0 and .removed == 0 and
        .unchanged == 4'
    lbd_kill KILL
    check "lbd restarts with the empty file" node_lbd --tables "$WORK/tables.json"
    check "and has the operator's services alone" sources_are 0 4
}

# What is in docs/examples is in force once applied.
test_examples() {
    local file
    for file in minimal full grammar kubernetes-list; do
        check "docs/examples/$file.json is applied" \
            lbctl apply --prune "$HERE/../../docs/examples/$file.json"
    done
}

make_topology
"$HERE/make_tables.py" "$FILE_SERVICES" 3 >"$WORK/tables.json"
check "lbd becomes ready with a file of services" node_lbd --tables "$WORK/tables.json"
check "services of the operator's are added and resolved" add_services
test_export_and_apply
test_changed_export
test_emptied_file
test_examples

finish
