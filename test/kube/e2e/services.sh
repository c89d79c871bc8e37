# shellcheck shell=bash
# Services and what becomes of them as their Pods come and go.

everybody_reaches() { # PROTOCOL ADDRESS PORT NAME…
    local client
    for client in $CLIENTS; do
        expect "$client reaches $2, port $3/$1" reaches "$client" "$@"
    done
}

everybody_is_refused() { # PROTOCOL ADDRESS PORT
    local client
    for client in $CLIENTS; do
        expect "$client is refused at $2, port $3/$1" is_refused "$client" "$@"
    done
}

serve_basic_endpoint() {
    local vip
    expect "a Service is created" service basic ports=http:80:8080
    vip=$(cluster_ip basic)
    expect "without a Pod it refuses" is_refused q tcp "$vip" 80
    pod basic a
    everybody_reaches tcp "$vip" 80 a
    pod basic x
    everybody_reaches tcp "$vip" 80 a x
    delete_pod basic a
    everybody_reaches tcp "$vip" 80 x
    delete_pod basic x
    everybody_is_refused tcp "$vip" 80
}

serve_multiport() {
    local vip
    service multi ports=one:80:first,two:81:second
    vip=$(cluster_ip multi)
    pod multi a ports=first:100
    everybody_reaches tcp "$vip" 80 a
    expect "the other port has nobody yet" is_refused q tcp "$vip" 81
    pod multi b ports=second:101
    everybody_reaches tcp "$vip" 81 b
    expect "the first port has its Pod alone" reaches q tcp "$vip" 80 a
    delete_pod multi a
    everybody_is_refused tcp "$vip" 80
    expect "the second goes on" reaches q tcp "$vip" 81 b
}

serve_same_port_different_protocols() {
    local vip
    service both ports=tcp:80:8080,udp:80:8080/UDP
    vip=$(cluster_ip both)
    pods both a x
    everybody_reaches tcp "$vip" 80 a x
    everybody_reaches udp "$vip" 80 a x
    patch both '{"ports": [{"name": "udp", "port": 80, "protocol": "UDP", "targetPort": 8080}]}'
    everybody_is_refused tcp "$vip" 80
    everybody_reaches udp "$vip" 80 a x
}

serve_same_port_on_balancer() {
    local vip
    service both type=LoadBalancer ports=tcp:80:8080,udp:80:8080/UDP
    pods both a b
    vip=$(balancer_ip both)
    everybody_reaches tcp "$vip" 80 a b
    everybody_reaches udp "$vip" 80 a b
}

up_and_down() {
    local first second third
    service first ports=http:80:8080
    service second ports=http:80:8080
    pods first a b
    pods second b c
    first=$(cluster_ip first) second=$(cluster_ip second)
    everybody_reaches tcp "$first" 80 a b
    everybody_reaches tcp "$second" 80 b c
    delete_service first
    expect "what was deleted answers no more" is_unreachable q tcp "$first" 80
    everybody_reaches tcp "$second" 80 b c
    service third ports=http:80:8080
    pods third a x
    third=$(cluster_ip third)
    everybody_reaches tcp "$third" 80 a x
    everybody_reaches tcp "$second" 80 b c
}

work_after_recreation() {
    local vip
    service again ports=http:80:8080
    pods again a x
    vip=$(cluster_ip again)
    expect "it is reached" reaches q tcp "$vip" 80 a x
    delete_service again
    expect "it is gone" is_unreachable q tcp "$vip" 80
    service again "clusterIP=$vip" ports=http:80:8080
    everybody_reaches tcp "$vip" 80 a x
}

work_after_restart_of_proxy() {
    local vip
    service kept ports=http:80:8080
    pods kept a x
    vip=$(cluster_ip kept)
    expect "it is reached" reaches q tcp "$vip" 80 a x
    lbd_kill TERM
    expect "and while lbd is away" answered_by q tcp "$vip" 80 a x
    delete_pod kept a
    expect "lbd starts again" cluster_lbd
    everybody_reaches tcp "$vip" 80 x
    service new ports=http:80:8080
    pods new b
    everybody_reaches tcp "$(cluster_ip new)" 80 b
}

work_after_restart_of_api_server() {
    local vip
    service kept ports=http:80:8080
    pods kept a x
    vip=$(cluster_ip kept)
    expect "it is reached" reaches q tcp "$vip" 80 a x
    kube fault refuse 2
    kube fault disconnect
    expect "and while the API server is away" answered_by q tcp "$vip" 80 a x
    delete_pod kept a
    service new ports=http:80:8080
    pods new b
    sleep 1
    PATIENCE=15 everybody_reaches tcp "$(cluster_ip new)" 80 b
    everybody_reaches tcp "$vip" 80 x
}

hairpin() {
    local vip
    service own ports=http:80:8080,dns:90:8081/UDP
    pods own a
    vip=$(cluster_ip own)
    expect "a Pod reaches itself" reaches a tcp "$vip" 80 a
    expect "by UDP, too" reaches a udp "$vip" 90 a
}

preserve_source() {
    local vip
    service seen ports=http:80:8080
    pods seen b x
    vip=$(cluster_ip seen)
    expect "a Pod reaches it" reaches q tcp "$vip" 80 b x
    expect "its own address is seen" seen_as "$(pod_address q)"
}

be_rejected_without_endpoints() {
    local vip
    service empty type=NodePort ports=http:80:8080,dns:80:8081/UDP
    vip=$(cluster_ip empty)
    everybody_is_refused tcp "$vip" 80
    everybody_is_refused udp "$vip" 80
    everybody_is_refused tcp "$(node_address node)" "$(node_port empty)"
}

be_rejected_for_evicted_pods() {
    local vip
    service evicted ports=http:80:8080
    pods evicted a
    vip=$(cluster_ip evicted)
    expect "its Pod serves" reaches q tcp "$vip" 80 a
    pod evicted a phase=Failed
    everybody_is_refused tcp "$vip" 80
}

update_ports() {
    local vip
    service ports ports=one:80:8080
    pods ports a x
    vip=$(cluster_ip ports)
    expect "the first port serves" reaches q tcp "$vip" 80 a x
    patch ports '{"ports": [{"name": "one", "port": 80, "targetPort": 8080},
                            {"name": "two", "port": 81, "targetPort": 8081}]}'
    everybody_reaches tcp "$vip" 81 a x
    expect "the first still does" reaches q tcp "$vip" 80 a x
    patch ports '{"ports": [{"name": "two", "port": 81, "targetPort": 8081}]}'
    everybody_is_refused tcp "$vip" 80
    everybody_reaches tcp "$vip" 81 a x
}

leave_label() { # LABEL, which tells proxies to leave a Service alone
    local up vip
    service up ports=http:80:8080
    service left "labels=$1=x" ports=http:80:8080
    pods up a
    pods left b
    up=$(cluster_ip up) vip=$(cluster_ip left)
    everybody_reaches tcp "$up" 80 a
    expect "the labelled one is not served" is_unreachable q tcp "$vip" 80
    kube patch service "$NS/up" "{\"metadata\": {\"labels\": {\"$1\": \"x\"}}}"
    expect "nor is one that gets the label" is_unreachable q tcp "$up" 80
    kube patch service "$NS/up" "{\"metadata\": {\"labels\": {\"$1\": null}}}"
    everybody_reaches tcp "$up" 80 a
    expect "the labelled one still is not" is_not_answered q tcp "$vip" 80
}

implement_headless() {
    leave_label service.kubernetes.io/headless
}

implement_proxy_name() {
    leave_label service.kubernetes.io/service-proxy-name
}

publish_not_ready() {
    local vip
    service all type=NodePort publishNotReadyAddresses=true ports=http:80:8080
    pod all a ready=no
    pod all x ready=no terminating=yes
    vip=$(cluster_ip all)
    everybody_reaches tcp "$vip" 80 a x
    everybody_reaches tcp "$(node_address node)" "$(node_port all)" a x
}

hide_not_ready() {
    local vip
    service some type=NodePort ports=http:80:8080
    pod some a ready=no
    pod some x ready=no terminating=yes
    vip=$(cluster_ip some)
    everybody_is_refused tcp "$vip" 80
    everybody_is_refused tcp "$(node_address node)" "$(node_port some)"
}

serve_unready_pods() {
    local vip
    service early publishNotReadyAddresses=true ports=http:80:8080
    pod early a ready=no
    vip=$(cluster_ip early)
    everybody_reaches tcp "$vip" 80 a
    patch early '{"publishNotReadyAddresses": false}'
    everybody_is_refused tcp "$vip" 80
    patch early '{"publishNotReadyAddresses": true}'
    everybody_reaches tcp "$vip" 80 a
    delete_pod early a
    everybody_is_refused tcp "$vip" 80
}

read_leading_zeros() {
    service zeros clusterIP=10.096.000.017 ports=http:80:8080
    pods zeros a
    expect "10.096.000.017 is decimal" reaches q tcp 10.96.0.17 80 a
}

own_slice() { # SERVICE NAME PORTS-JSON ENDPOINTS-JSON
    kube apply -f - <<END
{"kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1", "addressType": "$FAMILY",
 "metadata": {"name": "$2", "namespace": "$NS", "labels": {"kubernetes.io/service-name": "$1"}},
 "ports": $3, "endpoints": $4}
END
}

add_addresses_of_slices() {
    local vip
    service sliced selector= ports=http:80:8080
    vip=$(cluster_ip sliced)
    own_slice sliced one '[{"name": "http", "port": 8080}]' \
        "[{\"addresses\": [\"$(pod_address a)\"]}]"
    own_slice sliced two '[{"name": "http", "port": 8080}]' \
        "[{\"addresses\": [\"$(pod_address x)\"], \"conditions\": {\"ready\": true}}]"
    everybody_reaches tcp "$vip" 80 a x
    kube delete endpointslice "$NS/one"
    everybody_reaches tcp "$vip" 80 x
}

add_ports_of_slices() {
    local vip
    service sliced selector= ports=one:80:8080,two:81:8081
    vip=$(cluster_ip sliced)
    own_slice sliced one '[{"name": "one", "port": 8080, "protocol": "TCP"}]' \
        "[{\"addresses\": [\"$(pod_address a)\"]}]"
    own_slice sliced two '[{"name": "two", "port": 8081, "protocol": "TCP"}]' \
        "[{\"addresses\": [\"$(pod_address b)\"]}]"
    everybody_reaches tcp "$vip" 80 a
    everybody_reaches tcp "$vip" 81 b
}

ask_master() { # CLIENT ADDRESS
    local client=$1
    [ "${#client}" -gt 1 ] || client=pod-$client
    inside "$client" curl -sS --max-time 2 --cacert "$WORK/tls/ca.crt" \
        -H "Authorization: Bearer $(<"$WORK/tls/token")" "https://$2/version" | jq -e .major
}

provide_master() {
    local address=10.96.0.1 endpoint=192.0.2.10
    [ "$FAMILY" = IPv4 ] || address=fd00:96::1 endpoint=2001:db8::10
    service kubernetes selector= "clusterIP=$address" ports=https:443:6443
    own_slice kubernetes api '[{"name": "https", "port": 6443}]' \
        "[{\"addresses\": [\"$endpoint\"]}]"
    [ "$FAMILY" = IPv4 ] || address="[$address]"
    expect "a Pod reaches the API server" within "$PATIENCE" ask_master q "$address"
    expect "a process of the node does" within "$PATIENCE" ask_master node "$address"
}

be_known_soon() {
    local number vip
    for number in 1 2 3 4 5; do
        pods "soon-$number" a
        service "soon-$number" ports=http:80:8080
        vip=$(cluster_ip "soon-$number")
        expect "Service $number serves within 2 seconds" within 2 answered_by q tcp "$vip" 80 a
    done
}

serve_other_ranges() {
    local vip=10.99.7.7
    [ "$FAMILY" = IPv4 ] || vip=fd00:96::9:7:7
    service ranged "clusterIP=$vip" ports=http:80:8080
    service usual ports=http:80:8080
    pods ranged a
    pods usual b
    everybody_reaches tcp "$vip" 80 a
    everybody_reaches tcp "$(cluster_ip usual)" 80 b
}

recreate_what_is_deleted() {
    local vip
    service mended ports=http:80:8080
    pods mended a
    vip=$(cluster_ip mended)
    expect "it is reached" reaches q tcp "$vip" 80 a
    bpftool link detach pinned "$PIN/link/veth-q"
    "$HERE/spoil.py" delete "$PIN/map/services"
    everybody_reaches tcp "$vip" 80 a
}
