# shellcheck shell=bash
# Pods, nodes and Services among each other, as the granular checks have them: a Service of four
# ports whose endpoints are on both nodes.

granular() {
    service net type=NodePort ports=http:80:8080,udp:90:8081/UDP
    pods net a b x
    VIP=$(cluster_ip net)
    NODE=$(node_address node)
    HTTP=$(node_port net 0)
    UDP=$(node_port net 1)
}

service_from() { # CLIENT tcp|udp
    granular
    if [ "$2" = tcp ]; then
        expect "by its address" reaches "$1" tcp "$VIP" 80 a b x
        expect "by the node's port" reaches "$1" tcp "$NODE" "$HTTP" a b x
    else
        expect "by its address" reaches "$1" udp "$VIP" 90 a b x
        expect "by the node's port" reaches "$1" udp "$NODE" "$UDP" a b x
    fi
}

pod_to_service_http() {
    service_from q tcp
}

pod_to_service_udp() {
    service_from q udp
}

node_to_service_http() {
    service_from node tcp
}

node_to_service_udp() {
    service_from node udp
}

endpoint_to_service_http() {
    service_from a tcp
}

endpoint_to_service_udp() {
    service_from a udp
}

node_port_udp() {
    granular
    expect "an outside host reaches the node's port" reaches outside udp "$NODE" "$UDP" a b x
}

reaches_pods() { # CLIENT PROTOCOL, at their own addresses
    local name
    for name in a b x; do
        expect "$1 reaches $name" reaches "$1" "$2" "$(pod_address "$name")" 8080 "$name"
    done
}

pod_to_pod_http() {
    reaches_pods q tcp
}

pod_to_pod_udp() {
    reaches_pods q udp
}

node_to_pod_http() {
    reaches_pods node tcp
}

node_to_pod_udp() {
    reaches_pods node udp
}

pods_see_pods() {
    local name
    for name in a x; do
        expect "$name is reached" reaches q tcp "$(pod_address "$name")" 8080 "$name"
        expect "$name sees the Pod's address" seen_as "$(pod_address q)"
    done
}

reach_pod_of_both_families() {
    local FAMILY
    for FAMILY in IPv4 IPv6; do
        expect "$FAMILY" reaches q tcp "$(pod_address a)" 8080 a
        expect "$FAMILY, on another node" reaches q tcp "$(pod_address x)" 8080 x
    done
}

reach_terminating_pod() {
    service ending ports=http:80:8080
    pod ending a terminating=yes
    expect "a Pod that ends is reached" reaches q tcp "$(pod_address a)" 8080 a
}

reach_from_terminating_pod() {
    service ending ports=http:80:8080
    pod ending a terminating=yes
    pods other b x
    expect "it reaches a Pod" reaches a tcp "$(pod_address b)" 8080 b
    expect "and one of another node" reaches a tcp "$(pod_address x)" 8080 x
}

several_of_one_selector() {
    granular
    service more selector=app=net ports=http:80:8080
    expect "the first" reaches q tcp "$VIP" 80 a b x
    expect "the second" reaches q tcp "$(cluster_ip more)" 80 a b x
    delete_service net
    expect "the second, alone" reaches q tcp "$(cluster_ip more)" 80 a b x
}

endpoints_of_host_network() {
    local vip
    service host type=NodePort ports=http:80:8083,udp:90:8083/UDP
    pods host node node2
    vip=$(cluster_ip host)
    expect "a Pod reaches both nodes" reaches q tcp "$vip" 80 node node2
    expect "by UDP, too" reaches q udp "$vip" 90 node node2
    expect "a process of the node does" reaches node tcp "$vip" 80 node node2
    expect "an outside host does" reaches outside tcp "$(node_address node)" \
        "$(node_port host)" node node2
    expect "by UDP, too" reaches outside udp "$(node_address node)" "$(node_port host 1)" \
        node node2
}

update_endpoints_http() {
    granular
    expect "all endpoints serve" reaches q tcp "$VIP" 80 a b x
    delete_pod net a
    expect "those that are left do" reaches q tcp "$VIP" 80 b x
}

update_endpoints_udp() {
    granular
    expect "all endpoints serve" reaches q udp "$VIP" 90 a b x
    delete_pod net a
    expect "those that are left do" reaches q udp "$VIP" 90 b x
}

lose_node_port() { # PROTOCOL PORT
    expect "it serves" reaches outside "$1" "$NODE" "$2" a b x
    patch net '{"type": "ClusterIP"}'
    expect "it is closed" is_refused outside "$1" "$NODE" "$2"
    expect "the Service is not" reaches q tcp "$VIP" 80 a b x
}

update_node_port_http() {
    granular
    lose_node_port tcp "$HTTP"
}

update_node_port_udp() {
    granular
    lose_node_port udp "$UDP"
}

send_large() { # CLIENT PROTOCOL ADDRESS PORT
    probe "$1" -n 10 --bytes 2000 "${@:2}"
    says "$PROBE" '.errors == {} and ([.answers[]] | add) == 10'
}

large_requests() { # PROTOCOL PORT NODE-PORT
    local client
    for client in $CLIENTS; do
        expect "2,000 bytes of $client" within "$PATIENCE" send_large "$client" "$1" "$VIP" "$2"
        expect "by the node's port" within "$PATIENCE" send_large "$client" "$1" "$NODE" "$3"
    done
}

large_requests_http() {
    granular
    large_requests tcp 80 "$HTTP"
}

large_requests_udp() {
    granular
    large_requests udp 90 "$UDP"
}

node_says() { # CODE URL
    [ "$(inside node curl -s -o "$WORK/url" --max-time 2 -w '%{http_code}' "$2")" = "$1" ]
}

proxy_urls() {
    expect "/healthz" within "$PATIENCE" node_says 200 http://127.0.0.1:10256/healthz
    expect "/proxyMode" within "$PATIENCE" node_says 200 http://127.0.0.1:10249/proxyMode
    expect "/metrics" within "$PATIENCE" node_says 200 http://127.0.0.1:10249/metrics
    expect "metrics of a proxy" grep -q '^kubeproxy_sync_proxy_rules' "$WORK/url"
}

lacks_sctp() {
    lacks "this kernel has no SCTP, so there is neither client nor server"
}
