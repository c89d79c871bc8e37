# shellcheck shell=bash
# Load balancers: packets for their address as the balancer delivers them to the node.

local_balancer() { # NAME POD…, with policy Local
    service "$1" type=LoadBalancer externalTrafficPolicy=Local ports=http:80:8080
    pods "$@"
}

local_policy_of_balancer() {
    local vip
    local_balancer local a x
    vip=$(balancer_ip local)
    expect "an outside host reaches the node's Pod alone" reaches outside tcp "$vip" 80 a
    expect "which sees its address" seen_as "$(node_address outside)"
    expect "the node is healthy" health_becomes 200 local
}

local_policy_of_node_port() {
    service local type=NodePort externalTrafficPolicy=Local ports=http:80:8080,dns:90:8081/UDP
    pods local a x
    expect "an outside host reaches the node's Pod alone" reaches outside tcp \
        "$(node_address node)" "$(node_port local)" a
    expect "which sees its address" seen_as "$(node_address outside)"
    expect "by UDP, too" reaches outside udp "$(node_address node)" "$(node_port local 1)" a
    expect "which sees its address, too" seen_as "$(node_address outside)"
}

local_policy_needs_a_pod() {
    local vip
    local_balancer local x
    vip=$(balancer_ip local)
    expect "a node without a Pod is not healthy" health_becomes 503 local
    expect "and keeps silent" is_ignored outside tcp "$vip" 80
    pods local b
    expect "with one it is" health_becomes 200 local
    expect "and serves" reaches outside tcp "$vip" 80 b
    delete_pod local b
    expect "until that goes" health_becomes 503 local
}

local_policy_from_pods() {
    local vip
    local_balancer local a x
    vip=$(balancer_ip local)
    expect "a Pod reaches all of them" reaches q tcp "$vip" 80 a x
    expect "which see the Pod's address" seen_as "$(pod_address q)"
    expect "a process of the node does" reaches node tcp "$vip" 80 a x
    delete_pod local a
    expect "a Pod reaches those of other nodes" reaches q tcp "$vip" 80 x
}

update_external_policy() {
    local vip
    local_balancer local a x
    vip=$(balancer_ip local)
    expect "Local: the node's Pod" reaches outside tcp "$vip" 80 a
    patch local '{"externalTrafficPolicy": "Cluster"}'
    expect "Cluster: all" reaches outside tcp "$vip" 80 a x
    patch local '{"externalTrafficPolicy": "Local"}'
    expect "Local again: the node's Pod" reaches outside tcp "$vip" 80 a
    expect "which sees the client's address" seen_as "$(node_address outside)"
}

restrict_sources() {
    local vip ranges
    service open type=LoadBalancer ports=http:80:8080
    pods open a x
    vip=$(balancer_ip open)
    everybody_reaches tcp "$vip" 80 a x
    ranges="\"$(pod_address q)/$([ "$FAMILY" = IPv6 ] && echo 128 || echo 32)\""
    patch open "{\"loadBalancerSourceRanges\": [$ranges]}"
    expect "who is not in the ranges is ignored" is_ignored outside tcp "$vip" 80
    expect "who is in them is not" reaches q tcp "$vip" 80 a x
    ranges="\"$(node_address outside)/$([ "$FAMILY" = IPv6 ] && echo 128 || echo 32)\""
    patch open "{\"loadBalancerSourceRanges\": [$ranges]}"
    expect "others now are" reaches outside tcp "$vip" 80 a x
    expect "and the former one is not" is_ignored q tcp "$vip" 80
    patch open '{"loadBalancerSourceRanges": null}'
    everybody_reaches tcp "$vip" 80 a x
}

# ---- nobody notices that Pods are replaced

keep_requesting() { # CLIENT ADDRESS PORT, until the file says stop; counts in $WORK/rolling.json
    rm -f "$WORK/rolling.stop"
    spawn rolling "$1" "$PYTHON" "$KUBE/probe.py" --until "$WORK/rolling.stop" tcp "$2" "$3"
}

none_was_refused() {
    touch "$WORK/rolling.stop"
    within 5 test -s "$WORK/rolling.log"
    says "$WORK/rolling.log" '.errors == {} and ([.answers[]] | add) > 50'
}

roll() { # POLICY
    local vip pair old new
    service rolling type=LoadBalancer "externalTrafficPolicy=$1" ports=http:80:8080
    pods rolling a b
    vip=$(balancer_ip rolling)
    expect "it serves" reaches outside tcp "$vip" 80 a b
    keep_requesting outside "$vip" 80
    sleep 0.5
    for pair in a:c b:q; do
        old=${pair%:*} new=${pair#*:}
        pod rolling "$new" ready=no
        pod rolling "$new"
        pod rolling "$old" terminating=yes
        sleep 0.7
        delete_pod rolling "$old"
        sleep 0.3
    done
    expect "the new Pods serve" reaches outside tcp "$vip" 80 c q
    expect "no request has failed" none_was_refused
}

roll_cluster() {
    roll Cluster
}

roll_local() {
    roll Local
}
