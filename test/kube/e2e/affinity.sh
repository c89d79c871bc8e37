# shellcheck shell=bash
# Session affinity: a client comes back to its Pod.

stays() { # CLIENT PROTOCOL ADDRESS PORT, many requests at one Pod
    probe "$1" -n 24 "${@:2}"
    says "$PROBE" '.errors == {} and (.answers | length) == 1'
}

returns() { # CLIENT PROTOCOL ADDRESS PORT: after it was elsewhere before affinity began
    within "$PATIENCE" stays "$@"
}

AFFINITY='{"sessionAffinity": "ClientIP",
           "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 600}}}'

test_affinity() { # NAME PROTOCOL ADDRESS PORT: it works
    local client
    for client in $CLIENTS; do
        expect "$client stays at one Pod of $3" returns "$client" "${@:2}"
    done
}

test_switch() { # NAME PROTOCOL ADDRESS PORT POD…: on, off and on again
    local name=$1 pods=("${@:5}")
    test_affinity "${@:1:4}"
    patch "$name" '{"sessionAffinity": "None"}'
    expect "without affinity all Pods answer" reaches q "${@:2:3}" "${pods[@]}"
    patch "$name" "$AFFINITY"
    test_affinity "${@:1:4}"
}

affinity_of_cluster_ip() {
    service sticky sessionAffinity=ClientIP ports=http:80:8080
    pods sticky a b x
    test_affinity sticky tcp "$(cluster_ip sticky)" 80
}

affinity_of_udp() {
    service sticky sessionAffinity=ClientIP ports=dns:90:8081/UDP
    pods sticky a b x
    test_affinity sticky udp "$(cluster_ip sticky)" 90
}

switch_affinity_of_cluster_ip() {
    service sticky sessionAffinity=ClientIP ports=http:80:8080
    pods sticky a b x
    test_switch sticky tcp "$(cluster_ip sticky)" 80 a b x
}

affinity_of_node_port() {
    service sticky type=NodePort sessionAffinity=ClientIP ports=http:80:8080
    pods sticky a b x
    test_affinity sticky tcp "$(node_address node)" "$(node_port sticky)"
}

switch_affinity_of_node_port() {
    service sticky type=NodePort sessionAffinity=ClientIP ports=http:80:8080
    pods sticky a b x
    test_switch sticky tcp "$(node_address node)" "$(node_port sticky)" a b x
}

affinity_of_balancer() { # POLICY
    service sticky type=LoadBalancer "externalTrafficPolicy=$1" sessionAffinity=ClientIP \
        ports=http:80:8080
    pods sticky a b
    test_affinity sticky tcp "$(balancer_ip sticky)" 80
}

switch_affinity_of_balancer() { # POLICY
    service sticky type=LoadBalancer "externalTrafficPolicy=$1" sessionAffinity=ClientIP \
        ports=http:80:8080
    pods sticky a b
    test_switch sticky tcp "$(balancer_ip sticky)" 80 a b
}

affinity_of_balancer_cluster() {
    affinity_of_balancer Cluster
}

affinity_of_balancer_local() {
    affinity_of_balancer Local
}

switch_affinity_of_balancer_cluster() {
    switch_affinity_of_balancer Cluster
}

switch_affinity_of_balancer_local() {
    switch_affinity_of_balancer Local
}

moves() { # FIRST CLIENT PROTOCOL ADDRESS PORT: another Pod answers, after a pause each
    local first=$1
    shift
    for _ in 1 2 3 4 5 6; do
        sleep 2.3
        probe "$@"
        says "$PROBE" "(.answers | keys) != [\"$first\"] and .errors == {}" && return
    done
    return 1
}

test_timeout() { # NAME PROTOCOL ADDRESS PORT
    local first
    expect "it stays at first" returns q "${@:2}"
    first=$(jq -r '.answers | keys[0]' "$PROBE")
    expect "when the time is over another Pod answers" moves "$first" q "${@:2}"
}

TWO_SECONDS='sessionAffinityConfig={"clientIP": {"timeoutSeconds": 2}}'

affinity_timeout_of_cluster_ip() {
    service sticky sessionAffinity=ClientIP "$TWO_SECONDS" ports=http:80:8080
    pods sticky a b x
    test_timeout sticky tcp "$(cluster_ip sticky)" 80
}

affinity_timeout_of_node_port() {
    service sticky type=NodePort sessionAffinity=ClientIP "$TWO_SECONDS" ports=http:80:8080
    pods sticky a b x
    test_timeout sticky tcp "$(node_address node)" "$(node_port sticky)"
}
