#!/bin/bash
# A large cluster on one node: how long the first lists take to be in the tables, how long one
# change does then, and what lbd weighs. Prints it; no figures of others are compared.
#
#     kubernetes.sh [SERVICES [ENDPOINTS]]     50000 of 5 each, unless told
. "$(dirname "${BASH_SOURCE[0]}")/../netns/_init.sh"
. "$HERE/../kube/_api_server.sh"

SERVICES=${1:-50000}
ENDPOINTS=${2:-5}
CHANGES=50
export READY_SECONDS=60
KUBECONFIG=$WORK/kubeconfig
API_ENTER=(nsenter "--net=/run/netns/$PREFIX-node")

objects() { # as the API server has them, a List
    "$PYTHON" - "$SERVICES" "$ENDPOINTS" <<'END'
import json, sys
services, endpoints = map(int, sys.argv[1:])
def address(first, number):
    return f"10.{first + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
def service(i):
    return {"kind": "Service", "metadata": {"name": f"service-{i}", "namespace": "default"},
            "spec": {"type": "ClusterIP", "clusterIP": address(96, i),
                     "clusterIPs": [address(96, i)], "ipFamilies": ["IPv4"],
                     "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}}
def endpoint(i, j):
    return {"addresses": [address(128, (i * endpoints + j) % 50000)],
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "nodeName": f"node-{(i + j) % 500}", "zone": f"zone-{j % 3}",
            "targetRef": {"kind": "Pod", "namespace": "default", "name": f"pod-{i}-{j}"}}
def endpoint_slice(i):
    return {"kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": f"service-{i}-abcde", "namespace": "default",
                         "labels": {"kubernetes.io/service-name": f"service-{i}"}},
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
            "endpoints": [endpoint(i, j) for j in range(endpoints)]}
json.dump({"kind": "List", "items": [make(i) for i in range(services)
                                     for make in (service, endpoint_slice)]}, sys.stdout)
END
}

rss_kb() { # that is not shared with a file or map
    awk '$1 == "RssAnon:" {print $2}' "/proc/$LBD_PID/status"
}

cpu_ms() { # of lbd, user and system
    awk -v hz="$(getconf CLK_TCK)" '{sub(/.*\) /, ""); print int(($12 + $13) * 1000 / hz)}' \
        "/proc/$LBD_PID/stat"
}

kubernetes_says() { # EXPRESSION
    lbctl -o json status | jq -e ".kubernetes | $1" >/dev/null
}

backends_of() { # SERVICE
    lbctl -o json service show "$1" | jq '[.backends[] | select(.state == "active")] | length'
}

# From the change at the API server to the tables, as lbctl shows them, with lbctl's own time.
change_ms() { # NUMBER
    local start
    start=$(date +%s%N)
    kubectl patch endpointslice "service-$1-abcde" '{"endpoints": []}' >/dev/null
    until [ "$(backends_of "10.96.0.$1:80")" = 0 ]; do :; done
    echo $((($(date +%s%N) - start) / 1000000))
}

make_topology
mkdir -p "$WORK/tls" && echo token >"$WORK/tls/token" && chmod 644 "$WORK/tls/token"
make_certificates 127.0.0.1
node_lbd || exit
EMPTY_KB=$(rss_kb)
lbd_forget
api_server_start --listen 127.0.0.1:6443 --certificate "$WORK/tls/server.crt" \
    --key "$WORK/tls/server.key" --token-file "$WORK/tls/token"
objects >"$WORK/objects.json"
kubectl apply -f "$WORK/objects.json" >/dev/null || exit
write_kubeconfig "$KUBECONFIG" "127.0.0.1:6443" token
START=$(date +%s%N)
node_lbd --kubeconfig "$KUBECONFIG" --node node-1 || exit
within 120 grep -q event=kube-synced "$LBD_LOG" || fail "lbd has the first lists in its tables"
SYNCED_MS=$((($(date +%s%N) - START) / 1000000))
SYNCED_CPU_MS=$(cpu_ms)
grep -E "event=kube-(listed|synced)" "$LBD_LOG"
sleep 3
echo "$SERVICES services of $ENDPOINTS endpoints: in the tables after $SYNCED_MS ms, with listing"
echo "CPU time of lbd until then, with loading its programs: $SYNCED_CPU_MS ms"
echo "anonymous memory: $((EMPTY_KB / 1024)) MiB without, $(($(rss_kb) / 1024)) MiB with them"
for number in $(seq 1 "$CHANGES"); do
    change_ms "$number"
done | sort -n | awk '{ms[NR] = $1}
    END {print "one change: after " ms[int((NR + 1) / 2)] " ms (median), " ms[NR] " at most"}'
check "lbd has what the API server has" kubernetes_says ".tables.services == $SERVICES"
finish
