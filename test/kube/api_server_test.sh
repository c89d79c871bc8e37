#!/bin/bash
# The API server of the tests answers as an API server does, and is wrong only on command: driven by
# curl.
. "$(dirname "${BASH_SOURCE[0]}")/_alone.sh"

PREFIX=service.kubernetes.io
SERVICES=/api/v1/services
SLICES=/apis/discovery.k8s.io/v1/endpointslices

ask() { # PATH [OPTION…], the body; the status in $WORK/code
    local path=$1
    shift
    curl -sS --max-time 20 "$@" -w '%{stderr}%{http_code}' "http://127.0.0.1:$API_PORT$path" \
        2>"$WORK/code"
}

ask_json() { # EXPRESSION PATH [OPTION…]
    local expression=$1
    shift
    ask "$@" >"$WORK/answer.json" && says "$WORK/answer.json" "$expression"
}

answers_with() { # CODE PATH [OPTION…]
    local code=$1
    shift
    ask "$@" >"$WORK/answer.json"
    [ "$(tail -c 3 "$WORK/code")" = "$code" ] && return
    cat "$WORK/code" "$WORK/answer.json"
    return 1
}

version_now() {
    ask "$SERVICES?limit=1" | jq -r .metadata.resourceVersion
}

watch() { # FILE PATH SECONDS, in the background
    rm -f "$WORK/$1.head"
    curl -sSN --max-time 30 -D "$WORK/$1.head" >"$WORK/$1" 2>"$WORK/$1.err" \
        "http://127.0.0.1:$API_PORT$2&watch=true&timeoutSeconds=$3" &
    WATCH_PID=$!
    PIDS+=("$WATCH_PID")
    within 5 test -s "$WORK/$1.head"
}

watched() { # FILE EXPRESSION of all its events
    wait "$WATCH_PID"
    WATCH_STATUS=$?
    jq -s . "$WORK/$1" >"$WORK/events.json" && says "$WORK/events.json" "$2"
}

put_service() { # NAME [NAMESPACE [LABELS]]
    kubectl apply -f - >"$WORK/kubectl.out" <<END
{"kind": "Service", "metadata": {"name": "$1", "namespace": "${2:-default}",
 "labels": {${3:-}}}, "spec": {"clusterIP": "10.96.0.9", "ports": [{"port": 80}]}}
END
}

list_and_select() {
    check "what a version of Kubernetes it says it is" ask_json '.gitVersion | startswith("v1.")' \
        /version
    check "it says that it is ready" grep -qx ok <(ask /readyz)
    put_service web default '"app": "web"'
    put_service tail default '"app": "tail", "service.kubernetes.io/headless": ""'
    put_service other shop '"app": "web"'
    check "all namespaces are listed, with a version" ask_json \
        '.kind == "ServiceList" and (.items | length) == 3 and
         (.metadata.resourceVersion | tonumber) > 1000' "$SERVICES"
    check "one namespace is" ask_json '[.items[].metadata.name] == ["other"]' \
        /api/v1/namespaces/shop/services
    check "one object is" ask_json '.metadata.name == "web" and .kind == "Service"' \
        /api/v1/namespaces/default/services/web
    check "what is not there is answered 404" answers_with 404 \
        /api/v1/namespaces/default/services/none
    check "the answer is a Status" says "$WORK/answer.json" \
        '.kind == "Status" and .reason == "NotFound"'
    check "what must be absent is selected" ask_json \
        '[.items[].metadata.name] == ["web", "other"]' \
        "$SERVICES?labelSelector=%21$PREFIX/service-proxy-name,%21$PREFIX/headless"
    check "what must be there is selected" ask_json '[.items[].metadata.name] == ["tail"]' \
        "$SERVICES?labelSelector=$PREFIX/headless"
    check "values are selected" ask_json '(.items | length) == 2' \
        "$SERVICES?labelSelector=app%3Dweb"
    check "names are selected" ask_json '[.items[].metadata.name] == ["other"]' \
        "$SERVICES?fieldSelector=metadata.name%3Dother"
    check "other fields are refused" answers_with 400 "$SERVICES?fieldSelector=spec.type%3Dx"
    check "other resources are not found" answers_with 404 /api/v1/endpointslices
}

list_in_pages() {
    local number token
    for number in 1 2 3 4 5 6 7; do
        put_service "page-$number" pages
    done
    check "a page has as many as are asked for" ask_json \
        '(.items | length) == 3 and .metadata.remainingItemCount == 4 and
         .metadata.continue != ""' \
        "/api/v1/namespaces/pages/services?limit=3"
    token=$(jq -r .metadata.continue "$WORK/answer.json")
    kubectl delete service pages/page-7 >"$WORK/kubectl.out"
    check "the rest is as it was then" ask_json \
        '[.items[].metadata.name] == ["page-4", "page-5", "page-6", "page-7"]' \
        "/api/v1/namespaces/pages/services?limit=10&continue=$token"
    check "the last page has no other behind it" says "$WORK/answer.json" \
        '.metadata.continue == null'
    kubectl fault expire >"$WORK/kubectl.out"
    check "pages that have expired are answered 410" answers_with 410 \
        "/api/v1/namespaces/pages/services?limit=10&continue=$token"
    check "the Status says so" says "$WORK/answer.json" '.reason == "Expired" and .code == 410'
}

watch_changes() {
    local version
    version=$(version_now)
    local web=labelSelector=app%3Dweb
    watch changes "$SERVICES?resourceVersion=$version&allowWatchBookmarks=true&$web" 6
    put_service new default '"app": "web"'
    put_service new default '"app": "web", "more": "1"'
    put_service new default '"app": "gone"'
    put_service unseen default '"app": "gone"'
    kubectl delete service default/web >"$WORK/kubectl.out"
    check "changes come in order, as they look through the selector" watched changes \
        '[.[] | select(.type != "BOOKMARK") | .type + " " + .object.metadata.name] ==
         ["ADDED new", "MODIFIED new", "DELETED new", "DELETED web"]'
    check "bookmarks come between" says "$WORK/events.json" \
        '[.[] | select(.type == "BOOKMARK")] | length >= 2 and
         all(.object.metadata.resourceVersion | tonumber > '"$version"')'
    check "the watch ends when its time is over" test "$WATCH_STATUS" = 0
    watch again "$SERVICES?resourceVersion=$version&$web" 1
    check "history is kept: the same again later" watched again '[.[].type] ==
        ["ADDED", "MODIFIED", "DELETED", "DELETED"]'
    watch start "/api/v1/namespaces/shop/services?" 1
    check "without a version what there is comes first" watched start \
        '[.[] | .type + " " + .object.metadata.name] == ["ADDED other"]'
    watch initial "/api/v1/namespaces/shop/services?sendInitialEvents=true" 1
    check "or with a bookmark behind it" watched initial '[.[].type] == ["ADDED", "BOOKMARK"] and
        .[1].object.metadata.annotations["k8s.io/initial-events-end"] == "true"'
    watch future "$SERVICES?resourceVersion=$((version + 1000))&allowWatchBookmarks=true" 2
    put_service soon
    check "of a version that is yet to come nothing is told" watched future 'length == 0'
    kubectl fault compact
    watch old "$SERVICES?resourceVersion=$version" 2
    check "a version that is too old is answered 410" watched old '.[0].code == 410'
    watch storm "$SERVICES?resourceVersion=$(version_now)" 5
    kubectl fault compact
    check "a watch whose history goes is told by an event" watched storm \
        '.[0].type == "ERROR" and .[0].object.code == 410 and length == 1'
}

be_wrong() {
    local version
    version=$(version_now)
    kubectl fault gone 2
    watch gone1 "$SERVICES?resourceVersion=$version" 5
    check "the next two watches are gone" watched gone1 '.[0].object.code == 410'
    watch gone2 "$SERVICES?resourceVersion=$version" 5
    check "both of them" watched gone2 '.[0].object.code == 410'
    watch cut "$SERVICES?resourceVersion=$version" 5
    kubectl fault truncate
    put_service cut
    wait "$WATCH_PID"
    check "an event is cut in its midst" test "$?" = 18
    check "half of it came" grep -qE '^\{"type":"ADDED"' "$WORK/cut"
    check "not all of it" fails jq . "$WORK/cut"
    watch gone "$SERVICES?resourceVersion=$version" 5
    kubectl fault disconnect
    wait "$WATCH_PID"
    check "watches are cut" test "$?" = 18
    version=$(version_now)
    kubectl fault duplicate 2
    put_service twice
    watch twice "$SERVICES?resourceVersion=$version" 1
    check "events come twice" watched twice '[.[].type] == ["ADDED", "ADDED"]'
    kubectl fault off
    watch broken "$SERVICES?resourceVersion=$version" 3
    kubectl fault broken-json
    wait "$WATCH_PID"
    check "a line is no JSON" grep -qF ',,' "$WORK/broken"
    kubectl fault broken-list 1
    check "a list is no JSON" fails ask_json . "$SERVICES"
    check "the next one is" ask_json . "$SERVICES"
    kubectl fault status 429 1 2
    check "a request is answered 429" answers_with 429 "$SERVICES" -D "$WORK/headers"
    check "with the time to wait" grep -qi '^Retry-After: 2' "$WORK/headers"
    be_wrong_in_content
    be_wrong_in_time
}

be_wrong_in_content() {
    kubectl fault wrong-types service default/cut
    check "a string stands where a list belongs" ask_json '.spec.ports == "a list"' \
        /api/v1/namespaces/default/services/cut
    kubectl fault huge service default/cut 10
    check "an object has ten megabytes" ask_json '.metadata.annotations.huge | length == 10485760' \
        /api/v1/namespaces/default/services/cut
    check "long answers are compressed for who takes that" ask_json \
        '.metadata.annotations.huge | length == 10485760' \
        /api/v1/namespaces/default/services/cut --compressed -D "$WORK/headers"
    check "which the answer says" grep -qi '^Content-Encoding: gzip' "$WORK/headers"
    kubectl delete service default/cut >"$WORK/kubectl.out"
    local version
    version=$(version_now)
    for name in m1 m2 m3 m4 m5 m1 m2 m3 m4 m5; do
        put_service "$name" mixed
    done
    kubectl fault reorder 300
    watch mixed "$SERVICES?resourceVersion=$version" 2
    check "in another order each object keeps its own" watched mixed '
        group_by(.object.metadata.name) | length == 5 and
        all(.[]; [.[].type] == ["ADDED", "MODIFIED"])'
    kubectl fault off
}

be_wrong_in_time() {
    kubectl fault slow 100
    check "a byte a time is slow, but all comes" ask_json '.kind == "Service"' \
        /api/v1/namespaces/default/services/twice
    kubectl fault slow off
    kubectl fault split 7
    watch split "$SERVICES?" 1
    check "chunks may end anywhere" watched split 'length > 5 and all(.type == "ADDED")'
    kubectl fault off
    kubectl fault hang 1
    check "a request hangs" fails ask "$SERVICES" --max-time 0.5
    check "and later is answered" ask_json . "$SERVICES"
    kubectl fault refuse 1
    check "no connection is accepted" within 3 is_refused
    check "and later one is" within 3 ask_json . "$SERVICES"
}

is_refused() {
    ask "$SERVICES" >"$WORK/answer.json"
    [ "$?" = 7 ]
}

keep_alive() {
    ask "$SERVICES" -v --next -sS "http://127.0.0.1:$API_PORT$SLICES" -o "$WORK/second" \
        >"$WORK/answer.json"
    check "a connection serves several requests" grep -q 'Re-using existing connection' "$WORK/code"
    check "there are no slices without controllers" says "$WORK/second" \
        '.kind == "EndpointSliceList" and .apiVersion == "discovery.k8s.io/v1" and .items == []'
}

secure() { # OPTION… of curl
    curl -sS --max-time 5 --cacert "$WORK/tls/ca.crt" -w '%{http_code}' \
        -o "$WORK/answer.json" "$@" "https://localhost:$API_PORT$SERVICES" 2>&1
}

be_secure() {
    make_certificates 127.0.0.1
    echo first >"$WORK/tls/token"
    api_server_start --certificate "$WORK/tls/server.crt" --key "$WORK/tls/server.key" \
        --client-ca "$WORK/tls/ca.crt" --token-file "$WORK/tls/token"
    check "without a token or certificate the answer is 401" test "$(secure)" = 401
    check "which is a Status" says "$WORK/answer.json" '.reason == "Unauthorized"'
    check "the token opens" test "$(secure -H 'Authorization: Bearer first')" = 200
    echo second >"$WORK/tls/token"
    check "until it is another" test "$(secure -H 'Authorization: Bearer first')" = 401
    check "which opens then" test "$(secure -H 'Authorization: Bearer second')" = 200
    check "a certificate opens" test \
        "$(secure --cert "$WORK/tls/client.crt" --key "$WORK/tls/client.key")" = 200
    check "another authority's server is not believed" fails curl -sS -o "$WORK/answer.json" \
        "https://localhost:$API_PORT$SERVICES"
}

check "the server starts" api_server_start
list_and_select
list_in_pages
watch_changes
be_wrong
keep_alive
api_server_stop
be_secure
finish
