#!/bin/bash
# lbd follows an API server: it lists in pages, watches, and comes back from whatever the server or
# the network does to it, with what the server has by then. What it makes of the objects is not
# asked here, but how many it has.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"
. "$HERE/../kube/_api_server.sh"

SERVICES=1200 # three pages
SELECTOR=labelSelector=%21service.kubernetes.io%2Fservice-proxy-name
SELECTOR+=%2C%21service.kubernetes.io%2Fheadless # of the contract
VERSION='resourceVersion=[0-9]+'
KUBECONFIG=$WORK/kubeconfig
API_ENTER=(nsenter "--net=/run/netns/$PREFIX-node")
API_PORT=6443
ACCOUNT=/run/secrets/kubernetes.io/serviceaccount # of a pod
MORE_KB=16384    # of memory, after an object of 10 MB
STORM=5         # times 410, and no more lists than that

server_start() { # OPTION…
    api_server_start --listen "${API_ADDRESS:-127.0.0.1}:$API_PORT" \
        --certificate "$WORK/tls/server.crt" --key "$WORK/tls/server.key" "$@"
}

put_services() { # COUNT [FIRST]
    jq -nc --argjson count "$1" --argjson first "${2:-0}" '{kind: "List", items: [
        range($first; $first + $count) | {kind: "Service",
            metadata: {name: "s\(.)", namespace: "default"},
            spec: {clusterIP: "10.96.\(. / 250 | floor).\(. % 250 + 1)", ports: [{port: 80}]}}]}' |
        kubectl apply -f - >/dev/null
}

put_slice() { # NAME
    kubectl apply -f - >/dev/null <<END
{"kind": "EndpointSlice", "metadata": {"name": "$1", "namespace": "default",
 "labels": {"kubernetes.io/service-name": "s1"}}, "addressType": "IPv4", "endpoints": [],
 "ports": []}
END
}

put_node() { # NAME
    kubectl apply -f - >/dev/null <<<'{"kind": "Node", "metadata": {"name": "'"$1"'"}}'
}

delete_service() { # NAME
    kubectl delete service "$1" >/dev/null
}

# Watches that were there for a second have worked: what fails then is tried again soon.
fault() { # WORD…
    case $1 in
    compact | disconnect | truncate | broken-json) sleep 1.1 ;;
    esac
    kubectl fault "$@" >/dev/null
}

# What `lbctl status` says of a resource.
watch_says() { # RESOURCE EXPRESSION
    lbctl_says '.kubernetes.watches[] | select(.resource == "'"$1"'") | '"$2" status
}

comes_to() { # RESOURCE EXPRESSION, within 30 seconds
    within 30 watch_says "$@" >/dev/null || watch_says "$@"
}

has() { # COUNT, of services
    comes_to services ".state == \"connected\" and .objects == $1"
}

value_of() { # RESOURCE KEY
    lbctl -o json status | jq -r --arg name "$1" --arg key "$2" \
        '.kubernetes.watches[] | select(.resource == $name) | .[$key]'
}

rss_kb() {
    awk '$1 == "VmRSS:" {print $2}' "/proc/$LBD_PID/status"
}

fd_count() {
    find "/proc/$LBD_PID/fd" -mindepth 1 | wc -l
}

thread_count() {
    find "/proc/$LBD_PID/task" -mindepth 1 -maxdepth 1 | wc -l
}

# Lists of services that were asked for since it was last asked.
list_count() {
    kubectl requests | grep -c "/services?limit=500&$SELECTOR"
}

# ---- starting

test_away_at_start() {
    write_kubeconfig "$KUBECONFIG" "localhost:$API_PORT" token
    check "lbd becomes ready without the API server" node_lbd_bare --kubeconfig "$KUBECONFIG" \
        --node node-1
    check "and says that it waits for it" comes_to services \
        '.state == "waiting" and (.last_error | test("connect"; "i"))'
    server_start --token-file "$WORK/server-token"
    put_services "$SERVICES"
    put_slice slice-1
    put_node node-1
    put_node node-2
    check "once the server is there it has all objects" has "$SERVICES"
    check "so it has of the other resources" comes_to endpointslices \
        '.state == "connected" and .objects == 1'
    check "of the nodes its own" comes_to nodes '.state == "connected" and .objects == 1'
    check "the log has that it is connected" grep -q \
        'event=kube-connected resource=services version=' "$LBD_LOG"
    check "failures of one kind are in the log once" test \
        "$(grep -c 'event=kube-lost resource=services' "$LBD_LOG")" -le 2
    check "people are told, too" grep -qE \
        "^kubernetes .*services connected $SERVICES, endpointslices connected 1, nodes con" \
        <(lbctl status)
}

# What is forgotten is listed again, in pages, and watched from there on.
test_requests() {
    local lists
    lists=$(value_of services lists)
    kubectl requests >/dev/null
    fault compact
    check "a version that is gone is listed again" comes_to services \
        ".lists == $lists + 1 and .state == \"connected\" and .objects == $SERVICES"
    comes_to nodes '.state == "connected"' >/dev/null
    kubectl requests >"$WORK/requests"
    check "the list was asked for in pages" grep -q 'limit=500&continue=' "$WORK/requests"
    check "by the selector of the contract" grep -q "services?limit=500&$SELECTOR" \
        "$WORK/requests"
    check "the watch with bookmarks and an end" grep -qE \
        "watch=true&allowWatchBookmarks=true&$VERSION&timeoutSeconds=[3-6][0-9][0-9]&" \
        "$WORK/requests"
    check "of the nodes by the name of its own" grep -q \
        'fieldSelector=metadata.name%3Dnode-1' "$WORK/requests"
}

# ---- events

version_is_beyond() { # VERSION
    [ "$(value_of services resource_version)" -gt "$1" ]
}

test_events() {
    local version lists
    lists=$(value_of services lists)
    put_services 1 "$SERVICES"
    check "what is added is there" has $((SERVICES + 1))
    put_services 1
    check "what is modified stays one" has $((SERVICES + 1))
    delete_service "s$SERVICES"
    check "what is deleted is gone" has "$SERVICES"
    fault duplicate 2
    put_services 2 "$SERVICES"
    check "what is told twice counts once" has $((SERVICES + 2))
    delete_service "s$SERVICES"
    delete_service "s$((SERVICES + 1))"
    check "and is gone by one deletion each" has "$SERVICES"
    version=$(value_of services resource_version)
    put_slice slice-2
    check "a bookmark brings the version forward" within 5 version_is_beyond "$version"
    fault split 7
    put_services 1 "$SERVICES"
    check "events in the smallest pieces are whole" has $((SERVICES + 1))
    fault off
    delete_service "s$SERVICES"
    check "all of that without a list" comes_to services \
        ".objects == $SERVICES and .lists == $lists"
}

# ---- what goes wrong

test_lost() {
    local lists
    lists=$(value_of services lists)
    fault disconnect
    fault refuse 1
    sleep 0.2
    put_services 1 "$SERVICES"
    check "what happens while it is away is there afterwards" has $((SERVICES + 1))
    fault truncate
    put_services 1 $((SERVICES + 1))
    check "an event that was cut comes again" has $((SERVICES + 2))
    fault hang 1
    fault disconnect
    put_services 1 $((SERVICES + 2))
    check "a server that is slow to answer is waited for" has $((SERVICES + 3))
    fault status 500 2
    fault disconnect
    put_services 1 $((SERVICES + 3))
    check "so is one that cannot" has $((SERVICES + 4))
    fault status 429 3 1
    fault disconnect
    put_services 1 $((SERVICES + 4))
    check "and one that is asked too much" has $((SERVICES + 5))
    check "none of that takes a list" test "$(value_of services lists)" = "$lists"
}

test_relists() {
    local lists
    lists=$(value_of services lists)
    fault broken-json
    put_services 1 $((SERVICES + 5))
    check "after an event that is no JSON it lists" comes_to services \
        ".objects == $SERVICES + 6 and .lists == $lists + 1 and .state == \"connected\""
    check "and says why" grep -q 'event=kube-lost resource=services reason="not what a list or' \
        "$LBD_LOG"
    fault broken-list 2
    fault compact
    check "a list that is cut is listed again" comes_to services \
        ".objects == $SERVICES + 6 and .lists == $lists + 2 and .state == \"connected\""
    comes_to nodes '.state == "connected"' >/dev/null
    kubectl requests >/dev/null
    fault gone "$STORM"
    fault disconnect
    check "a storm of 410 ends" comes_to services \
        ".objects == $SERVICES + 6 and .lists > $lists + 2 and .state == \"connected\""
    check "and is none of lists" test "$(list_count)" -le "$STORM"
    for ((i = 0; i < 6; i++)); do
        delete_service "s$((SERVICES + i))"
    done
    check "deletions are not lost either" has "$SERVICES"
}

test_huge() {
    local before after
    before=$(rss_kb)
    fault huge Service default/s7 10
    check "an object of 10 MB is left out" has $((SERVICES - 1))
    check "and named in the log" grep -q \
        'event=kube-object-skipped resource=services object=default/s7 why="too large"' "$LBD_LOG"
    delete_service s7
    put_services 1 7
    check "once it is small it is there" has "$SERVICES"
    after=$(rss_kb)
    echo "# memory: $before kB before 10 MB, $after kB after"
    check "memory is bounded" test "$after" -lt $((before + MORE_KB))
}

# A Service with these names of fields, which whoever may write a Service may have in it.
put_odd() { # NAME NAMES
    kubectl apply -f - >/dev/null <<END
{"kind": "Service", "metadata": {"name": "$1", "namespace": "default", "managedFields": [
    {"fieldsV1": {"f:metadata": {"f:annotations": {$2}}}}]}, "spec": {}}
END
}

test_odd() {
    local lists
    lists=$(value_of services lists)
    put_odd odd1 '"f:\u0000": {}'
    check "U+0000 in the name of a field does no harm" has $((SERVICES + 1))
    put_odd odd2 "$(printf '"f:x": {%.0s' {1..100})$(printf '}%.0s' {1..100})"
    check "nor do fields in fields in fields" has $((SERVICES + 2))
    check "they take no list" test "$(value_of services lists)" = "$lists"
    fault compact
    check "nor do they do any in a list" comes_to services \
        ".state == \"connected\" and .objects == $SERVICES + 2 and .lists == $lists + 1"
    delete_service odd1
    delete_service odd2
    check "when they are gone they are gone" has "$SERVICES"
}

# ---- who it is

test_token() {
    echo second >"$WORK/server-token"
    fault disconnect
    check "a token that is not good any more is told" comes_to services \
        '.state == "waiting" and (.last_error | test("HTTP 401: Unauthorized"))'
    echo second >"$WORK/tls/token.new"
    chmod 644 "$WORK/tls/token.new"
    mv "$WORK/tls/token.new" "$WORK/tls/token"
    check "the new one is taken from its file" has "$SERVICES"
    check "which is in the log" grep -q "event=kube-file-read path=$WORK/tls/token" "$LBD_LOG"
}

test_away() {
    lbctl service add 10.96.200.1:80 --backend 10.1.0.11:8080 >/dev/null
    api_server_stop
    check "without the server it waits" comes_to services '.state == "waiting"'
    check "and has what it had" watch_says services ".objects == $SERVICES"
    check "its services serve on" lbctl_says ".services | length == $SERVICES + 1" service list
    check "and the operator's may be changed" lbctl backend add 10.96.200.1:80 10.1.0.12:8080
    server_start --token-file "$WORK/server-token"
    put_services 5
    check "a server that has lost its memory is believed" has 5
}

# Descriptors, threads and memory after all that.
test_leaks() { # FDS, KB
    fault disconnect
    comes_to services '.state == "connected"' >/dev/null
    comes_to nodes '.state == "connected"' >/dev/null
    comes_to endpointslices '.state == "connected"' >/dev/null
    echo "# descriptors: $1 before, $(fd_count) after; memory: $2 kB, $(rss_kb) kB"
    check "no descriptor is left over" test "$(fd_count)" -le "$(($1 + 1))"
    check "nor a thread" test "$(thread_count)" = 1
    check "nor much memory" test "$(rss_kb)" -lt "$(($2 + MORE_KB))"
}

# ---- other ways to it

# lbd's view of the file system: names, and what Kubernetes gives to a pod.
with_account() {
    echo "127.0.0.1 api.lbt" >"$WORK/hosts"
    LBD_AS=(unshare --mount sh -c "mount --bind $WORK/hosts /etc/hosts && mount -t tmpfs run /run &&
        mkdir -p $ACCOUNT && cp $WORK/tls/ca.crt $WORK/tls/token $ACCOUNT/ && exec \"\$@\"" sh
        "${LBD_AS[@]}")
}

test_in_cluster() {
    lbd_kill TERM
    with_account
    api_server_stop
    API_ADDRESS="[::1]" server_start --token-file "$WORK/server-token"
    put_services 3
    put_node node-3
    KUBERNETES_SERVICE_HOST=::1 KUBERNETES_SERVICE_PORT=$API_PORT NODE_NAME=node-3 \
        check "lbd starts in a pod" node_lbd_bare --kubernetes
    check "by the account of the pod it is connected, over IPv6" has 3
    check "its node is that of the environment" comes_to nodes '.objects == 1'
    lbd_kill TERM
    api_server_stop
}

test_names_and_certificates() {
    write_kubeconfig "$KUBECONFIG" "api.lbt:$API_PORT" certificate
    chmod 600 "$WORK/tls/client.key" # which lbd's user may not read
    check "--check says which server and node it is" grep -q \
        "$KUBECONFIG: node node-1 of https://api.lbt:$API_PORT" \
        <("$LBD" --check --kubeconfig "$KUBECONFIG" --node node-1)
    check "a file that lbd may not read is named" lbd_refuses \
        "client.key: Permission denied" --kubeconfig "$KUBECONFIG" --node node-1
    chmod 644 "$WORK/tls/client.key"
    server_start --client-ca "$WORK/tls/ca.crt"
    put_services 4
    check "lbd starts for a server that has a name" node_lbd_bare --kubeconfig "$KUBECONFIG" \
        --node node-1
    check "which is not that of the certificate" comes_to services \
        '.state == "waiting" and (.last_error | test("SSL.*api.lbt"))'
    lbd_kill TERM
    sed -i "s/^    server:/    tls-server-name: localhost\n&/" "$KUBECONFIG"
    check "lbd starts with the name of the certificate" node_lbd_bare --kubeconfig "$KUBECONFIG" \
        --node node-1
    check "and is connected by its own certificate" has 4
    lbd_kill TERM
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
        -subj "/CN=another" -keyout "$WORK/tls/other.key" -out "$WORK/tls/other.crt" 2>/dev/null
    chmod 644 "$WORK/tls/other.crt"
    sed -i "s/ca.crt/other.crt/" "$KUBECONFIG"
    check "lbd starts with another authority" node_lbd_bare --kubeconfig "$KUBECONFIG" --node node-1
    check "by which the server is nobody" comes_to services \
        '.state == "waiting" and (.last_error | test("certificate"))'
    lbd_kill TERM
}

make_topology
mkdir -p "$WORK/tls" && chmod 711 "$WORK/tls"
check "certificates are made" make_certificates 127.0.0.1 ::1
chmod 644 "$WORK/tls/"*.crt
echo first | tee "$WORK/server-token" >"$WORK/tls/token"
chmod 644 "$WORK/tls/token"
test_away_at_start
FDS=$(fd_count) KB=$(rss_kb)
test_requests
test_events
test_lost
test_relists
test_huge
test_odd
test_token
test_away
test_leaks "$FDS" "$KB"
test_in_cluster
test_names_and_certificates

finish
