#!/bin/bash
# lbd follows an API server: it lists in pages, watches, and comes back from whatever the server or
# the network does to it. What it wants of the objects is not asked here, but how many it has.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"
. "$HERE/../kube/_api_server.sh"

SERVICES=1200 # three pages
SELECTOR=labelSelector=%21service.kubernetes.io%2Fservice-proxy-name
SELECTOR+=%2C%21service.kubernetes.io%2Fheadless # of the contract
VERSION='resourceVersion=[0-9]+'
KUBECONFIG=$WORK/kubeconfig
API_ENTER=(nsenter "--net=/run/netns/$PREFIX-node")

server_start() { # OPTION…; at the port of the first one
    api_server_start --listen "127.0.0.1:${API_PORT:-0}" --certificate "$WORK/tls/server.crt" \
        --key "$WORK/tls/server.key" "$@"
}

put_services() { # COUNT
    jq -nc --argjson count "$1" '{kind: "List", items: [range($count) | {kind: "Service",
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

# What `lbctl status` says of a resource.
watch_says() { # RESOURCE EXPRESSION
    lbctl_says '.kubernetes.watches[] | select(.resource == "'"$1"'") | '"$2" status
}

comes_to() { # RESOURCE EXPRESSION, within 15 seconds
    within 15 watch_says "$@" >/dev/null || watch_says "$@"
}

value_of() { # RESOURCE KEY
    lbctl -o json status | jq -r --arg name "$1" --arg key "$2" \
        '.kubernetes.watches[] | select(.resource == $name) | .[$key]'
}

fault() { # WORD…
    kubectl fault "$@" >/dev/null
}

rss_kb() {
    awk '$1 == "VmRSS:" {print $2}' "/proc/$LBD_PID/status"
}

fd_count() {
    find "/proc/$LBD_PID/fd" -mindepth 1 | wc -l
}

# ---- starting

test_away_at_start() {
    API_PORT=6443
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
    check "once the server is there it has all objects" comes_to services \
        ".state == \"connected\" and .objects == $SERVICES"
    check "so it has of the other resources" comes_to endpointslices \
        '.state == "connected" and .objects == 1'
    check "of the nodes its own" comes_to nodes '.state == "connected" and .objects == 1'
    check "the log has that it is connected" grep -q \
        'event=kube-connected resource=services version=' "$LBD_LOG"
    check "failures of one kind are in the log once" test \
        "$(grep -c 'event=kube-lost resource=services' "$LBD_LOG")" -le 2
}

# What is forgotten is listed again, in pages, and watched from there on.
test_requests() {
    local lists
    lists=$(value_of services lists)
    kubectl requests >/dev/null
    fault gone 3
    fault disconnect
    check "a version that is gone is listed again" comes_to services \
        ".lists == $lists + 1 and .state == \"connected\" and .objects == $SERVICES"
    within 5 watch_says nodes '.state == "connected"' >/dev/null
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

make_topology
mkdir -p "$WORK/tls" && chmod 711 "$WORK/tls"
check "certificates are made" make_certificates 127.0.0.1
chmod 644 "$WORK/tls/ca.crt"
echo first >"$WORK/server-token"
echo first >"$WORK/tls/token"
chmod 644 "$WORK/tls/token"
test_away_at_start
test_requests
finish
