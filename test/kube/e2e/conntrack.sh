# shellcheck shell=bash
# What is remembered of connections must not keep clients from the Pods that there are now.

ask_on() { # CLIENT ADDRESS PORT: UDP from one port until stop_asking; in $WORK/asking.log
    local client=$1
    [ "${#client}" -gt 1 ] || client=pod-$client
    spawn asking "$client" "$PYTHON" "$KUBE/probe.py" --keep 60 --timeout 0.3 --from 12345 \
        udp "$2" "$3"
    ASKING=${PIDS[-1]}
}

stop_asking() {
    { kill "$ASKING" && wait "$ASKING"; } 2>/dev/null
    unset 'PIDS[-1]'
}

answered_last_by() { # POD, the last three times
    tail -n 3 "$WORK/asking.log" | awk -v pod="$1" '$2 == pod {n++} END {exit n != 3}'
}

comes_to() { # POD
    within "$PATIENCE" answered_last_by "$1" || { tail -n 20 "$WORK/asking.log"; return 1; }
}

# The Pod that served goes, another one has come: the same port of the client reaches that.
cycle() { # CLIENT ADDRESS PORT FIRST SECOND
    pod cycled "$4"
    ask_on "$1" "$2" "$3"
    expect "$4 answers" comes_to "$4"
    pod cycled "$5"
    delete_pod cycled "$4"
    expect "$5 answers" comes_to "$5"
    delete_pod cycled "$5"
    settled
    pod cycled "$4"
    expect "after a time without a Pod $4 answers" comes_to "$4"
    stop_asking
}

cycle_of_cluster_ip() {
    service cycled ports=dns:80:8081/UDP
    cycle q "$(cluster_ip cycled)" 80 a x
}

cycle_for_host_network() {
    service cycled ports=dns:80:8081/UDP
    cycle node "$(cluster_ip cycled)" 80 a x
}

cycle_of_node_port() {
    service cycled type=NodePort ports=dns:80:8081/UDP
    cycle outside "$(node_address node)" "$(node_port cycled)" a b
}

cycle_of_balancer_on_other_nodes() {
    service cycled type=LoadBalancer ports=dns:80:8081/UDP
    cycle outside "$(balancer_ip cycled)" 80 a x
}

cycle_of_balancer_on_same_node() {
    service cycled type=LoadBalancer ports=dns:80:8081/UDP
    cycle outside "$(balancer_ip cycled)" 80 a b
}

get_ready_late() {
    service cycled ports=dns:80:8081/UDP
    pod cycled a ready=no
    ask_on q "$(cluster_ip cycled)" 80
    sleep 1
    expect "nobody answers yet" fails grep -q ' a$' "$WORK/asking.log"
    pod cycled a
    expect "the Pod answers when it is ready" comes_to a
    stop_asking
}

# A segment from outside the window, that conntrack calls invalid, must not end the connection.
boom() {
    local vip
    service boom ports=tcp:9000:9000
    pods boom a
    vip=$(cluster_ip boom)
    spawn boom-server pod-a "$PYTHON" "$KUBE/boom.py" serve 9000
    settled
    expect "the connection bears it" within "$PATIENCE" inside pod-q "$PYTHON" "$KUBE/boom.py" \
        ask "$vip" 9000
}
