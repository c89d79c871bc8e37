# shellcheck shell=bash
# A cluster in network namespaces: the node that lbd runs on, a second one that is plain Linux, a
# host that is of no cluster, and the API server. A test sources it, calls make_cluster, and speaks
# of Services and pods by what _scenario.sh has.
#
#     outside 192.0.2.2    ─┐            ┌─ pod-a 10.1.0.11  pod-b .12  pod-c .13   servers
#     control 192.0.2.10   ─┤ lan ─ node ┴─ pod-q 10.1.0.20                         a client
#     (API server)          │     192.0.2.1
#     node2   192.0.2.3    ─┘─── pod-x 10.2.0.11  pod-y 10.2.0.12                   servers
#
# Over IPv6 the same: 2001:db8::1, ::2, ::3, ::10; fd00:1::11 …, fd00:2::11 …. Each pod and both
# nodes (as pods with hostNetwork) run echo_server.py. The nodes forward, as nodes do; packets for
# an address of no service go to the outside host, which ignores them.

. "$(dirname "${BASH_SOURCE[0]}")/../netns/_init.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../netns/_cgroup.sh"
. "$(dirname "${BASH_SOURCE[0]}")/_api_server.sh"

TCP_PORTS=80,100,101,8080,8081,3550,5050,6379,7000,7070,9080,9555,50051
UDP_PORTS=90,8080,8081
HOST_TCP_PORTS=8083
HOST_UDP_PORTS=8083
PODS=(a b c q)
PODS2=(x y)
declare -A NUMBER=([a]=11 [b]=12 [c]=13 [q]=20 [x]=11 [y]=12)
declare -A SUBNET=([node]=1 [node2]=2)
declare -A LAN=([node]=1 [outside]=2 [node2]=3 [control]=10)

CLUSTER_OPTIONS=(--cluster-cidr 10.0.0.0/14 --cluster-cidr fd00::/30
    --external-ip-range 203.0.113.0/24 --external-ip-range 2001:db8:eb::/64
    --socket-lb host-only --cgroup "$CGROUP")

add_lan() {
    add_namespace lan
    inside lan ip link add lan type bridge mcast_snooping 0
    inside lan ip link set lan up
}

join_lan() { # NAME INTERFACE
    ip link add "$2" netns "$PREFIX-$1" type veth peer name "to-$1" netns "$PREFIX-lan"
    inside lan ip link set "to-$1" master lan up
    inside "$1" ip link set "$2" up
    inside "$1" ip address add "192.0.2.${LAN[$1]}/24" dev "$2"
    inside "$1" ip address add "2001:db8::${LAN[$1]}/64" dev "$2" nodad
}

be_node() { # NAME
    inside "$1" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
        echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
        for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$file; done'
    inside "$1" ip route add default via 192.0.2.2
    inside "$1" ip route add default via 2001:db8::2
}

# Where the other's pods are, as a network plugin or a cloud's router has it.
route_pods() { # NAME NODE
    inside "$1" ip route add "10.${SUBNET[$2]}.0.0/24" via "192.0.2.${LAN[$2]}"
    inside "$1" ip route add "fd00:${SUBNET[$2]}::/64" via "2001:db8::${LAN[$2]}"
}

# The outside host reaches services' addresses by the node.
route_services() { # NAME
    local prefix
    for prefix in 10.96.0.0/12 198.51.100.0/24 203.0.113.0/24; do
        inside "$1" ip route add "$prefix" via 192.0.2.1
    done
    for prefix in fd00:96::/64 2001:db8:1b::/64 2001:db8:eb::/64; do
        inside "$1" ip route add "$prefix" via 2001:db8::1
    done
}

pod_address() { # POD, of the present family
    local subnet=1
    [[ $1 =~ ^[xy]$ ]] && subnet=2
    [ "$FAMILY" = IPv6 ] && echo "fd00:$subnet::${NUMBER[$1]}" || echo "10.$subnet.0.${NUMBER[$1]}"
}

node_address() { # NAME
    [ "$FAMILY" = IPv6 ] && echo "2001:db8::${LAN[$1]}" || echo "192.0.2.${LAN[$1]}"
}

wire_pod() { # NODE POD
    local node=$1 pod=pod-$2 four="10.${SUBNET[$1]}.0" six="fd00:${SUBNET[$1]}:"
    add_namespace "$pod"
    ip link add "veth-$2" netns "$PREFIX-$node" type veth peer name eth0 netns "$PREFIX-$pod"
    inside "$node" ip address add "$four.1/32" dev "veth-$2"
    inside "$node" ip address add "$six:1/128" dev "veth-$2" nodad
    inside "$node" ip link set "veth-$2" up
    inside "$pod" ip link set eth0 up
    add_pod_address "$node" "$2" "$four.${NUMBER[$2]}" "$six:${NUMBER[$2]}"
    inside "$pod" ip route add "$four.1" dev eth0
    inside "$pod" ip route add default via "$four.1"
    inside "$pod" ip route add "$six:1" dev eth0
    inside "$pod" ip route add default via "$six:1"
}

add_pod_address() { # NODE POD IPv4 IPv6 [WORD… of ip]
    inside "pod-$2" ip address add "$3/32" dev eth0
    inside "pod-$2" ip address add "$4/128" dev eth0 nodad "${@:5}"
    inside "$1" ip route add "$3" dev "veth-$2"
    inside "$1" ip route add "$4" dev "veth-$2"
}

serve_echo() { # NAMESPACE NAME TCP-PORTS UDP-PORTS
    PYTHONPATH=$HERE spawn "echo-$2" "$1" "$PYTHON" "$KUBE/echo_server.py" "$2" "$3" "$4"
}

make_nodes() {
    local name
    add_lan
    for name in outside control node2; do
        add_namespace "$name"
        join_lan "$name" eth0
    done
    add_namespace node
    join_lan node uplink0
    be_node node
    be_node node2
    route_pods node node2
    route_pods node2 node
    route_pods control node
    route_pods control node2
    route_services outside
}

make_pods() {
    local pod
    for pod in "${PODS[@]}"; do
        wire_pod node "$pod"
        serve_echo "pod-$pod" "$pod" "$TCP_PORTS" "$UDP_PORTS"
    done
    for pod in "${PODS2[@]}"; do
        wire_pod node2 "$pod"
        serve_echo "pod-$pod" "$pod" "$TCP_PORTS" "$UDP_PORTS"
    done
    serve_echo node node "$HOST_TCP_PORTS" "$HOST_UDP_PORTS"
    serve_echo node2 node2 "$HOST_TCP_PORTS" "$HOST_UDP_PORTS"
    for pod in "${PODS[@]}" "${PODS2[@]}"; do
        within 20 is_listening "pod-$pod" 8080 || fail "the servers of pod $pod start"
    done
}

# Addresses for the Pods of Deployments, four in each of the servers' namespaces, from which none of
# these starts anything.
make_pool() {
    local node pod number
    local -A owner=([a]=node [b]=node [c]=node [x]=node2 [y]=node2)
    for pod in a b c x y; do
        node=${owner[$pod]}
        for number in 0 1 2 3; do
            number=${NUMBER[$pod]}$number
            add_pod_address "$node" "$pod" "10.${SUBNET[$node]}.0.$number" \
                "fd00:${SUBNET[$node]}::$number" preferred_lft 0
            kubectl pool "$node" "10.${SUBNET[$node]}.0.$number,fd00:${SUBNET[$node]}::$number"
        done
    done
}

start_api_server() {
    API_ENTER=(nsenter "--net=/run/netns/$PREFIX-control")
    if [ ! -f "$WORK/tls/token" ]; then
        make_certificates 192.0.2.10 2001:db8::10 10.96.0.1 fd00:96::1
        echo token >"$WORK/tls/token"
        chmod 644 "$WORK/tls/token"
    fi
    api_server_start --listen "[::]:6443" --controllers --certificate "$WORK/tls/server.crt" \
        --key "$WORK/tls/server.key" --token-file "$WORK/tls/token" "$@"
}

declare_node() { # NAME ZONE
    kubectl apply -f - <<END
apiVersion: v1
kind: Node
metadata: {name: $1, labels: {topology.kubernetes.io/zone: $2}}
spec:
  podCIDRs: [10.${SUBNET[$1]}.0.0/24, "fd00:${SUBNET[$1]}::/64"]
status:
  addresses:
  - {type: InternalIP, address: 192.0.2.${LAN[$1]}}
  - {type: InternalIP, address: "2001:db8::${LAN[$1]}"}
END
}

declare_nodes() {
    declare_node node zone-1 && declare_node node2 zone-2
}

# lbd by Kubernetes' objects, on the uplink and the pods' interfaces.
cluster_lbd() { # OPTION…
    node_lbd --kubeconfig "$WORK/kubeconfig" --node node "${CLUSTER_OPTIONS[@]}" "$@"
}

make_cluster() {
    make_nodes
    make_pods
    check "the API server starts" start_api_server
    check "the nodes are declared" declare_nodes
    make_pool
    write_kubeconfig "$WORK/kubeconfig" 192.0.2.10:6443 token
    chmod 644 "$WORK/kubeconfig" "$WORK/tls/"*.crt
}
