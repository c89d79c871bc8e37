#!/bin/bash
# lbd and the libraries that kube-apiserver is made of: lists in pages, watches, and what becomes of
# them when the server, its storage or other clients have other plans. In the end lbd serves what
# the objects say, and so does an lbd that is started then.
#
#     test/kube/apimachinery/run.sh [TOPIC…]     EMULATED=1.33: with what was on in that version
#                                                SUITE=sid: of which Debian the libraries are
#
# The first time it fetches the libraries from Debian's archive and builds the server, in
# build/apimachinery; nothing is installed. As root, with build/ built.

. "$(dirname "${BASH_SOURCE[0]}")/../../netns/_init.sh"
# shellcheck source=../_api_server.sh
. "$HERE/../kube/_api_server.sh"
cd "$HERE/../.." || exit
. test/install.sh
. test/kube/apimachinery/_build.sh
. test/kube/apimachinery/_server.sh

SERVICES=3000

requests_so_far() { # VERB RESOURCE
    ask /metrics | awk -v verb="verb=\"$1\"" -v of="resource=\"$2\"" \
        '/^apiserver_request_total/ && index($0, verb) && index($0, of) {sum += $NF}
         END {print sum + 0}'
}

has_more_lists() { # BEFORE
    [ "$(requests_so_far LIST services)" -gt "$1" ]
}

test_list() {
    objects 0 "$SERVICES" 0 >"$WORK/objects"
    check "the server takes $SERVICES Services, each with a slice of 5" feed put <"$WORK/objects"
    check "and a Node" feed put \
        <<<'{"kind":"Node","apiVersion":"v1","metadata":{"name":"node-1"}}'
    ask /api/v1/namespaces/default/services/s1 >"$WORK/s1.json"
    check "they have managedFields" says "$WORK/s1.json" \
        '.metadata.managedFields[0].fieldsV1["f:spec"] != null'
    check "lbd starts" node_lbd_bare --kubeconfig "$KUBECONFIG" --node node-1 || finish
    check "it is connected" is_connected || finish
    check "it has all Services" comes_to services ".objects == $SERVICES"
    check "and all slices" comes_to endpointslices ".objects == $SERVICES"
    check "in pages of 500" test "$(requests_so_far LIST services)" -ge $((SERVICES / 500))
    check "it serves what the objects say" converges
    check "a fresh lbd does" is_as_fresh
}

test_changes() {
    local lists
    lists=$(value_of services lists)
    objects 100 400 1 >"$WORK/objects"
    check "400 change" feed put <"$WORK/objects"
    objects 2000 100 0 >"$WORK/objects"
    check "100 are deleted" feed delete <"$WORK/objects"
    objects "$SERVICES" 100 0 >"$WORK/objects"
    check "100 come" feed put <"$WORK/objects"
    check "lbd has it all" converges
    check "without a list" comes_to services ".lists == $lists"
}

# What is not changed is heard of by bookmarks alone, of which there is one a minute.
test_bookmarks() {
    local version
    version=$(value_of nodes resource_version)
    objects 0 1 1 | feed put
    check "a bookmark brings the version of Nodes forward" within 90 \
        watch_says nodes "(.resource_version | tonumber) > $version"
    check "without a list" comes_to nodes '.lists == 1 and .failures == 0'
}

# Changes while the server is away, by another one.
change_elsewhere() { # ROUND
    local pid=$SERVER_PID
    export API=127.0.0.1:6444
    start_server
    objects 200 200 "$1" | feed put
    objects $((2200 + 10 * $1)) 10 0 | feed delete
    check "another server of the same storage takes changes" test "$?" = 0
    compact_etcd >"$WORK/compact.out" 2>&1
    stop_server KILL
    export API=127.0.0.1:6443
    SERVER_PID=$pid
}

restart_server() { # SIGNAL OPTION…
    stop_server "$1"
    shift
    start_server "$@"
}

test_restart() {
    check "the server ends and comes again" restart_server TERM "${SERVER_OPTIONS[@]}"
    check "lbd is connected" is_connected
    objects 300 10 2 | feed put
    check "it has what changes" converges
    check "the server is killed and comes again" restart_server KILL "${SERVER_OPTIONS[@]}"
    check "lbd is connected again" is_connected
    objects 300 10 3 | feed put
    check "it has what changes then" converges
}

test_gone() {
    local lists
    lists=$(value_of services lists)
    stop_server TERM
    change_elsewhere 4
    check "the server comes again, and its watch cache begins there" start_server \
        "${SERVER_OPTIONS[@]}"
    check "lbd lists anew" comes_to services ".lists > $lists and .state == \"connected\""
    check "it was told 410" grep -q 'the server has forgotten that version' "$LBD_LOG"
    check "it has what changed meanwhile" converges
    lists=$(value_of services lists)
    stop_server TERM
    change_elsewhere 5
    check "a server without a cache comes" start_server "${SERVER_OPTIONS[@]}" --watch-cache=false
    check "lbd lists anew, as etcd has forgotten" comes_to services \
        ".lists > $lists and .state == \"connected\""
    check "it has what changed then" converges
    check "the cached one comes again" restart_server TERM "${SERVER_OPTIONS[@]}"
}

# While lbd is between two pages, what the list was made of changes and is forgotten.
test_expired_page() {
    local before
    check "a server without a cache comes" restart_server TERM "${SERVER_OPTIONS[@]}" \
        --watch-cache=false
    spawn relay node "$PYTHON" test/kube/apimachinery/relay.py 6445 "${API##*:}" 0.2
    sed "s/:${API##*:}/:6445/" "$KUBECONFIG" >"$WORK/kubeconfig.slow"
    before=$(requests_so_far LIST services)
    start_fresh "$WORK/kubeconfig.slow"
    check "the first page is out" within "$PATIENCE" has_more_lists "$before"
    objects 400 10 6 | feed put
    compact_etcd >"$WORK/compact.out" 2>&1
    check "a list whose pages expire comes to its end" within "$PATIENCE" is_synced \
        "$WORK/fresh.log"
    check "it was told 410" grep -q 'kube-lost.*HTTP 410: The provided continue' "$WORK/fresh.log"
    served_by_objects >"$WORK/wanted"
    check "and lbd has all" within "$PATIENCE" is_the_same "$WORK/run/fresh.sock" "$WORK/wanted"
    end_fresh
    check "the cached server comes again" restart_server TERM "${SERVER_OPTIONS[@]}"
}

# Objects with much in them, which nobody reads meanwhile.
test_slow_watcher() {
    local closed
    check "lbd is connected" is_connected
    kill -STOP "$LBD_PID"
    objects 0 400 8 | jq -c '.metadata.annotations = {padding: ("x" * 60000)}' | feed put
    objects 0 400 9 | jq -c '.metadata.annotations = {padding: ("y" * 60000)}' | feed put
    objects 0 400 10 | feed put
    closed=$(ask /metrics | grep '^apiserver_terminated_watchers_total')
    echo "# $closed"
    check "the server gives up watches that nobody reads" test -n "$closed"
    kill -CONT "$LBD_PID"
    check "lbd has what it missed" converges
    check "and is connected then" is_connected
}

test_token() {
    write_tokens second
    restart_server TERM "${SERVER_OPTIONS[@]}"
    check "a token that is not good any more is told" comes_to services \
        '.state == "waiting" and (.last_error | test("HTTP 401: Unauthorized"))'
    give_token second
    check "the new one is taken from its file" is_connected
    write_tokens second nobody
    restart_server TERM "${SERVER_OPTIONS[@]}"
    check "what is forbidden is told" comes_to services \
        '.state == "waiting" and (.last_error | test("HTTP 403: services is forbidden: User"))'
    write_tokens second
    check "until it is allowed" is_connected
}

# Others of its priority take all that there is.
test_too_many() {
    local lists
    restart_server TERM "${SERVER_OPTIONS[@]}" --inflight 1
    for _ in 1 2 3 4 5 6 7 8; do
        inside node curl -sS --cacert "$API_CA" -H "Authorization: Bearer second" \
            --limit-rate 100k --max-time 20 "https://$API/api/v1/services" >/dev/null 2>&1 &
        PIDS+=($!)
    done
    sleep 1
    start_fresh
    check "who comes when there are too many is told 429" within 20 grep -q \
        'kube-lost.*HTTP 429' "$WORK/fresh.log"
    check "and lists when there are less" within "$PATIENCE" is_synced "$WORK/fresh.log"
    end_fresh
    restart_server TERM "${SERVER_OPTIONS[@]}"
}

# A Service of which the names of fields that a manager has are whatever its writer wants.
put_odd() { # NUMBER NAMES
    printf '{"kind": "Service", "apiVersion": "v1", "metadata": {"name": "%s", "managedFields": [
        {"manager": "m", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
         "fieldsV1": {"f:metadata": {"f:annotations": {%s}}}}]}, "spec": {"type": "ClusterIP",
        "clusterIP": "10.200.0.%s", "clusterIPs": ["10.200.0.%s"], "ports": [{"port": 80}]}}' \
        "odd$1" "$2" "$1" "$1" >"$WORK/odd.json"
    ask "/api/v1/namespaces/default/services/odd$1" -X PUT -H "Content-Type: application/json" \
        --data-binary "@$WORK/odd.json" >"$WORK/odd.answer" &&
        grep -q '"f:annotations": {$' "$WORK/odd.answer"
}

test_odd() {
    local lists nested
    lists=$(value_of services lists)
    nested=$(printf '"f:x": {%.0s' {1..100})$(printf '}%.0s' {1..100})
    check "the server passes on U+0000 in the name of a field" put_odd 1 '"f:\u0000": {}'
    check "and what is no UTF-8" put_odd 2 $'"f:\xff": {}'
    check "and fields in fields in fields" put_odd 3 "$nested"
    check "lbd has those Services" comes_to services ".objects == $SERVICES + 3"
    check "without a list" comes_to services ".lists == $lists"
    check "it serves what the objects say" converges
    check "a fresh lbd does" is_as_fresh
}

# The storage is made anew, as from a backup: its versions begin from an older one.
test_older() {
    stop_server TERM
    stop_etcd
    rm -rf "$WORK/etcd"
    start_etcd
    check "the server comes again, with nothing" start_server "${SERVER_OPTIONS[@]}"
    objects 0 100 11 | feed put
    check "lbd has what there is" converges
}

test_transport() {
    check "the server speaks HTTP/2 with who wants it" grep -q '^HTTP/2 200' \
        <(ask /readyz --http2 -i)
    check "and compresses long lists for who takes it" grep -qi 'content-encoding: gzip' \
        <(ask "/api/v1/services?limit=500" --compressed -D - -o /dev/null)
}

fetch_libraries || { echo "the libraries cannot be had"; exit 1; }
build_server || { echo "the server does not build"; exit 1; }
echo "# golang-k8s-apiserver-dev $(<"$ROOT/version")"
add_namespace node
make_certificates 127.0.0.1
chmod 711 "$WORK/tls"
chmod 644 "$WORK/tls/"*.crt
give_token first
write_tokens first
write_kubeconfig "$KUBECONFIG" "$API" token
SERVER_OPTIONS=(${EMULATED:+--emulated-version "$EMULATED"})
check "etcd starts" start_etcd || finish
check "the API server starts" start_server "${SERVER_OPTIONS[@]}" || finish
[ $# -gt 0 ] || set -- transport changes bookmarks odd restart gone expired_page slow_watcher \
    token too_many older
test_list
for topic in "$@"; do
    "test_$topic"
done
finish
