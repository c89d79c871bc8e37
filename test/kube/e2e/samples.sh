# shellcheck shell=bash
# Applications as people write them for kubectl (test/kube/samples): each of their Services, at each
# of its addresses, is reached, and by the Pods that it selects alone.

expected_servers() { # SERVICE FAMILY, as jq has a list
    jq -c --arg name "$1" --arg family "$2" '[.items[] | select(.addressType == $family and
        .metadata.labels["kubernetes.io/service-name"] == $name) | .endpoints[]?.addresses[0]] |
        sort' "$WORK/slices.json"
}

served_by() { # CLIENT ADDRESS PORT SERVERS as a list
    probe "$1" -n $((12 * $(jq length <<<"$4") + 4)) tcp "$2" "$3"
    says "$PROBE" ".errors == {} and (.servers | keys) == $4"
}

reach_address() { # SERVICE ADDRESS PORT
    local family=IPv4 servers client
    [[ $2 != *:* ]] || family=IPv6
    servers=$(expected_servers "$1" "$family")
    expect "$1 has Pods ($family)" test "$servers" != '[]'
    for client in $CLIENTS; do
        expect "$client reaches $1 at $2" within "$PATIENCE" served_by "$client" "$2" "$3" \
            "$servers"
    done
}

reach_node_ports() { # SERVICE PORT, of the families that it has
    local FAMILY
    for FAMILY in IPv4 IPv6; do
        [ "$(expected_servers "$1" "$FAMILY")" = '[]' ] ||
            reach_address "$1" "$(node_address node)" "$2"
    done
}

sample() { # NAME
    local name address port reached=0
    expect "kubectl applies it" kube apply -n "$NS" -f "$KUBE/samples/$1.yaml"
    ask_server '["get", "endpointslices"]' |
        jq -c "{items: [.items[] | select(.metadata.namespace == \"$NS\")]}" >"$WORK/slices.json"
    ask_server '["get", "services"]' >"$WORK/services.json"
    while read -r name address port; do
        reached=$((reached + 1))
        case $address in
        node) reach_node_ports "$name" "$port" ;;
        *) reach_address "$name" "$address" "$port" ;;
        esac
    done < <(jq -r ".items[] | select(.metadata.namespace == \"$NS\") | .metadata.name as \$name |
        (.spec.clusterIPs + [.status.loadBalancer.ingress[]?.ip])[] as \$address |
        \"\(\$name) \(\$address) \(.spec.ports[0].port)\",
        (.spec.ports[0].nodePort | select(.) | \"\(\$name) node \(.)\")" "$WORK/services.json" |
        sort -u)
    expect "it has addresses to reach" test "$reached" -gt 0
}

sample_guestbook() {
    sample guestbook
}

sample_bookpage() {
    sample bookpage
}

sample_shop() {
    sample shop
}
