# shellcheck shell=bash
# Services that become another type, and the addresses and ports that come and go with it.

functioning_node_port() {
    service node type=NodePort ports=http:80:8080
    pods node a x
    everybody_reaches tcp "$(cluster_ip node)" 80 a x
    everybody_reaches tcp "$(node_address node)" "$(node_port node)" a x
}

from_cluster_ip_to_external_name() {
    local vip
    service name ports=http:80:8080
    pods name a
    vip=$(cluster_ip name)
    everybody_reaches tcp "$vip" 80 a
    patch name '{"type": "ExternalName", "externalName": "name.example.com"}'
    expect "it has no address any more" test "$(cluster_ip name)" = null
    expect "nobody serves that address" is_unreachable q tcp "$vip" 80
}

external_name() { # NAME
    service "$1" type=ExternalName externalName=name.example.com
}

from_external_name_to_cluster_ip() {
    external_name name
    pods name a
    patch name '{"type": "ClusterIP", "externalName": null, "ipFamilies": ["'"$FAMILY"'"],
                 "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}'
    everybody_reaches tcp "$(cluster_ip name)" 80 a
}

from_external_name_to_node_port() {
    external_name name
    pods name a
    patch name '{"type": "NodePort", "externalName": null, "ipFamilies": ["'"$FAMILY"'"],
                 "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}'
    everybody_reaches tcp "$(cluster_ip name)" 80 a
    everybody_reaches tcp "$(node_address node)" "$(node_port name)" a
}

from_node_port_to_external_name() {
    local vip port
    service name type=NodePort ports=http:80:8080
    pods name a
    vip=$(cluster_ip name) port=$(node_port name)
    everybody_reaches tcp "$(node_address node)" "$port" a
    patch name '{"type": "ExternalName", "externalName": "name.example.com"}'
    expect "nobody serves its address" is_unreachable q tcp "$vip" 80
    expect "nobody serves its node port" is_refused outside tcp "$(node_address node)" "$port"
}

to_node_port_of_two_protocols() {
    local port
    service two ports=tcp:80:8080
    pods two a
    everybody_reaches tcp "$(cluster_ip two)" 80 a
    patch two '{"type": "NodePort", "ports": [
        {"name": "tcp", "port": 80, "targetPort": 8080},
        {"name": "udp", "port": 80, "protocol": "UDP", "targetPort": 8081}]}'
    port=$(node_port two)
    expect "both protocols have one node port" test "$port" = "$(node_port two 1)"
    everybody_reaches tcp "$(node_address node)" "$port" a
    everybody_reaches udp "$(node_address node)" "$port" a
}

release_node_ports() {
    local port
    service first type=NodePort ports=http:80:8080
    pods first a
    pods second b
    port=$(node_port first)
    expect "it serves" reaches outside tcp "$(node_address node)" "$port" a
    delete_service first
    expect "the port is free" is_refused outside tcp "$(node_address node)" "$port"
    expect "another Service gets it" service second type=NodePort "ports=http:80:8080@$port"
    everybody_reaches tcp "$(node_address node)" "$port" b
}

external_ip() {
    local address=203.0.113.5 foreign=198.18.0.5
    [ "$FAMILY" = IPv4 ] || address=2001:db8:eb::5 foreign=2001:db8:bad::5
    service outer "externalIPs=[\"$address\", \"$foreign\"]" ports=http:80:8080
    pods outer a x
    everybody_reaches tcp "$address" 80 a x
    expect "one that is not allowed is not served" is_unreachable q tcp "$foreign" 80
}

# From ClusterIP to LoadBalancer and back, step by step.
change_type_and_ports() { # PROTOCOL
    local protocol=$1 upper=${1^^} vip port
    service turn "ports=main:80:8080/$upper"
    pods turn a x
    expect "as ClusterIP" reaches q "$protocol" "$(cluster_ip turn)" 80 a x
    patch turn '{"type": "NodePort"}'
    port=$(node_port turn)
    everybody_reaches "$protocol" "$(node_address node)" "$port" a x
    patch turn '{"type": "LoadBalancer"}'
    vip=$(balancer_ip turn)
    expect "the node port is kept" test "$port" = "$(node_port turn)"
    everybody_reaches "$protocol" "$vip" 80 a x
    everybody_reaches "$protocol" "$(node_address node)" "$port" a x
    change_ports "$protocol" "$vip" "$port"
    delete_pod turn a
    delete_pod turn x
    everybody_is_refused "$protocol" "$vip" 81
    pods turn b
    everybody_reaches "$protocol" "$vip" 81 b
    port=$(node_port turn)
    patch turn '{"type": "ClusterIP"}'
    expect "the node port is closed" is_refused outside "$protocol" "$(node_address node)" "$port"
    expect "the balancer's address is no more" is_unreachable outside "$protocol" "$vip" 81
    expect "as ClusterIP again" reaches q "$protocol" "$(cluster_ip turn)" 81 b
}

change_ports() { # PROTOCOL BALANCER-ADDRESS NODE-PORT
    local protocol=$1 upper=${1^^} address
    address=$(node_address node)
    patch turn "{\"ports\": [{\"name\": \"main\", \"port\": 80, \"protocol\": \"$upper\",
                 \"targetPort\": 8080, \"nodePort\": 32123}]}"
    everybody_reaches "$protocol" "$address" 32123 a x
    expect "the former node port is closed" is_refused outside "$protocol" "$address" "$3"
    patch turn "{\"ports\": [{\"name\": \"main\", \"port\": 81, \"protocol\": \"$upper\",
                 \"targetPort\": 8080, \"nodePort\": 32123}]}"
    everybody_reaches "$protocol" "$2" 81 a x
    everybody_reaches "$protocol" "$address" 32123 a x
    expect "the former port is closed" is_refused q "$protocol" "$2" 80
}

change_type_and_ports_of_tcp() {
    change_type_and_ports tcp
}

change_type_and_ports_of_udp() {
    change_type_and_ports udp
}

balance_without_node_port() {
    service bare type=LoadBalancer allocateLoadBalancerNodePorts=false ports=http:80:8080
    pods bare a x
    expect "it has no node port" test "$(node_port bare)" = null
    everybody_reaches tcp "$(balancer_ip bare)" 80 a x
    patch bare '{"allocateLoadBalancerNodePorts": true}'
    expect "it gets one" test "$(node_port bare)" != null
    everybody_reaches tcp "$(node_address node)" "$(node_port bare)" a x
}

both_families() { # FIRST SECOND, in that order
    local first second four six
    kube service "$NS/dual" selector=app=dual ipFamilyPolicy=RequireDualStack \
        "ipFamilies=[\"$1\", \"$2\"]" type=NodePort ports=http:80:8080
    pods dual a x
    first=$(field dual '.spec.clusterIPs[0]') second=$(field dual '.spec.clusterIPs[1]')
    [[ $first == *:* ]] && four=$second six=$first || four=$first six=$second
    expect "its first address is of the first family" test "$1" = \
        "$(field dual '.spec.ipFamilies[0]')"
    everybody_reaches tcp "$four" 80 a x
    everybody_reaches tcp "$six" 80 a x
    everybody_reaches tcp 192.0.2.1 "$(node_port dual)" a x
    everybody_reaches tcp 2001:db8::1 "$(node_port dual)" a x
}

both_families_from_ipv4() {
    both_families IPv4 IPv6
}

both_families_from_ipv6() {
    both_families IPv6 IPv4
}

one_family() {
    service one ports=http:80:8080
    pods one a x
    expect "it has one address" test "$(field one '.spec.clusterIPs | length')" = 1
    everybody_reaches tcp "$(cluster_ip one)" 80 a x
}
