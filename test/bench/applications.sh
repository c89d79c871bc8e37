#!/bin/bash
# Applications: what programs get from a service, by real sockets: HTTP with a connection for each
# request and with connections kept (nginx, wrk), DNS over UDP (bench_dns), and bulk TCP (iperf3);
# to a pod directly (the kernel forwards), through lbd, and through kube-proxy's rules. All must
# have balanced before they are timed. Rounds are interleaved; rows hold medians.
#
#     applications.sh FILE [--rounds N]          BUILD, QUICK=1, FULL=1
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

RESULT=$1
ROUNDS=3
SECONDS_EACH=1 # wrk and iperf3 know no less
SECONDS_DNS=1
SPREAD=500 # connections, and questions, by which balancing is judged
SERVICES=1000 # beside the one that is asked
[ "${2:-}" = --rounds ] && ROUNDS=$3
[ -n "$QUICK" ] && SECONDS_DNS=0.3
[ -n "$FULL" ] && { SECONDS_EACH=3; SECONDS_DNS=3; ROUNDS=7; }
BENCH_DNS=$BUILD/test/bench/path/bench_dns
PODS=(10.128.0.0 10.128.0.1 10.128.0.2 10.128.0.3 10.128.0.4)
SERVICE=10.97.0.1
CLIENT_CPU=0
SERVER_CPU=1

backends() { # PORT
    printf "%s:$1," "${PODS[@]}" | sed 's/,$//'
}

extras() {
    echo "--extra tcp:$SERVICE:80=$(backends 8080)" \
        "--extra udp:$SERVICE:53=$(backends 8053) --extra tcp:$SERVICE:5201=$(backends 5201)"
}

write_nginx() { # FILE LANE
    cat >"$1" <<NGINX
worker_processes 1;
pid $WORK/nginx-$2.pid;
error_log $WORK/nginx-$2.log;
events { worker_connections 4096; }
http {
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path $WORK/nginx-body;
    proxy_temp_path $WORK/nginx-proxy;
    fastcgi_temp_path $WORK/nginx-fastcgi;
    uwsgi_temp_path $WORK/nginx-uwsgi;
    scgi_temp_path $WORK/nginx-scgi;
    server {
        listen 8080 backlog=4096;
        location / { return 200 "hello\n"; }
        location /where { return 200 "\$server_addr\n"; }
    }
}
NGINX
}

spawn() { # LANE NAME COMMAND…, ended with the part
    nsenter --net="/run/netns/$PREFIX-$1-$2" taskset -c "$SERVER_CPU" "${@:3}" \
        >/dev/null 2>>"$WORK/servers.log" &
    PIDS+=($!)
}

is_serving() { # LANE
    inside "$1" client bash -c "exec 3<>/dev/tcp/${PODS[0]}/8080" 2>/dev/null
}

start_servers() { # LANE
    local pod
    inside "$1" client ip address add 172.16.0.1/32 dev c0
    inside "$1" client ip route replace default via 192.0.2.1 src 172.16.0.1
    inside "$1" client sh -c 'echo "1024 65535" >/proc/sys/net/ipv4/ip_local_port_range
        echo 1 >/proc/sys/net/ipv4/tcp_tw_reuse'
    for pod in "${PODS[@]}"; do
        inside "$1" backend ip address add "$pod/32" dev lo
    done
    write_nginx "$WORK/nginx-$1.conf" "$1"
    spawn "$1" backend nginx -c "$WORK/nginx-$1.conf" -g 'daemon off;'
    spawn "$1" backend iperf3 -s
    spawn "$1" backend "$BENCH_DNS" serve 8053 "${PODS[@]}"
    within 5 is_serving "$1" && return
    say "lane $1: no answer from a pod"
    cat "$WORK/servers.log" >&2
    return 1
}

# Reads addresses, a line for each request: every pod has at least half of its share.
is_balanced() { # WAY WHAT
    sort | uniq -c | awk -v pods="${#PODS[@]}" -v all="$SPREAD" '
        {sum += $1} $1 >= all / pods / 2 {fair++} {print "    " $0}
        END {exit !(sum == all && fair == pods && NR == pods)}' >"$WORK/spread" && return
    say "$1: $2: $SPREAD requests are not spread over ${#PODS[@]} pods:"
    cat "$WORK/spread" >&2
    return 1
}

check_balance() { # WAY
    inside "$1" client curl -sS -H 'Connection: close' "http://$SERVICE/where?[1-$SPREAD]" |
        is_balanced "$1" HTTP || return
    inside "$1" client "$BENCH_DNS" spread "$SERVICE" 53 "$SPREAD" | is_balanced "$1" DNS
}

make_ways() {
    # shellcheck disable=SC2046 # words
    for kind in tables iptables nftables; do
        "$HERE/make_rules.py" "$kind" "$SERVICES" $(extras) >"$WORK/$kind"
    done
    for way in direct ours iptables nftables; do
        make_lane "$way"
    done
    # As TCP has it without us: nobody prepares anything.
    load_iptables iptables "$WORK/iptables" && load_nftables nftables "$WORK/nftables" || return
    start_lbd ours --tables "$WORK/tables" || return
    for way in direct ours iptables nftables; do
        start_servers "$way" || return
    done
    within 20 is_resolved ours || return
    for way in ours iptables nftables; do
        check_balance "$way" || return
    done
}

# ---- one slice of each; prints {"rate", "p50", "p90", "p99"}, what is not measured left out

target_of() { # WAY PORT POD_PORT
    [ "$1" = direct ] && echo "${PODS[0]} $3" || echo "$SERVICE $2"
}

as_client() { # WAY COMMAND…
    inside "$1" client taskset -c "$CLIENT_CPU" "${@:2}"
}

run_http() { # WAY HEADER
    local target
    read -r -a target <<<"$(target_of "$1" 80 8080)"
    as_client "$1" wrk -t 1 -c 32 -d "${SECONDS_EACH}s" --latency -H "$2" \
        "http://${target[0]}:${target[1]}/" | awk '
        function us(text) {
            if (text ~ /us$/) return text + 0
            return (text ~ /ms$/) ? text * 1000 : text * 1000000
        }
        $1 == "50%" {p50 = us($2)} $1 == "90%" {p90 = us($2)} $1 == "99%" {p99 = us($2)}
        $1 == "Requests/sec:" {rate = $2}
        /Socket errors|Non-2xx/ {print "wrk: " $0 >"/dev/stderr"}
        END {
            printf "{\"rate\": %s, \"p50\": %s, \"p90\": %s, \"p99\": %s}\n", rate + 0, p50 + 0,
                p90 + 0, p99 + 0
        }'
}

run_dns() { # WAY
    local target
    read -r -a target <<<"$(target_of "$1" 53 8053)"
    as_client "$1" "$BENCH_DNS" ask "${target[@]}" "$SECONDS_DNS"
}

run_bulk() { # WAY STREAMS
    local target
    read -r -a target <<<"$(target_of "$1" 5201 5201)"
    as_client "$1" iperf3 -J -c "${target[0]}" -p "${target[1]}" -P "$2" -t "$SECONDS_EACH" |
        jq -c '{rate: (.end.sum_received.bits_per_second / 1e9)}'
}

run_slice() { # NUMBER WAY
    case $1 in
    0) run_http "$2" 'Connection: close' ;;
    1) run_http "$2" 'Connection: keep-alive' ;;
    2) run_dns "$2" ;;
    3) run_bulk "$2" 1 ;;
    4) run_bulk "$2" 8 ;;
    esac
}

NAMES=('HTTP, new connections' 'HTTP, kept connections' 'DNS over UDP'
    'TCP bulk, 1 stream' 'TCP bulk, 8 streams')
UNITS=(requests/s requests/s answers/s Gbit/s Gbit/s)

measure() {
    local round slice way row
    for ((round = 0; round < ROUNDS; round++)); do
        for slice in "${!NAMES[@]}"; do
            for way in direct ours iptables nftables; do
                row=$(run_slice "$slice" "$way") ||
                    { say "$way: ${NAMES[slice]} failed"; return 1; }
                jq -c --arg application "${NAMES[slice]}" --arg by "$way" \
                    --arg unit "${UNITS[slice]}" '{$application, $by, $unit} + .' <<<"$row"
            done
        done
    done
}

make_ways || exit
measure >"$WORK/slices" || exit
jq -cs 'def median: sort | .[length / 2 | floor];
    group_by([.application, .by]) | map(
        (.[0] | {application, by, unit}) + {rate: (map(.rate) | median)}
        + (if .[0].p50 then
            {p50: (map(.p50) | median), p90: (map(.p90) | median),
            p99: (map(.p99) | median)} else {} end))[]' \
    "$WORK/slices" >"$RESULT"
