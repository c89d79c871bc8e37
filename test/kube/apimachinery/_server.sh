# shellcheck shell=bash
# etcd and API servers in the namespace of the node, what they hold, and lbd there. run.sh sources
# it after _init.sh and _api_server.sh.

export API=127.0.0.1:6443 API_CA=$WORK/tls/ca.crt API_TOKEN=admin
ETCD=http://127.0.0.1:2379
TOKENS=$WORK/tokens.csv
SERVER_PID=
PATIENCE=30
KUBECONFIG=$WORK/kubeconfig

# With the C library that it was built for.
etcd_program() { # NAME ARGUMENT…
    local program=$1 libraries=$ROOT/usr/lib/x86_64-linux-gnu
    shift
    inside node "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" \
        "$ROOT/usr/bin/$program" "$@"
}

etcd_is_up() {
    etcd_program etcdctl --endpoints "$ETCD" endpoint health
}

start_etcd() {
    etcd_program etcd --data-dir "$WORK/etcd" --listen-client-urls "$ETCD" \
        --advertise-client-urls "$ETCD" --listen-peer-urls http://127.0.0.1:2380 \
        --unsafe-no-fsync --log-level error >>"$WORK/etcd.log" 2>&1 &
    PIDS+=($!)
    within 20 etcd_is_up
}

stop_etcd() {
    local pid
    for pid in $(ip netns pids "$PREFIX-node"); do
        grep -qs 'data-dir' "/proc/$pid/cmdline" && kill -9 "$pid"
    done
    within 10 fails etcd_is_up
}

# Forgets all that was before now.
compact_etcd() {
    local revision
    revision=$(etcd_program etcdctl --endpoints "$ETCD" endpoint status -w json |
        jq '.[0].Status.header.revision')
    etcd_program etcdctl --endpoints "$ETCD" compact "$revision"
}

# The tokens that the server knows: an admin's, and lbd's.
write_tokens() { # TOKEN [GROUP]
    printf '%s,%s,%s,"%s"\n' admin admin 1 system:masters "$1" lbd 2 "${2:-lbd}" >"$TOKENS.new"
    mv "$TOKENS.new" "$TOKENS"
}

ask() { # PATH [OPTION of curl…]
    local path=$1
    shift
    inside node curl -sS --max-time 60 --cacert "$API_CA" -H "Authorization: Bearer $API_TOKEN" \
        "$@" "https://$API$path"
}

server_is_up() {
    ask /readyz | grep -qx ok
}

start_server() { # OPTION…
    nsenter "--net=/run/netns/$PREFIX-node" "$ROOT/server" --etcd "$ETCD" --port "${API##*:}" \
        --tokens "$TOKENS" --certificate "$WORK/tls/server.crt" \
        --key "$WORK/tls/server.key" "$@" >>"$WORK/server.log" 2>&1 &
    SERVER_PID=$!
    PIDS+=("$SERVER_PID")
    within 30 server_is_up
}

stop_server() { # SIGNAL
    kill "-$1" "$SERVER_PID" && wait "$SERVER_PID"
    true
} 2>/dev/null

feed() { # put|delete
    inside node "$PYTHON" test/kube/apimachinery/feed.py "$1"
}

# Services with a slice each, a line an object: of `round` depends what their endpoints are.
objects() { # FIRST COUNT ROUND
    jq -nc --argjson first "$1" --argjson count "$2" --argjson round "$3" '
        range($first; $first + $count) | . as $i | "s\($i)" as $name |
        "10.\(96 + ($i / 50000 | floor)).\($i / 250 | floor % 200).\($i % 250 + 1)" as $address |
        {kind: "Service", apiVersion: "v1", metadata: {name: $name}, spec: {type: "ClusterIP",
            clusterIP: $address, clusterIPs: [$address], ipFamilies: ["IPv4"],
            ports: [{name: "p", protocol: "TCP", port: 80, targetPort: 8080}]}},
        {kind: "EndpointSlice", apiVersion: "discovery.k8s.io/v1", metadata: {name: $name,
            labels: {"kubernetes.io/service-name": $name}}, addressType: "IPv4",
         ports: [{name: "p", protocol: "TCP", port: 8080}],
         endpoints: [range(5) | {addresses: ["10.1.\(($i + $round) % 250).\(. + 1)"],
            conditions: {ready: true}}]}'
}

give_token() { # TOKEN
    echo "$1" >"$WORK/tls/token.new"
    chmod 644 "$WORK/tls/token.new"
    mv "$WORK/tls/token.new" "$WORK/tls/token"
}

# ---- what lbd has

watch_says() { # RESOURCE EXPRESSION
    lbctl_says '.kubernetes.watches[] | select(.resource == "'"$1"'") | '"$2" status
}

comes_to() { # RESOURCE EXPRESSION
    within "$PATIENCE" watch_says "$@" >/dev/null || watch_says "$@"
}

value_of() { # RESOURCE KEY
    lbctl -o json status | jq -r --arg name "$1" --arg key "$2" \
        '.kubernetes.watches[] | select(.resource == $name) | .[$key]'
}

is_connected() {
    comes_to services '.state == "connected"' && comes_to endpointslices '.state == "connected"' &&
        comes_to nodes '.state == "connected"'
}

# Services by address with their endpoints, a line each, of an lbd.
served_by() { # SOCKET
    timeout 60 "${LBCTL_AS[@]}" "$LBCTL" --socket "$1" export | jq -c '.services[] |
        [.address, .port, ([.backends // [] | .[] | "\(.address):\(.port)"] | sort)]' | sort
}

# The same of the objects that the server has.
served_by_objects() {
    ask /api/v1/services >"$WORK/services.json" &&
        ask /apis/discovery.k8s.io/v1/endpointslices >"$WORK/slices.json" &&
        jq -nc --slurpfile services "$WORK/services.json" --slurpfile slices "$WORK/slices.json" '
            ($slices[0].items | map({key: .metadata.name, value: .}) | from_entries) as $slice |
            $services[0].items[] | [.spec.clusterIP, .spec.ports[0].port,
                ([$slice[.metadata.name] // {endpoints: []} | .ports[0].port as $port |
                  .endpoints[] | "\(.addresses[0]):\($port)"] | sort)]' | sort
}

# What an lbd that is started now has, beside ours.
start_fresh() { # [KUBECONFIG]
    rm -rf "$WORK/fresh.log" "$WORK/bpf/fresh" "$WORK/state/fresh.json"*
    nsenter "--net=/run/netns/$PREFIX-node" "${LBD_AS[@]}" "$LBD" --pin "$WORK/bpf/fresh" \
        --socket "$WORK/run/fresh.sock" --state "$WORK/state/fresh.json" \
        --kubeconfig "${1:-$KUBECONFIG}" --node node-1 >"$WORK/fresh.log" 2>&1 &
    FRESH_PID=$!
    PIDS+=("$FRESH_PID")
}

end_fresh() {
    { kill "$FRESH_PID" && wait "$FRESH_PID"; } 2>/dev/null
    unset 'PIDS[-1]'
    rm -rf "$WORK/bpf/fresh"
}

is_synced() { # LOG
    grep -q 'event=kube-synced' "$1"
}

is_the_same() { # SOCKET FILE
    served_by "$1" >"$WORK/now" && cmp -s "$WORK/now" "$2"
}

# lbd has what the objects say, and so has a fresh one.
converges() {
    served_by_objects >"$WORK/wanted" && test -s "$WORK/wanted" || return
    if ! within "$PATIENCE" is_the_same "$SOCKET" "$WORK/wanted"; then
        diff "$WORK/now" "$WORK/wanted" | cut -c -200 | head -n 8
        return 1
    fi
}

is_as_fresh() {
    start_fresh
    within "$PATIENCE" is_synced "$WORK/fresh.log" &&
        within "$PATIENCE" is_the_same "$WORK/run/fresh.sock" "$WORK/wanted"
    local status=$?
    end_fresh
    return "$status"
}
