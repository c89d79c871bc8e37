# shellcheck shell=bash
# Traffic policies, and what is left when Pods end: terminating ones serve while nothing else does.

internal_local_pod_to_pod() {
    local vip
    service near internalTrafficPolicy=Local ports=http:80:8080
    pods near x
    vip=$(cluster_ip near)
    expect "without a Pod on the node there is silence" is_ignored q tcp "$vip" 80
    pods near a
    expect "the node's Pod answers, no other" reaches q tcp "$vip" 80 a
}

internal_local_host_to_pod() {
    local vip
    service near internalTrafficPolicy=Local ports=http:80:8080
    pods near a x
    vip=$(cluster_ip near)
    expect "the node's Pod answers a process of the node" reaches node tcp "$vip" 80 a
    delete_pod near a
    expect "without it nobody does" is_unreachable node tcp "$vip" 80
}

internal_local_to_host() {
    local vip client
    service near internalTrafficPolicy=Local ports=http:80:8083
    pods near node node2
    vip=$(cluster_ip near)
    for client in q node; do
        expect "the node itself answers $client" reaches "$client" tcp "$vip" 80 node
    done
    delete_pod near node
    expect "without it there is silence" is_ignored q tcp "$vip" 80
}

fall_back_internal_cluster() {
    local vip client
    service last ports=http:80:8080
    pod last a terminating=yes
    pod last x terminating=yes
    vip=$(cluster_ip last)
    for client in q node; do
        expect "$client reaches Pods that end" reaches "$client" tcp "$vip" 80 a x
    done
    pods last b
    for client in q node; do
        expect "$client reaches only the new one" reaches "$client" tcp "$vip" 80 b
    done
}

fall_back_internal_local() {
    local vip client
    service last internalTrafficPolicy=Local ports=http:80:8080
    pod last a terminating=yes
    pods last x
    vip=$(cluster_ip last)
    for client in q node; do
        expect "$client reaches the node's Pod that ends" reaches "$client" tcp "$vip" 80 a
    done
    pod last a ready=no terminating=yes
    expect "not when it serves no more" is_ignored q tcp "$vip" 80
}

fall_back_external_cluster() {
    local address port
    service last type=NodePort ports=http:80:8080
    pod last a terminating=yes
    pod last x terminating=yes
    address=$(node_address node) port=$(node_port last)
    everybody_reaches tcp "$address" "$port" a x
    pods last y
    everybody_reaches tcp "$address" "$port" y
}

fall_back_external_local() {
    local address port
    service last type=NodePort externalTrafficPolicy=Local ports=http:80:8080
    pod last a terminating=yes
    pods last x
    address=$(node_address node) port=$(node_port last)
    expect "an outside host reaches the Pod that ends" reaches outside tcp "$address" "$port" a
    pods last b
    expect "but not when another is there" reaches outside tcp "$address" "$port" b
}

# ---- the port for health checks of load balancers

health_of() { # NAME, the status code
    local address
    address=$(node_address node)
    [ "$FAMILY" = IPv4 ] || address="[$address]"
    inside outside curl -s -o "$WORK/health.json" --max-time 2 -w '%{http_code}' \
        "http://$address:$(field "$1" .spec.healthCheckNodePort)/healthz"
}

health_is() { # CODE NAME
    [ "$(health_of "$2")" = "$1" ]
}

health_becomes() { # CODE NAME
    within "$PATIENCE" health_is "$@" || { health_of "$2"; cat "$WORK/health.json"; return 1; }
}

fail_health_when_all_end() {
    service checked type=LoadBalancer externalTrafficPolicy=Local ports=http:80:8080
    pods checked a
    expect "it is healthy" health_becomes 200 checked
    expect "it says of how many Pods" says "$WORK/health.json" '.localEndpoints == 1'
    pod checked a terminating=yes
    expect "it is not when its Pod ends" health_becomes 503 checked
    expect "which still serves" reaches outside tcp "$(balancer_ip checked)" 80 a
}

change_external_policy() {
    local port
    service checked type=LoadBalancer ports=http:80:8080
    pods checked a x
    port=$(node_port checked)
    expect "there is no port for health checks" test \
        "$(field checked .spec.healthCheckNodePort)" = null
    everybody_reaches tcp "$(node_address node)" "$port" a x
    patch checked '{"externalTrafficPolicy": "Local"}'
    expect "now there is one" health_becomes 200 checked
    expect "the node port is the same" test "$port" = "$(node_port checked)"
    expect "outside clients reach the node's Pod" reaches outside tcp "$(node_address node)" \
        "$port" a
    port=$(field checked .spec.healthCheckNodePort)
    patch checked '{"externalTrafficPolicy": "Cluster"}'
    expect "the health port is closed" is_refused outside tcp "$(node_address node)" "$port"
    everybody_reaches tcp "$(node_address node)" "$(node_port checked)" a x
}
