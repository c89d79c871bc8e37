#!/bin/bash
# What Prometheus is told: both formats by strict parsers, numbers that are those of lbctl, names
# that need escaping, many services, and clients that do not read.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

METRICS=192.0.2.1:10249
WEB='service="default/web",address="10.96.0.10",port="80",protocol="tcp",scope="any"'

scrape() { # FILE [ACCEPT]
    inside client curl -s -m 20 -D "$WORK/head" -H "Accept: ${2:-*/*}" -o "$1" \
        "http://$METRICS/metrics"
}

parses() { # text|openmetrics
    local accept='*/*' type='text/plain; version=0.0.4; charset=utf-8'
    if [ "$1" = openmetrics ]; then
        accept='application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5'
        type='application/openmetrics-text; version=1.0.0; charset=utf-8'
    fi
    scrape "$WORK/metrics.$1" "$accept" || return
    tr -d '\r' <"$WORK/head" | grep -ix "content-type: $type" || return
    "$PYTHON" "$HERE/check_metrics.py" "$WORK/metrics.$1" "$1"
}

value() { # SAMPLE
    scrape "$WORK/metrics" && "$PYTHON" "$HERE/check_metrics.py" "$WORK/metrics" text "$1"
}

is() { # NUMBER SAMPLE
    local found
    found=$(value "$2")
    echo "$found"
    [ "$found" = "$1" ]
}

# The same from lbctl, while nothing is sent.
as_lbctl_says() { # EXPRESSION SAMPLE COMMAND…
    local expression=$1 sample=$2
    shift 2
    is "$(lbctl -o json "$@" | jq "$expression")" "$sample"
}

test_formats() {
    check "lbd starts with metrics" node_lbd --metrics 0.0.0.0:10249 --healthz 127.0.0.1:10256
    check "services over IPv4 and IPv6 are added" add_services
    check "Prometheus' format is as its parser wants it" parses text
    check "so is OpenMetrics, as its strict one wants it" parses openmetrics
    if command -v promtool >/dev/null; then
        check "promtool has no objection" lints
    else
        skip "promtool has no objection" "promtool is not installed"
    fi
    check "/proxyMode names it" proxy_mode_is lbd
    check "other paths are not found" not_found
}

lints() { # kube-proxy calls gauges …_total
    grep -v kubeproxy_sync_proxy_rules_no_local <"$WORK/metrics.text" | promtool check metrics
}

proxy_mode_is() { # WORD
    [ "$(inside client curl -s "http://$METRICS/proxyMode")" = "$1" ]
}

not_found() {
    [ "$(inside client curl -s -o "$WORK/out" -w '%{http_code}' "http://$METRICS/healthz")" = 404 ]
}

test_numbers() {
    http_load "$WORK/http.json" client -n 50 -c 5 10.96.0.10 80
    check "connections of a service are counted" is 50 "lbd_service_connections_total{$WEB}"
    check "its packets as lbctl has them" as_lbctl_says '.services[0].request.packets' \
        "lbd_service_packets_total{$WEB,direction=\"request\"}" stats 10.96.0.10:80
    check "its bytes, too" as_lbctl_says '.services[0].reply.bytes' \
        "lbd_service_bytes_total{$WEB,direction=\"reply\"}" stats 10.96.0.10:80
    check "those of a backend" as_lbctl_says \
        '.backends[] | select(.address == "10.1.0.12") | .connections' \
        "lbd_backend_connections_total{$WEB,backend=\"10.1.0.12:8080\"}" \
        backend list 10.96.0.10:80
    check "verdicts" as_lbctl_says '.verdicts.redirect.packets' \
        'lbd_verdict_packets_total{verdict="redirect"}' stats
    check "services by their source" is 4 'lbd_services{source="operator"}'
    check "what is in use of a map" is 12 'lbd_map_entries{map="backends"}'
    check "and what there is room for" is 262144 'lbd_map_max_entries{map="backends"}'
    check "nothing gave way" is 0 'lbd_map_evictions_total{map="connections"}'
    inside client bash -c 'echo x >/dev/udp/10.96.0.10/53' # for two minutes
    check "the sweep counts connections" within 22 is_at_least 1 \
        'lbd_map_entries{map="connections"}'
    check "and the ways back to clients" within 2 is_at_least 1 'lbd_map_entries{map="client_hops"}'
    check "neighbours" as_lbctl_says .neighbours.resolved 'lbd_neighbours{state="resolved"}' status
    check "interfaces" is 1 \
        "lbd_interface_attached{interface=\"uplink0\",mode=\"$XDP_MODE\",transmit=\"redirect\"}"
    check "memory is what the kernel says" memory_is_right
    check "lbd's version" is 1 "lbd_build_info{version=\"$("$LBD" --version | cut -d ' ' -f 2)\"}"
    inside node curl -s -o "$WORK/out" http://127.0.0.1:10256/healthz
    check "how probes were answered" is 1 'kubeproxy_proxy_healthz_total{code="200"}'
    check "without a cluster nothing is told of one" is - \
        kubeproxy_sync_proxy_rules_service_changes_total
}

memory_is_right() { # within 2 MiB: it is busy answering
    local told kernel
    told=$(value process_resident_memory_bytes)
    kernel=$(awk '/^VmRSS/ {print $2 * 1024}' "/proc/$LBD_PID/status")
    echo "$told $kernel"
    [ $((told > kernel ? told - kernel : kernel - told)) -lt 2097152 ]
}

# ---- more services than are told one by one

LARGE=${LARGE:-4000} # services of 5 backends

add_many() {
    "$PYTHON" "$HERE/make_tables.py" "$1" 5 >"$WORK/many.json" && chmod 644 "$WORK/many.json" &&
        lbctl apply "$WORK/many.json"
}

test_many() {
    check "$LARGE services are added" add_many "$LARGE"
    check "none is told of by itself any more" is 1 lbd_detail_omitted
    check "so the answer is short" test "$(stat -c %s "$WORK/metrics")" -lt 20000
    check "verdicts are as ever" as_lbctl_says '.verdicts.redirect.packets' \
        'lbd_verdict_packets_total{verdict="redirect"}' stats
    lbd_kill TERM
    check "lbd starts with room for all" node_lbd --metrics 0.0.0.0:10249 \
        --metrics-detail 1000000 --max-connections 1
    check "in a small table" http_load "$WORK/http.json" client -n 50 -c 5 10.96.0.10 80
    check "connections give way to new ones" is_at_least 10 \
        'lbd_map_evictions_total{map="connections"}'
    check "each is told of" is 0 lbd_detail_omitted
    check "the answer is as the parsers want it" parses openmetrics
}

# A service is added and removed all the time meanwhile.
scrape_while_changing() {
    local churn status
    while :; do
        lbctl service add 10.96.7.7:80 --backend 10.1.0.11:80 &&
            lbctl service del 10.96.7.7:80
    done >"$WORK/churn.log" 2>&1 &
    churn=$!
    parses openmetrics && parses openmetrics
    status=$?
    kill "$churn"
    wait "$churn" 2>/dev/null
    return "$status"
}

cpu_ticks() { # of 10 ms
    awk '{print $14 + $15}' "/proc/$LBD_PID/stat"
}

# The slowest of lbctl's commands while a scrape of all services is made, in microseconds.
answers_meanwhile() {
    local slowest=0 count=0 start took size scraper before after
    before=$(cpu_ticks)
    start=${EPOCHREALTIME/./}
    scrape "$WORK/slow" &
    scraper=$!
    while kill -0 "$scraper" 2>/dev/null; do
        took=${EPOCHREALTIME/./}
        "$LBCTL" --socket "$SOCKET" version >"$WORK/out" || return
        took=$((${EPOCHREALTIME/./} - took))
        [ "$took" -le "$slowest" ] || slowest=$took
        count=$((count + 1))
    done
    took=$((${EPOCHREALTIME/./} - start))
    after=$(cpu_ticks)
    size=$(stat -c %s "$WORK/slow")
    echo "# a scrape of $size bytes: $took us, $((after - before))0 ms of CPU;" \
        "the slowest of $count commands: $slowest us" >&3
    [ "$slowest" -lt 300000 ] || [ "$slowest" -lt $((took / 2)) ]
}

hostile() { # TITLE BEHAVIOUR COUNT SECONDS [PATH]
    spawn "$1" client "$PYTHON" "$HERE/hostile_http.py" 192.0.2.1 10249 "${@:2}"
    within 10 grep -q '^open' "$WORK/$1.log"
}

test_slow() {
    local before
    before=$(awk '/^VmRSS/ {print $2}' "/proc/$LBD_PID/status")
    check "who reads it keeps lbd from nothing else for long" answers_meanwhile
    check "services may come and go while it is written" scrape_while_changing
    check "40 ask for it and do not read" hostile deaf deaf 40 30 /metrics
    check "lbd answers its socket as before" timeout 1 "$LBCTL" --socket "$SOCKET" version
    check "and whoever reads" parses text
    check "some ask and leave" hostile leave leave 200 1 /metrics
    check "which does no harm" parses text
    echo "# memory: $before KiB, then $(awk '/^VmRSS/ {print $2}' "/proc/$LBD_PID/status") KiB"
}

# ---- with a cluster

. "$HERE/../kube/_api_server.sh"
API_ENTER=(nsenter "--net=/run/netns/$PREFIX-node")

start_cluster() {
    make_certificates 127.0.0.1 && echo first >"$WORK/tls/token" && chmod 755 "$WORK/tls" &&
        api_server_start --listen 127.0.0.1:6443 --certificate "$WORK/tls/server.crt" \
            --key "$WORK/tls/server.key" && write_kubeconfig "$WORK/kubeconfig" localhost:6443 token
}

put_cluster() {
    kubectl apply -f - >/dev/null <<END
{"kind": "List", "items": [
 {"kind": "Node", "metadata": {"name": "node-1"}},
 {"kind": "Service", "metadata": {"name": "web", "namespace": "default"}, "spec": {
   "type": "LoadBalancer", "clusterIP": "10.96.0.30", "clusterIPs": ["10.96.0.30"],
   "ipFamilies": ["IPv4"], "externalTrafficPolicy": "Local", "healthCheckNodePort": 31500,
   "ports": [{"name": "http", "port": 80, "protocol": "TCP", "nodePort": 30080}]}},
 {"kind": "EndpointSlice", "metadata": {"name": "web-1", "namespace": "default",
   "labels": {"kubernetes.io/service-name": "web"}, "annotations":
   {"endpoints.kubernetes.io/last-change-trigger-time": "$(date -u +%FT%TZ)"}},
  "addressType": "IPv4", "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
  "endpoints": [{"addresses": ["10.1.0.11"], "nodeName": "$1", "conditions": {"ready": true}}]}]}
END
}

probe_is() { # CODE URL
    [ "$(inside node curl -s -m 3 -o "$WORK/probe" -w '%{http_code}' "http://$2")" = "$1" ]
}

is_at_least() { # NUMBER SAMPLE
    local found
    found=$(value "$2")
    echo "$found"
    [ "$found" != - ] && [ "${found%%.*}" -ge "$1" ]
}

test_cluster() {
    local rules=kubeproxy_sync_proxy_rules programming=kubeproxy_network_programming
    lbd_forget
    check "an API server starts" start_cluster
    check "it has a Service" put_cluster node-1
    check "lbd follows it" node_lbd --kubeconfig "$WORK/kubeconfig" --node node-1 \
        --metrics 0.0.0.0:10249
    check "all of its watches are connected" within 5 is 1 \
        'lbd_kubernetes_connected{resource="endpointslices"}'
    check "the Service's health check node port is open, with an endpoint here" within 5 \
        probe_is 200 127.0.0.1:31500
    check "the node is healthy" probe_is 200 127.0.0.1:10256/healthz
    check "a change of its slices" put_cluster node-2
    check "leaves it no endpoint here" within 5 probe_is 503 127.0.0.1:31500
    check "which is counted" within 3 is 1 \
        "${rules}_no_local_endpoints_total{ip_family=\"IPv4\",traffic_policy=\"external\"}"
    check "changes of endpoints are counted" is_at_least 2 "${rules}_endpoint_changes_total"
    check "none is pending" is 0 "${rules}_endpoint_changes_pending"
    check "syncs are timed" is_at_least 2 "${rules}_duration_seconds_count{ip_family=\"IPv4\"}"
    check "so is what the annotation tells of" is_at_least 1 \
        "${programming}_duration_seconds_count{ip_family=\"IPv4\"}"
    check "the last sync was just now" is_at_least $(($(date +%s) - 30)) \
        "${rules}_last_timestamp_seconds{ip_family=\"IPv6\"}"
    check "the text is as its parser wants it" parses text
    check "so is OpenMetrics" parses openmetrics
    api_server_stop
    check "the API server is away, which is told" within 10 is 0 \
        'lbd_kubernetes_connected{resource="services"}'
    check "and is nobody's ill health" probe_is 200 127.0.0.1:10256/healthz
}

exec 3>&1 # for what is measured
make_topology
test_formats
test_numbers
test_many
test_slow
test_cluster

finish
