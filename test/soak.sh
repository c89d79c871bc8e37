#!/bin/bash
# Everything at once, at random from a seed: traffic of all kinds while backends come and go, tables
# are read anew, lbd is killed and started, what it has pinned is spoilt and pods' links change.
#
#     test/soak.sh [--minutes N] [--seed S]       10 minutes, and a seed of the clock, unless told
#
# At the end: what traffic lost and nothing explains, errors in lbd's log, and whether memory, file
# descriptors and entries of maps grow. build/soak has the samples, as JSON lines and drawn.

MINUTES=10
SEED=$(($(date +%s) % 32768))
while [ $# -gt 0 ]; do
    case $1 in
    --minutes) MINUTES=${2:?} ;;
    --seed) SEED=${2:?} ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
    shift 2 || exit 2
done

. "$(dirname "${BASH_SOURCE[0]}")/netns/_init.sh"
# shellcheck source=netns/_tamper.sh
. "$HERE/_tamper.sh"

OUT=$ROOT/build/soak
KEPT=$HTTP_SERVICE    # its backends drain and change their weights, but none goes
FLAPS=10.96.0.20:80   # backends are added, drained, removed, and go down
STICKY=10.96.0.21:80  # the same, with affinity
OF_FILE=10.96.0.30:80 # brought by --tables
declare -A NUMBER=([a]=11 [b]=12 [c]=13)
OVER= # a file, there when all is over
ACTS=0

# ---- what is done, and when

now() {
    echo "$EPOCHREALTIME"
}

# EFFECTS are what traffic may feel of it: loses, packets on their way; refuses, new connections;
# ends, connections to that backend. What belongs to the event comes as NAME=VALUE.
note() { # EVENT EFFECTS [NAME=VALUE]…
    local event=$1 effects=$2 pairs=() pair
    shift 2
    for pair in "$@"; do
        pairs+=(--arg "${pair%%=*}" "${pair#*=}")
    done
    jq -nc --argjson at "$(now)" --arg event "$event" --arg effects "$effects" "${pairs[@]}" \
        '($ARGS.named | del(.effects)) + {effects: ($effects | split(" "))}' >>"$OUT/events.jsonl"
}

one_of() { # WORD…: PICKED
    local words=("$@")
    PICKED=${words[RANDOM % $#]}
}

weigh_backend() {
    one_of a b c
    local pod=$PICKED weight=$((RANDOM % 5 + 1))
    note weight ""
    lbctl backend set "$KEPT" "10.1.0.${NUMBER[$pod]}:8080" --weight "$weight"
}

# One at most, so that somebody takes connections.
drain_backend() {
    local pod
    note drain ""
    for pod in a b c; do
        lbctl backend set "$KEPT" "10.1.0.${NUMBER[$pod]}:8080" --state active || return
    done
    one_of a b c
    lbctl backend set "$KEPT" "10.1.0.${NUMBER[$PICKED]}:8080" --state draining
}

# pod-a's stays.
flap_backend() {
    one_of "$FLAPS" "$STICKY"
    local service=$PICKED pod way backend
    one_of b c
    pod=$PICKED backend=10.1.0.${NUMBER[$PICKED]}:8081
    one_of del add down active draining
    way=$PICKED
    case $way in
    del) note flap ends "service=$service" "pod=pod-$pod"
        lbctl backend del "$service" "$backend" || true ;; # or it is not there
    add) note flap "" "service=$service" "pod=pod-$pod"
        lbctl backend add "$service" "$backend" || true ;;
    down) note flap ends "service=$service" "pod=pod-$pod"
        lbctl backend set "$service" "$backend" --state down || true ;;
    *) note flap "" "service=$service" "pod=pod-$pod"
        lbctl backend set "$service" "$backend" --state "$way" || true ;;
    esac
}

write_tables() {
    local more=$((RANDOM % 20))
    jq -n --argjson more "$more" --argjson weight "$((RANDOM % 5 + 1))" '
        def backends: [11, 12, 13] | map({address: "10.1.0.\(.)", port: 8080});
        {services: [{address: "10.96.0.30", port: 80, protocol: "tcp",
                     backends: (backends | .[0].weight = $weight)},
                    (range($more) | {address: "10.96.1.\(.)", port: 80, protocol: "tcp",
                                     backends: backends})],
         deny: [range($more) | {prefix: "203.0.113.\(.)/32"}]}' >"$WORK/tables.new"
    mv "$WORK/tables.new" "$WORK/tables.json"
}

reload_tables() {
    note reload ""
    write_tables
    kill -HUP "$LBD_PID"
}

start_lbd() {
    node_lbd --config "$WORK/lbd.json" --tables "$WORK/tables.json" || return
    echo "$LBD_PID" >"$WORK/pid"
}

kill_lbd() {
    note kill ""
    lbd_kill KILL
    start_lbd
}

terminate_lbd() {
    note terminate ""
    lbd_kill TERM
    start_lbd
}

# Without its veth the node loses routes and IPv6 addresses, as whoever made it gives them again.
cut_link() {
    one_of a b c
    local pod=$PICKED host=${NUMBER[$PICKED]}
    note link-down loses
    inside node ip link set "veth-$pod" down
    sleep "0.$((RANDOM % 8 + 1))"
    inside node ip link set "veth-$pod" up &&
        inside node ip address replace "fd00:1::1/128" dev "veth-$pod" nodad &&
        inside node ip route replace "10.1.0.$host/32" dev "veth-$pod" &&
        inside node ip route replace "fd00:1::$host/128" dev "veth-$pod" &&
        note link-up loses
}

change_mac() {
    one_of a b c
    note mac loses
    inside "pod-$PICKED" ip link set dev eth0 address \
        "02:00:00:00:0${NUMBER[$PICKED]:1}:$(printf %02x $((RANDOM % 256)))"
}

total_repaired() {
    lbctl -o json status | jq .repaired
}

is_repaired_since() { # BEFORE
    [ "$(total_repaired)" -gt "$1" ]
}

# Spoils a thing, and waits until lbd has put it right: 5 seconds are what it may take.
tamper() { # EFFECTS COMMAND…
    local effects=$1 before
    shift
    before=$(total_repaired)
    note tamper "$effects" "what=${*//$PIN/PIN}"
    "$@" || return
    note spoilt "$effects" # many entries take seconds on a busy machine
    within 5 is_repaired_since "$before" || fail "what was spoilt is repaired: ${*//$PIN/PIN}" >&3
    sleep 1
}

tamper_somehow() {
    local interface
    one_of uplink0 veth-a veth-b veth-c
    interface=$PICKED
    case $((RANDOM % 14)) in
    0) tamper "loses refuses" delete_entries services ;;
    1) tamper loses overwrite_entries nexthops 0x00 ;;
    2) tamper loses overwrite_entries ports 0x00 ;;
    3) tamper loses delete_entries ingresses ;;
    4) tamper loses delete_entries transmit ;;
    5) tamper loses delete_entries programs ;;
    6) tamper loses delete_entries addresses ;;
    7) tamper loses overwrite_entries backend_filter 0x00 ;;
    8) tamper loses overwrite_entries address_filter 0x00 ;;
    9) tamper loses detach_link "$interface" ;;
    10) tamper loses rm "$PIN/link/$interface" ;;
    11) tamper "" rm "$PIN/map/connections" "$PIN/map/rings" "$PIN/program/lb" ;;
    12) tamper loses rm -r "$PIN" ;;
    13) note flush loses
        inside node ip neigh flush all ;;
    esac
}

# What comes seldom comes surely: in 2 minutes, too.
act() {
    case $((++ACTS % 40)) in
    10) kill_lbd; return ;;
    30) terminate_lbd; return ;;
    esac
    case $((RANDOM % 40)) in
    [0-3]) drain_backend ;;
    [4-9]) weigh_backend ;;
    1[0-9]) flap_backend ;;
    2[0-6]) reload_tables ;;
    2[7-9] | 3[0-3]) tamper_somehow ;;
    3[4-6]) cut_link ;;
    *) change_mac ;;
    esac
}

# ---- traffic, each kind in a loop of its own

load_loop() { # NAME SERVICE COMMAND…, which prints an object
    local name=$1 service=$2 from
    shift 2
    until [ -e "$OVER" ]; do
        from=$(now)
        "$@" >"$WORK/$name.json"
        jq -c --arg name "$name" --arg service "$service" --argjson from "$from" \
            --argjson until "$(now)" '. + $ARGS.named' "$WORK/$name.json" >>"$OUT/traffic.jsonl"
        sleep 0.2
    done
}

start_load() { # NAME SERVICE COMMAND…
    load_loop "$@" &
    LOADS+=($!)
    PIDS+=($!)
}

http() { # OPTION… ADDRESS PORT
    inside client "$PYTHON" "$HERE/http_load.py" --timeout 15 "$@"
}

udp() { # OPTION… ADDRESS PORT
    inside client "$PYTHON" "$HERE/udp_load.py" --timeout 5 "$@" | jq '. + {sent: .pairs}'
}

ping_some() { # ADDRESS
    inside client ping -q -n -c 40 -i 0.1 -W 5 "$1" |
        awk '/transmitted/ {printf "{\"sent\": %d, \"lost\": %d}\n", $1, $1 - $4}'
}

start_traffic() {
    LOADS=()
    start_load long-lived "$KEPT" http -n 8 -c 8 --path "/trickle?seconds=20" 10.96.0.10 80
    start_load long-lived-flapping "$FLAPS" http -n 6 -c 6 --path "/trickle?seconds=6" \
        10.96.0.20 80
    start_load long-lived-of-file "$OF_FILE" http -n 4 -c 4 --path "/trickle?seconds=10" \
        10.96.0.30 80
    start_load new "$KEPT" http -t 3 -c 2 --pause 0.02 10.96.0.10 80
    start_load new6 "$HTTP_SERVICE6" http -t 3 -c 1 --pause 0.02 fd00:96::10 80
    start_load new-sticky "$STICKY" http -t 3 -c 1 --pause 0.02 10.96.0.21 80
    start_load udp "$UDP_SERVICE" udp -n 300 10.96.0.10 53
    start_load udp6 "$UDP_SERVICE6" udp -n 300 fd00:96::10 53
    start_load udp-fragments "$UDP_SERVICE" udp -n 100 --size 4000 10.96.0.10 53
    start_load echo "" ping_some 10.96.0.10
}

# ---- from the start to the end

begin() {
    rm -rf "$OUT"
    mkdir -p "$OUT"
    touch "$OUT"/{events,traffic,samples}.jsonl
    OVER=$WORK/over
    make_topology
    local pod
    for pod in a b c; do # who gets another MAC address says so
        inside "pod-$pod" sh -c 'echo 1 >/proc/sys/net/ipv4/conf/eth0/arp_notify
            echo 1 >/proc/sys/net/ipv6/conf/eth0/ndisc_notify'
    done
    echo '{"max-connections": 20000, "max-services": 200, "max-backends": 1000,
        "max-fragments": 500, "max-affinity": 500, "timeouts": {"udp": 5, "tcp_opening": 5,
        "tcp_closing": 5, "tcp_closed": 2}}' >"$WORK/lbd.json"
    write_tables
    check "lbd becomes ready" start_lbd || finish
    check "services are added" add_services
    check "and one whose backends come and go" lbctl service add "$FLAPS" \
        --backend 10.1.0.11:8081 --backend 10.1.0.12:8081 --backend 10.1.0.13:8081
    check "and one with affinity" lbctl service add "$STICKY" --affinity 5 \
        --backend 10.1.0.11:8081 --backend 10.1.0.12:8081 --backend 10.1.0.13:8081
    check "next hops are known" wait_resolved || finish
}

last_sample() { # EXPRESSION
    tail -n 1 "$WORK/samples.log" >"$WORK/last.json"
    says "$WORK/last.json" "$1"
}

# What lbd knows of is in the maps, and nothing else is.
maps_are_right() {
    lbctl -o json status >"$WORK/status.json" &&
        last_sample "$(jq -r '".services == \(.services) and .backends == \(.backends) and
            .deny == \(.denied) and .nexthops == 6 and .ports == 4 and .ingresses == 4"' \
            "$WORK/status.json")"
}

end() {
    local pid
    touch "$OVER"
    for pid in "${LOADS[@]}"; do
        wait "$pid"
    done
    check "lbd runs still" lbd_is_running
    check "services, backends, denied prefixes, next hops and ports are in the maps once each" \
        within 10 maps_are_right
    check "no connection is left when there is no traffic" within 40 last_sample '.connections == 0'
    jq -c --argjson until "$(jq -s 'last.at' "$OUT/events.jsonl")" 'select(.at <= $until)' \
        "$WORK/samples.log" >"$OUT/samples.jsonl"
    grep -h "level=error" "$WORK"/lbd.*.log >"$OUT/errors.txt"
    grep -hv "level=info" "$WORK"/lbd.*.log >"$OUT/warnings.txt"
    "$HERE/soak_report.py" "$OUT" || FAILED=$((FAILED + 1))
}

exec 3>&1
echo "# seed $SEED, $MINUTES minutes: test/soak.sh --minutes $MINUTES --seed $SEED"
RANDOM=$SEED
begin
spawn samples node "$HERE/soak_sample.py" "$WORK/pid" "$PIN"
start_traffic
sleep 2
UNTIL=$((SECONDS + MINUTES * 60 - 2))
while [ "$SECONDS" -lt "$UNTIL" ]; do
    act >"$WORK/act.out" 2>&1 || { fail "what was to be done is done"; tail -n 3 "$WORK/act.out"; }
    sleep "0.$((RANDOM % 9 + 1))"
done
end
finish
