#!/bin/bash
# The scenarios that Kubernetes' own end-to-end tests hold a proxy to, re-enacted against lbd by
# clients that are a pod, a process of the node and an outside host, over both families.
#
#     scenarios_test.sh [WORD…]     all, or those whose name or function has one of the words
#     scenarios_test.sh --write     and the table into docs/kubernetes-scenarios.md
#
# e2e/table names each scenario, and the function that tells it (@IPv6: of that family alone) or why
# it is none of a proxy. A function that several share is run once.
. "$(dirname "${BASH_SOURCE[0]}")/_cluster.sh"
. "$(dirname "${BASH_SOURCE[0]}")/_scenario.sh"
for file in "$KUBE"/e2e/*.sh; do
    # shellcheck disable=SC1090 # each is checked for itself
    . "$file"
done

TABLE=$WORK/table.md
DOCUMENT=$ROOT/docs/kubernetes-scenarios.md
WRITE=
[ "${1:-}" = --write ] && { WRITE=yes; shift; }
WORDS=("$@")

is_wanted() { # NAME FUNCTION
    local word
    [ "${#WORDS[@]}" != 0 ] || return 0
    for word in "${WORDS[@]}"; do
        [[ $1 == *"$word"* || $2 == *"$word"* ]] && return
    done
    return 1
}

# The worst of the families' results, and which families those are.
result_of() { # FUNCTION FAMILY…
    local function=$1 family worst=ok
    shift
    for family in "$@"; do
        case ${RESULT[$function/$family]} in
        not*) worst="not ok ($family)${RESULT[$function/$family]#not ok}" && break ;;
        skip*) worst=${RESULT[$function/$family]} ;;
        esac
    done
    echo "$worst"
}

tell() { # NAME RESULT FUNCTION FAMILY…
    local name=$1 result=$2 function=$3
    shift 3
    echo "| $name | \`$function\` | $* | $result |" >>"$TABLE"
    case $result in
    ok) PASSED=$((PASSED + 1)); echo "ok - $name → $function, $*" ;;
    skip*) skip "$name" "${result#skip: }" ;;
    *) fail "$name: ${result#not ok }" ;;
    esac
}

run_row() { # NAME FUNCTION[@FAMILY]
    local name=$1 function=${2%@*} families=(IPv4 IPv6) family
    [[ $2 != *@* ]] || families=("${2#*@}")
    is_wanted "$name" "$function" || return
    for family in "${families[@]}"; do
        run_scenario "$function" "$family"
    done
    tell "$name" "$(result_of "$function" "${families[@]}")" "$function" "${families[@]}"
}

run_table() {
    local line
    while read -r line <&4; do
        case $line in
        *' => '*) run_row "${line% => *}" "${line##* => }" ;;
        *' -- '*) echo "| ${line% -- *} | – | | ${line##* -- } |" >>"$TABLE.rest" ;;
        *) fail "a row of the table: $line" ;;
        esac
    done 4<"$KUBE/e2e/table"
}

# What the document says between its two marks.
write_table() {
    {
        sed '/<!-- scenarios -->/q' "$DOCUMENT"
        echo "| scenario | function in \`test/kube/e2e\` | families | result |"
        echo "|---|---|---|---|"
        cat "$TABLE"
        printf '\n| scenario that is none of a proxy | | | why |\n|---|---|---|---|\n'
        cat "$TABLE.rest"
        sed -n '/<!-- end of scenarios -->/,$p' "$DOCUMENT"
    } >"$WORK/document.md" && cat "$WORK/document.md" >"$DOCUMENT"
}

if ! enter_cgroup 2>/dev/null; then
    skip "the scenarios" "no cgroup of version 2 that may be changed"
    finish
fi
make_cluster
check "lbd becomes ready" cluster_lbd
run_table
echo "# $SCENARIOS runs, $(wc -l <"$TABLE.rest") scenarios are none of a proxy"
[ -z "$WRITE" ] || check "the table is written" write_table
finish
