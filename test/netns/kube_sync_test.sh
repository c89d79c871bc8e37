#!/bin/bash
# Services of a cluster in the tables: they come and go with the API server's objects, connections
# outlive endpoints and Services, and what is in force goes on without the API server, also over a
# restart of lbd.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"
. "$HERE/../kube/_api_server.sh"

KUBECONFIG=$WORK/kubeconfig
API_ENTER=(nsenter "--net=/run/netns/$PREFIX-node")
API_PORT=6443
CONFIG=$WORK/lbd.json # what was closed is forgotten soon
NODE_OPTIONS=(--config "$CONFIG" --kubeconfig "$KUBECONFIG" --node node-1
    --nodeport-address 192.0.2.0/24)

server_start() {
    api_server_start --listen "127.0.0.1:$API_PORT" --certificate "$WORK/tls/server.crt" \
        --key "$WORK/tls/server.key" --token-file "$WORK/tls/token"
}

service() { # NAME ADDRESS
    kubectl apply -f - >/dev/null <<END
{"kind": "Service", "metadata": {"name": "$1", "namespace": "default"},
 "spec": {"type": "NodePort", "clusterIP": "$2", "clusterIPs": ["$2"],
  "ports": [{"name": "http", "port": 80, "nodePort": 30080}]}}
END
}

slice() { # SERVICE ADDRESS…
    local service=$1
    shift
    printf '%s\n' "$@" | jq -R . | jq -sc --arg service "$service" '{kind: "EndpointSlice",
        metadata: {name: ($service + "-x"), namespace: "default",
            labels: {"kubernetes.io/service-name": $service}}, addressType: "IPv4",
        ports: [{name: "http", port: 8080}],
        endpoints: [.[] | {addresses: [.], nodeName: "node-1"}]}' |
        kubectl apply -f - >/dev/null
}

all_at() { # POD ADDRESS PORT
    http_load "$WORK/new.json" client -n 20 -c 2 "$2" "$3"
    says "$WORK/new.json" '.failures == 0 and (.backends | keys) == ["'"$1"'"]'
}

at_both() { # ADDRESS PORT
    http_load "$WORK/new.json" client -n 40 -c 4 "$@"
    says "$WORK/new.json" '.failures == 0 and (.backends | keys) == ["pod-a", "pod-b"]'
}


count_is() { # NUMBER
    lbctl_says ".services == $1" status
}

b_is() { # EXPRESSION
    lbctl_says "[.backends[] | select(.address == \"10.1.0.12\")] | $1" \
        backend list 10.96.0.10:80
}

logged() { # EVENT…
    grep -qE "event=$1" "$LBD_LOG"
}

metric() { # NAME: its value, of IPv4 where families have their own
    inside node curl -s http://127.0.0.1:10249/metrics |
        awk -v name="$1" '$1 == name || $1 == name "{ip_family=\"IPv4\"}" {print $2}'
}

counts() { # NAME: it is not zero
    [[ $(metric "$1") =~ ^[1-9] ]]
}

test_metrics() {
    check "metrics have its syncs" counts kubeproxy_sync_proxy_rules_duration_seconds_count
    check "and the changes it has heard of" eval \
        'counts kubeproxy_sync_proxy_rules_service_changes_total &&
            counts kubeproxy_sync_proxy_rules_endpoint_changes_total'
    check "of which none waits" test \
        "$(metric kubeproxy_sync_proxy_rules_service_changes_pending)" = 0
}

test_coming() {
    check "a Service and its endpoints become services" eval \
        'service web 10.96.0.10; slice web 10.1.0.11 10.1.0.12'
    check "at its cluster address" within 5 at_both 10.96.0.10 80
    check "and at the node's, at its port" at_both 192.0.2.1 30080
    check "of the cluster's, not the operator's" eval \
        '! lbctl service del 10.96.0.10:80 2>/dev/null'
    inside node ip address add 192.0.2.200/24 dev uplink0
    check "an address that the node gets has the port, too" within 5 at_both 192.0.2.200 30080
    inside node ip address del 192.0.2.200/24 dev uplink0
    check "and no more when it is gone" within 25 count_is 2
}

test_connections() {
    trickle_start 20 8
    local trickle=$LOAD_PID
    slice web 10.1.0.11
    check "an endpoint that leaves its slice drains" within 3 b_is \
        'length == 1 and .[0].state == "draining"'
    check "what is new goes to the others" all_at pod-a 10.96.0.10 80
    sleep 2.5
    check "it drains while it has connections" b_is 'length == 1'
    wait_load "$trickle"
    check "which end well" says "$WORK/trickle.json" '.failures == 0 and (.backends | length) == 2'
    check "and then goes" within 25 b_is 'length == 0'
}

test_away() {
    slice web 10.1.0.11 10.1.0.12
    check "the endpoint comes back" within 5 at_both 10.96.0.10 80
    api_server_stop
    check "without the API server all goes on" at_both 10.96.0.10 80
    check "which the doctor tells" within 10 lbctl_says \
        '[.findings[].about] | index("watch of services") and index("--socket-lb")' doctor
    lbd_kill KILL
    check "also when lbd starts" node_lbd "${NODE_OPTIONS[@]}"
    check "with what it finds" at_both 10.96.0.10 80
    check "and waits" fails logged kube-synced
    server_start
    service new 10.96.0.20
    slice new 10.1.0.12
    check "once the API server is there, what it has comes" within 30 all_at pod-b 10.96.0.20 80
    check "and what it has not goes" within 25 count_is 2
    check "the log says when" logged 'kube-synced services=1 endpointslices=1 blocked=0'
}

test_clash() {
    check "the operator has an address" lbctl service add 10.96.0.30:80 --backend 10.1.0.11:8080
    kubectl apply -f - >/dev/null <<END
{"kind": "Service", "metadata": {"name": "late", "namespace": "default"},
 "spec": {"clusterIP": "10.96.0.30", "ports": [{"name": "http", "port": 80}]}}
END
    slice late 10.1.0.12
    check "a Service that wants it is told in the log" within 5 logged \
        'kube-blocked service=10.96.0.30:80/tcp name=default/late'
    check "and counted" lbctl_says '.kubernetes.tables.blocked == 1' status
    check "the operator's goes on" all_at pod-a 10.96.0.30 80
    check "until it is removed" lbctl service del 10.96.0.30:80
    check "then the Service has it" within 10 all_at pod-b 10.96.0.30 80
}

make_topology
mkdir -p "$WORK/tls" && echo token >"$WORK/tls/token" && chmod 644 "$WORK/tls/token"
make_certificates 127.0.0.1
echo '{"timeouts": {"tcp_closed": 1}}' >"$CONFIG"
write_kubeconfig "$KUBECONFIG" "127.0.0.1:$API_PORT" token
check "the API server starts" server_start
check "lbd becomes ready" node_lbd "${NODE_OPTIONS[@]}"
test_coming
test_metrics
test_connections
test_away
test_clash
finish
