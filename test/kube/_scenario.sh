# shellcheck shell=bash
# The words that scenarios are told in, after _cluster.sh. A scenario is a function, called with
# FAMILY (IPv4 or IPv6) in a Kubernetes namespace of its own, NS. What it expects first and in vain
# is its failure; the rest is left out then.

PATIENCE=${PATIENCE:-8} # seconds for what is to come about
CLIENTS=${CLIENTS:-q node outside} # who everybody is: a pod, a process of the node, another host
PROBE=$WORK/probe.json  # what the last probe found
NS=default
FAMILY=IPv4
OUTCOME= # of the scenario that runs: nothing as long as all is as expected

expect() { # SENTENCE COMMAND…
    local sentence=$1
    [ -z "$OUTCOME" ] || return
    shift
    "$@" >"$WORK/check.out" 2>&1 && return
    OUTCOME="not ok: $sentence"
    echo "#   not so: $sentence"
    tail -n 4 "$WORK/check.out" | cut -c -300 | sed 's/^/#     /'
    tail -n "${LOG_LINES:-3}" "$LBD_LOG" | cut -c -300 | sed 's/^/#     lbd: /'
}

lacks() { # REASON
    [ -n "$OUTCOME" ] || OUTCOME="skip: $1"
}

# ---- objects

kube() { # COMMAND…, of kubectl.py
    IS_SETTLED=
    kubectl "$@" >"$WORK/kubectl.out" 2>&1 || { cat "$WORK/kubectl.out" >&2; return 1; }
}

ask_server() { # JSON, faster than kubectl.py
    printf '%s\n' "$1" | socat -t 5 - "UNIX:$KUBE_CONTROL" | jq -c .answer
}

service() { # NAME KEY=VALUE…, selects app=NAME unless told
    local name=$1
    shift
    kube service "$NS/$name" "selector=app=$name" "ipFamilies=[\"$FAMILY\"]" "$@"
}

patch() { # NAME JSON of its spec
    kube patch service "$NS/$1" "{\"spec\": $2}"
}

field() { # NAME EXPRESSION
    ask_server "[\"get\", \"services\", \"$NS/$1\"]" | jq -r "$2"
}

cluster_ip() { # NAME
    field "$1" .spec.clusterIP
}

node_port() { # NAME [NUMBER of the port]
    field "$1" ".spec.ports[${2:-0}].nodePort"
}

balancer_ip() { # NAME
    field "$1" '.status.loadBalancer.ingress[0].ip'
}

# A Pod that is the namespace of that name; node and node2 are Pods with hostNetwork.
pod() { # APP POD [KEY=VALUE…]
    local app=$1 name=$2 node=node host=no address FAMILY
    shift 2
    [[ $name =~ ^(x|y|node2)$ ]] && node=node2
    [[ $name == node* ]] ||
        address=$(FAMILY=IPv4 pod_address "$name"),$(FAMILY=IPv6 pod_address "$name")
    [[ $name == node* ]] && host=yes && address="192.0.2.${LAN[$node]},2001:db8::${LAN[$node]}"
    kube pod "$NS/$app-$name" "ip=$address" "node=$node" "labels=app=$app" "hostNetwork=$host" \
        ports=http:8080,other:8081 "$@"
}

pods() { # APP POD…
    local app=$1 name
    shift
    for name in "$@"; do
        pod "$app" "$name"
    done
}

delete_pod() { # APP POD
    kube delete pod "$NS/$1-$2"
}

delete_service() { # NAME
    kube delete service "$NS/$1"
}

# ---- until lbd has seen all that was said before

MARK=0
IS_SETTLED= # yes: nothing was said since

mark_is_known() {
    lbctl -o json service show 10.96.0.2:9 >"$WORK/mark.json" 2>&1 &&
        jq -e ".backends[0].port == $MARK" "$WORK/mark.json"
}

settled() {
    [ -z "$IS_SETTLED" ] || return 0
    MARK=$((MARK + 1))
    kube service marks/mark clusterIP=10.96.0.2 ports=x:9:9 &&
    kube apply -f - <<END &&
{"kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1", "addressType": "IPv4",
 "metadata": {"name": "mark", "namespace": "marks",
              "labels": {"kubernetes.io/service-name": "mark"}},
 "endpoints": [{"addresses": ["10.1.0.99"]}], "ports": [{"name": "x", "port": $MARK}]}
END
    within "$PATIENCE" mark_is_known >/dev/null && IS_SETTLED=yes
}

# ---- clients: a pod by its letter, node, node2, outside

probe() { # CLIENT ARGUMENT…, see probe.py
    local client=$1
    shift
    [ "${#client}" -gt 1 ] || client=pod-$client
    inside "$client" "$PYTHON" "$KUBE/probe.py" "$@" >"$PROBE"
}

# All requests are answered, by all of these and nobody else.
answered_by() { # CLIENT PROTOCOL ADDRESS PORT NAME…
    local client=$1 protocol=$2 address=$3 port=$4 count names
    shift 4
    count=$(($# > 1 ? 12 * $# : 16)) # that it is by chance: less than 1 in 10,000
    names=$(printf '%s\n' "$@" | sort | jq -R . | jq -sc .)
    probe "$client" -n "$count" "$protocol" "$address" "$port"
    says "$PROBE" ".errors == {} and (.answers | keys) == $names"
}

reaches() { # CLIENT PROTOCOL ADDRESS PORT NAME…
    within "$PATIENCE" answered_by "$@" || { echo "$*"; cat "$PROBE"; return 1; }
}

# The servers saw these as their client, last.
seen_as() { # ADDRESS…
    says "$PROBE" "(.clients | keys) == $(printf '%s\n' "$@" | sort | jq -R . | jq -sc .)"
}

ends_in() { # ERROR CLIENT PROTOCOL ADDRESS PORT
    local error=$1
    shift
    probe "$1" --timeout 0.5 "${@:2}"
    says "$PROBE" ".errors == {\"$error\": 1}"
}

is_refused() { # CLIENT PROTOCOL ADDRESS PORT, once lbd has seen all
    settled && { within "$PATIENCE" ends_in refused "$@" || { cat "$PROBE"; return 1; }; }
}

is_ignored() { # CLIENT PROTOCOL ADDRESS PORT, once lbd has seen all
    settled && { within "$PATIENCE" ends_in timeout "$@" || { cat "$PROBE"; return 1; }; }
}

# Neither answered nor, but for that, anything.
is_unreachable() { # CLIENT PROTOCOL ADDRESS PORT, once lbd has seen all
    settled && within "$PATIENCE" is_not_answered "$@"
}

is_not_answered() { # CLIENT PROTOCOL ADDRESS PORT
    probe "$1" --timeout 0.5 "${@:2}"
    says "$PROBE" '.answers == {}'
}

# ---- running

declare -A RESULT=() # FUNCTION/FAMILY → ok, `not ok: …` or `skip: …`
SCENARIOS=0

run_scenario() { # FUNCTION FAMILY, unless it has been run
    local key=$1/$2 start=${EPOCHREALTIME/./}
    [ -z "${RESULT[$key]:-}" ] || return
    SCENARIOS=$((SCENARIOS + 1))
    NS=s$SCENARIOS FAMILY=$2 OUTCOME=
    "$1"
    RESULT[$key]=${OUTCOME:-ok}
    kube clear "$NS"
    echo "# $key: ${RESULT[$key]} ($(((${EPOCHREALTIME/./} - start) / 1000)) ms)"
}
