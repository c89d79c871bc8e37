#!/bin/bash
# What probes are told: /healthz and /livez of lbd as kube-proxy has them, health check node ports
# of services, and both while clients misbehave. Services and changes are those of a driver, so that
# no API server is needed. LONG=1 waits until slow clients are ended by time, half a minute.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

DRIVER=$BUILD/test/health_driver
TIME='[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9} \+0000 UTC'

get() { # NAME URL OPTION…; head, body and status in $WORK/{head,body,code}
    local name=$1 url=$2
    shift 2
    inside "$name" curl -s -m 5 -D "$WORK/head" -o "$WORK/body" -w '%{http_code}' "$@" \
        "http://$url" >"$WORK/code"
}

show() {
    echo "$(<"$WORK/code")"
    cat "$WORK/head" "$WORK/body"
}

gets() { # CODE NAME URL OPTION…
    local code=$1
    shift
    get "$@"
    [ "$(<"$WORK/code")" = "$code" ] && return
    show
    return 1
}

has_head() { # LINE
    tr -d '\r' <"$WORK/head" | grep -qix -e "$1" && return
    show
    return 1
}

body_is() { # PATTERN
    grep -qxE -e "$1" "$WORK/body" && return
    show
    return 1
}

# ---- lbd itself

is_healthy_in_full() { # URL
    gets 200 client "$1/healthz" && has_head 'content-type: application/json' &&
        has_head 'x-content-type-options: nosniff' &&
        body_is "\{\"lastUpdated\": \"$TIME\",\"currentTime\": \"$TIME\", \"nodeEligible\": true\}"
}

is_live() { # URL
    gets 200 client "$1/livez" &&
        body_is "\{\"lastUpdated\": \"$TIME\",\"currentTime\": \"$TIME\"\}"
}

takes_the_port() {
    spawn taker node "$PYTHON" -c "
import socket, time
s = socket.create_server(('0.0.0.0', 10256))
time.sleep(600)"
    TAKER=$!
    within 3 is_listening node 10256
}

test_lbd() {
    check "lbd starts with /healthz" node_lbd --healthz 0.0.0.0:10256
    check "its body and headers are kube-proxy's" is_healthy_in_full 192.0.2.1:10256
    check "over IPv6 as well, though the address is IPv4's" is_healthy_in_full '[2001:db8::1]:10256'
    check "/livez is, without the node" is_live 192.0.2.1:10256
    check "other paths are not found" gets 404 client 192.0.2.1:10256/metrics
    check "a probe may ask for the head alone" gets 200 client 192.0.2.1:10256/healthz --head
    check "other methods are refused" gets 405 client 192.0.2.1:10256/healthz -d x
    check "killed, it starts again at the same port" restarts
    check "and answers" gets 200 client 192.0.2.1:10256/healthz
    check "with its system calls restricted" grep -q '^Seccomp:[[:space:]]*2$' \
        "/proc/$LBD_PID/status"
    lbd_kill TERM
}

restarts() {
    lbd_kill KILL
    node_lbd --healthz 0.0.0.0:10256
}

# As beside a kube-proxy that is about to go.
test_taken_port() {
    check "another process has the port" takes_the_port
    check "lbd starts nevertheless" node_lbd --healthz 0.0.0.0:10256
    check "and says that it does not listen" grep -q \
        'event=not-listening what=healthz at=0.0.0.0:10256 why="Address already in use"' "$LBD_LOG"
    kill "$TAKER"
    check "when the other has gone it does within seconds" within 8 gets 200 client \
        192.0.2.1:10256/healthz
    check "which it says, too" grep -q 'event=listening what=healthz' "$LBD_LOG"
    lbd_kill TERM
    check "a port that is not lbd's to have is refused by its number" lbd_refuses \
        'cannot listen for healthz at 0.0.0.0:80: Permission denied' --interface uplink0 \
        --healthz 0.0.0.0:80
}

# ---- with a driver in the place of Kubernetes

start_driver() {
    mkfifo "$WORK/words"
    exec 5<>"$WORK/words" # which does not wait for a reader
    nsenter "--net=/run/netns/$PREFIX-node" "$DRIVER" 0.0.0.0:10256 \
        <"$WORK/words" >"$WORK/driver.log" 2>&1 5<&- &
    DRIVER_PID=$!
    PIDS+=("$DRIVER_PID")
    within 3 grep -q ready "$WORK/driver.log"
}

tell() { # WORD…
    local before
    before=$(grep -c . "$WORK/driver.log")
    echo "$*" >&5
    within 3 eval "[ \$(grep -c . '$WORK/driver.log') -gt $before ]" &&
        [ "$(tail -n 1 "$WORK/driver.log")" = "done" ]
}

# Of a 503: what is in force is older than now.
is_late() {
    body_is ".*nodeEligible\": true\}" && inside client curl -s "http://192.0.2.1:10256/healthz" |
        jq -e '.lastUpdated < .currentTime'
}

test_changes() {
    check "the driver starts" start_driver
    check "a change is waiting for 59 seconds" tell queued 59
    check "which is healthy" gets 200 client 192.0.2.1:10256/healthz
    check "all is in force" tell synced
    check "a change is waiting for 61 seconds" tell queued 61
    check "which is not healthy" gets 503 client 192.0.2.1:10256/healthz
    check "since the last that is in force" is_late
    check "nor is it live" gets 503 client 192.0.2.1:10256/livez
    check "all is in force again" tell synced
    check "and healthy" gets 200 client 192.0.2.1:10256/healthz
    check "the node is about to be deleted" tell eligible no
    check "which /healthz says" gets 503 client 192.0.2.1:10256/healthz
    check "in its body, too" body_is '.*"nodeEligible": false\}'
    check "and /livez does not" gets 200 client 192.0.2.1:10256/livez
    check "it is not after all" tell eligible yes
    check "which is healthy again" gets 200 client 192.0.2.1:10256/healthz
}

# As Go prints it: tabs, and no newline at the end.
SERVICE_BODY='{
	"service": {
		"namespace": "%s",
		"name": "%s"
	},
	"localEndpoints": %s,
	"serviceProxyHealthy": %s
}'

service_is() { # URL CODE NAMESPACE NAME ENDPOINTS HEALTHY
    gets "$2" client "$1" && has_head 'content-type: application/json' &&
        has_head 'x-content-type-options: nosniff' &&
        has_head "X-Load-Balancing-Endpoint-Weight: $5" || return
    # shellcheck disable=SC2059 # a format it is
    printf "$SERVICE_BODY" "${@:3}" | cmp - "$WORK/body"
}

is_closed() { # ADDRESS PORT
    ! inside client bash -c "exec 3<>/dev/tcp/$1/$2" 2>/dev/null
}

test_services() {
    check "two services have a health check node port" tell services \
        default/web:31000=2 kube/api:31001=0
    check "with endpoints here a service is healthy" service_is 192.0.2.1:31000 200 \
        default web 2 true
    check "on any path, and over IPv6" service_is '[2001:db8::1]:31000/x' 200 default web 2 true
    check "without it is not" service_is 192.0.2.1:31001/ 503 kube api 0 true
    check "endpoints move" tell services default/web:31000=0 kube/api:31001=1
    check "as does what is answered of the one" service_is 192.0.2.1:31000 503 default web 0 true
    check "and of the other" service_is 192.0.2.1:31001 200 kube api 1 true
    check "lbd does not keep up" tell queued 61
    check "so no service is healthy" service_is 192.0.2.1:31001 503 kube api 1 false
    check "it does again" tell synced
    check "a node that goes is none of a service's business" tell eligible no
    check "so it stays healthy" service_is 192.0.2.1:31001 200 kube api 1 true
    check "the node stays" tell eligible yes
    check "a service goes and another gets its port" tell services kube/api:31000=3
    check "it is told of the other" service_is 192.0.2.1:31000 200 kube api 3 true
    check "the port it had is closed" is_closed 192.0.2.1 31001
    check "node ports are served at one address" tell addresses 192.0.2.1
    check "there it is answered" service_is 192.0.2.1:31000 200 kube api 3 true
    check "and nowhere else" is_closed 2001:db8::1 31000
    check "nor at loopback" fails is_listening node 31000
    check "an odd name does no harm" tell services 'a"b/c\d:31002=1'
    check "it is JSON" odd_name_is_json
    check "none is left" tell services
    check "and none is answered" is_closed 192.0.2.1 31002
}

odd_name_is_json() {
    gets 200 client 192.0.2.1:31002 && jq -e '.service == {namespace: "a\"b", name: "c\\d"}' \
        "$WORK/body"
}

open_fds() {
    find "/proc/$DRIVER_PID/fd" -mindepth 1 | wc -l
}

ports_come_and_go() {
    local i before services
    before=$(open_fds)
    services=$(for i in {1..400}; do echo "default/s$i:$((32000 + i))=1"; done | xargs)
    for i in {1..5}; do
        tell services "$services" && tell services || return
    done
    echo "$before $(open_fds)"
    [ "$(open_fds)" = "$before" ]
}

# ---- clients that would hold it up

hostile() { # TITLE BEHAVIOUR COUNT SECONDS [PATH]
    spawn "$1" client "$PYTHON" "$HERE/hostile_http.py" 192.0.2.1 10256 "${@:2}"
    within 10 grep -q '^open' "$WORK/$1.log"
}

probes_are_quick() { # the slowest of 20, in seconds, is below half of one
    local slowest=0 took i
    for i in {1..20}; do
        gets 200 client 192.0.2.1:10256/healthz || return
        took=$(inside client curl -s -o /dev/null -w '%{time_total}' http://192.0.2.1:10256/livez)
        took=$((10#${took/./})) # microseconds
        [ "$took" -le "$slowest" ] || slowest=$took
    done
    echo "slowest: $slowest us"
    [ "$slowest" -lt 500000 ]
}

memory() {
    awk '/^VmRSS/ {print $2}' "/proc/$DRIVER_PID/status"
}

test_hostile_clients() {
    local before
    before=$(memory)
    check "300 clients connect and say nothing" hostile silent silent 300 40
    check "probes are answered at once" probes_are_quick
    check "no more than 64 of them are kept" test "$(open_fds)" -le 90
    check "300 send a request that does not end" hostile drip drip 300 40
    check "probes are answered at once" probes_are_quick
    check "some leave before the answer" hostile leave leave 300 1
    check "some send headers without end" hostile head head 10 5
    check "some send a body without end" hostile body body 10 5
    check "some send what is no HTTP" hostile garbage garbage 20 45
    check "probes are answered at once" probes_are_quick
    check "those are all closed" within 10 all_closed head body
    echo "# memory: $before KiB, then $(memory) KiB"
    check "memory has not grown by more than 4 MiB" test "$(($(memory) - before))" -lt 4096
    check "ports of services may come and go" ports_come_and_go
    [ -z "${LONG:-}" ] || test_slow_clients
}

# Too few to make room for each other.
test_slow_clients() {
    check "20 connect and say nothing" hostile later silent 20 40
    check "20 send a request that does not end" hostile slower drip 20 40
    check "they are ended in half a minute, as are those that send no HTTP" \
        within 45 all_closed later slower garbage
}

all_closed() { # TITLE…
    local title
    for title in "$@"; do
        grep -qE '^closed ([0-9]+) of \1 ' "$WORK/$title.log" || return
    done
}

make_topology
test_lbd
test_taken_port
test_changes
test_services
test_hostile_clients

finish
