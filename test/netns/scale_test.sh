#!/bin/bash
# 50,000 services of 5 backends each are loaded in seconds, by a file at the start and by `lbctl
# apply`, and really serve.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

SERVICES=${SERVICES:-50000}
BACKENDS=5
LIMIT_SECONDS=30
READY_SECONDS=60
LIMITS=(--max-services "$SERVICES" --max-backends $((SERVICES * BACKENDS)))

exec 3>&1

in_time() { # SENTENCE COMMAND…, which may take LIMIT_SECONDS
    local sentence=$1 start=${EPOCHREALTIME/./} status spent
    shift
    "$@"
    status=$?
    spent=$(((${EPOCHREALTIME/./} - start) / 1000))
    echo "# $sentence: $((spent / 1000)).$(printf '%03d' $((spent % 1000))) s" >&3
    [ "$status" = 0 ] && [ "$spent" -lt $((LIMIT_SECONDS * 1000)) ]
}

address_of() { # INDEX, as make_tables.py counts
    echo "10.$((100 + ($1 + 1) / 65536)).$((($1 + 1) / 256 % 256)).$((($1 + 1) % 256))"
}

spot_check() {
    local index address
    check "all $SERVICES services are there" lbctl_says '.services == '"$SERVICES"' and
        .backends == '$((SERVICES * BACKENDS)) status
    check "next hops are known" wait_resolved
    for index in 0 $((SERVICES / 2)) $((SERVICES - 1)); do
        address=$(address_of "$index")
        http_load "$WORK/http.json" client -n 60 -c 5 "$address" 80
        check "service $index ($address) serves from all pods" says "$WORK/http.json" \
            '.failures == 0 and (.backends | length) == 3'
    done
}

make_topology
"$HERE/make_tables.py" "$SERVICES" "$BACKENDS" >"$WORK/tables.json"

check "$SERVICES services by --tables are ready in under $LIMIT_SECONDS s" \
    in_time "lbd --tables" node_lbd "${LIMITS[@]}" --tables "$WORK/tables.json"
spot_check

# Services of a file belong to it: `apply` of the same needs an lbd without that file.
lbd_forget
check "lbd becomes ready empty" node_lbd "${LIMITS[@]}"
check "$SERVICES services are applied in under $LIMIT_SECONDS s" \
    in_time "lbctl apply" lbctl apply "$WORK/tables.json"
spot_check
check "one more is refused with status 1" test "$(lbctl service add 10.99.0.1:80 \
    2>"$WORK/err.txt" >/dev/null; echo $?)" = 1
check "by name" grep -F 10.99.0.1:80/tcp "$WORK/err.txt"
check "in one line" test "$(wc -l <"$WORK/err.txt")" = 1
check "the same document again changes nothing, in time" in_time "lbctl apply again" \
    lbctl_says '.unchanged == '"$SERVICES"' and .added + .changed + .removed == 0' \
    apply "$WORK/tables.json"
lbd_kill KILL
check "lbd adopts $SERVICES services in under $LIMIT_SECONDS s" \
    in_time "restart" node_lbd "${LIMITS[@]}"
spot_check
check "nothing had to be repaired" lbctl_says '.repaired == 0' status

finish
