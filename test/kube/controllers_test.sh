#!/bin/bash
# What the API server of the tests makes of Services, Pods and Deployments with --controllers.
. "$(dirname "${BASH_SOURCE[0]}")/_alone.sh"

make_node_ports() { # NAME PORT
    kubectl apply -f - 2>&1 <<END
apiVersion: v1
kind: Service
metadata: {name: $1}
spec: {type: NodePort, selector: {app: $1}, ports: [{port: 80, nodePort: $2}]}
END
}

refuses_node_port() { # NAME PORT WORDS
    make_node_ports "$1" "$2" | grep -q "$3"
}

slice_says() { # EXPRESSION
    kubectl get endpointslices >"$WORK/slices.json" && says "$WORK/slices.json" ".items | $1"
}

fill_in_services() {
    kubectl apply -f - >"$WORK/kubectl.out" <<END
apiVersion: v1
kind: Service
metadata: {name: all}
spec:
  type: LoadBalancer
  externalTrafficPolicy: Local
  ipFamilyPolicy: RequireDualStack
  selector: {app: all}
  ports: [{name: http, port: 80, targetPort: web}, {name: dns, port: 80, protocol: UDP}]
END
    kubectl get service all >"$WORK/service.json"
    check "a Service gets addresses of both families" says "$WORK/service.json" \
        '.spec.clusterIPs == [.spec.clusterIP, "fd00:96::15"] and .spec.clusterIP == "10.96.0.21"'
    check "both protocols of a port get one node port" says "$WORK/service.json" \
        '.spec.ports[0].nodePort == .spec.ports[1].nodePort and .spec.ports[0].nodePort >= 30000'
    check "policy Local gets a port for health checks" says "$WORK/service.json" \
        '.spec.healthCheckNodePort >= 30000 and
         .spec.healthCheckNodePort != .spec.ports[0].nodePort'
    check "a load balancer gets its addresses" says "$WORK/service.json" \
        '[.status.loadBalancer.ingress[].ip] == ["198.51.100.21", "2001:db8:1b::15"]'
    check "node ports out of range are refused" refuses_node_port far 80 'not in the valid range'
    check "a node port is given" grep -q created <(make_node_ports mine 31000)
    check "not twice" refuses_node_port yours 31000 'already allocated'
    kubectl delete service mine >"$WORK/kubectl.out"
    check "but again when it is free" grep -q created <(make_node_ports yours 31000)
    kubectl patch service all '{"spec": {"type": "ClusterIP"}}' >"$WORK/kubectl.out"
    check "another type gives up ports and addresses" says <(kubectl get service all) \
        '.spec.ports[0].nodePort == null and .spec.healthCheckNodePort == null and
         .status.loadBalancer == {} and .spec.clusterIP == "10.96.0.21"'
}

put_pod() { # KEY=VALUE…
    kubectl pod all-1 labels=app=all ports=web:8080 "$@" >"$WORK/kubectl.out"
}

make_slices() {
    check "a Service without Pods has slices without endpoints" slice_says \
        'map(select(.metadata.name | startswith("all"))) | length == 2 and all(.endpoints == null)'
    put_pod ip=10.1.0.11,fd00:1::11
    check "a Pod is an endpoint, its port's name a number" slice_says \
        'map(select(.addressType == "IPv6" and .endpoints)) | length == 1 and
         .[0].endpoints[0].addresses == ["fd00:1::11"] and .[0].endpoints[0].nodeName == "node" and
         .[0].ports == [{"name": "http", "port": 8080, "protocol": "TCP"},
                        {"name": "dns", "port": 80, "protocol": "UDP"}]'
    put_pod ip=10.1.0.11 terminating=yes
    check "a Pod that ends serves and is not ready" slice_says '[.[].endpoints[]?][0].conditions
        == {"ready": false, "serving": true, "terminating": true}'
    put_pod ip=10.1.0.11 ready=no
    check "one that is not ready is neither" slice_says '[.[].endpoints[]?][0].conditions
        == {"ready": false, "serving": false, "terminating": false}'
    kubectl patch service all '{"spec": {"publishNotReadyAddresses": true}}' >"$WORK/kubectl.out"
    check "unless all are published" slice_says '[.[].endpoints[]?][0].conditions.ready'
    put_pod ip=10.1.0.11 phase=Failed
    check "one that was evicted is gone" slice_says 'all(.endpoints == null)'
    kubectl delete service all >"$WORK/kubectl.out"
    check "slices go with their Service" slice_says \
        'all(.metadata.name | startswith("all") | not)'
}

run_deployments() {
    kubectl pool node-a 10.1.0.30 10.1.0.31
    kubectl pool node-b 10.2.0.30 10.2.0.31
    kubectl apply -f - >"$WORK/kubectl.out" <<END
apiVersion: apps/v1
kind: Deployment
metadata: {name: yours}
spec:
  replicas: 3
  template: {metadata: {labels: {app: yours}}, spec: {containers: [{name: main}]}}
END
    check "a Deployment has Pods on all nodes" slice_says \
        '[.[].endpoints[]?.nodeName] | sort == ["node-a", "node-a", "node-b"]'
    kubectl patch deployment yours '{"spec": {"replicas": 1}}' >"$WORK/kubectl.out"
    check "as many as are asked for" slice_says '[.[].endpoints[]?] | length == 1'
    kubectl delete deployment yours >"$WORK/kubectl.out"
    check "and none without it" slice_says '[.[].endpoints[]?] | length == 0'
}

check "the server starts with controllers" api_server_start --controllers
fill_in_services
make_slices
run_deployments
finish
