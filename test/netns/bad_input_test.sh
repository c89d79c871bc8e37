#!/bin/bash
# Whatever is wrong is refused with the right exit status and a message that names it, nothing of it
# is applied, and others are served meanwhile.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

shopt -s lastpipe # document_refused, at the end of a pipe, counts its checks in this shell

MEMORY_MIB=512 # room for a document of the largest size from several clients at once

exported() {
    lbctl export | jq -Sc .
}

# The command ends with STATUS, names WORD on stderr (in its only line, unless it is about usage),
# prints no result, and the tables are what they were.
is_refused() { # STATUS WORD COMMAND…
    local want=$1 word=$2 status before
    shift 2
    before=$(exported)
    "$@" >"$WORK/out.txt" 2>"$WORK/err.txt"
    status=$?
    echo "status $status, want $want; stderr, which must name '$word':"
    head -c 1000 "$WORK/err.txt"
    [ "$status" = "$want" ] || return
    head -n 1 "$WORK/err.txt" | grep -qF -e "$word" || return
    [ "$want" = 2 ] || [ "$(wc -l <"$WORK/err.txt")" = 1 ] || { echo "not one line"; return 1; }
    [ ! -s "$WORK/out.txt" ] || { echo "and on stdout:"; head -c 300 "$WORK/out.txt"; return 1; }
    [ "$(exported)" = "$before" ] || { echo "export has changed"; return 1; }
}

refused() { # STATUS WORD ARGUMENT… of lbctl
    local status=$1 word=$2
    shift 2
    check "refused with $status: lbctl $*" is_refused "$status" "$word" lbctl "$@"
}

# A document that `apply` refuses, from a file and from standard input.
document_refused() { # TITLE WORD; the document on standard input
    cat >"$WORK/document.json"
    check "refused as tables: $1" is_refused 1 "$2" lbctl apply "$WORK/document.json"
    check "and in a dry run: $1" is_refused 1 "$2" lbctl apply "$WORK/document.json" --dry-run
}

service_json() { # FIELDS: one service with some of its fields
    printf '{"services": [{%s}]}' "$1"
}

test_usage() {
    refused 2 bogus bogus
    refused 2 bogus service bogus
    refused 2 --bogus service list --bogus
    refused 2 --bogus --bogus status
    refused 2 yaml -o yaml status
    refused 2 "" service add
    refused 2 "" backend add 10.96.0.10:80
    refused 2 ""
}

test_values() {
    refused 1 10.1.0.11 service add '[fd00:96::40]:80' --backend 10.1.0.11:8080
    refused 1 fd00:1::11 service add 10.96.0.40:80 --backend '[fd00:1::11]:8080'
    refused 1 fd00:1::11 backend add "$HTTP_SERVICE" '[fd00:1::11]:8080'
    refused 1 10.96.0.40:0 service add 10.96.0.40:0
    refused 1 70000 service add 10.96.0.40:70000
    refused 1 10.1.0.11:0 service add 10.96.0.40:80 --backend 10.1.0.11:0
    refused 1 70000 backend add "$HTTP_SERVICE" 10.1.0.14:70000
    refused 1 -1 backend add "$HTTP_SERVICE" 10.1.0.14:8080 --weight -1
    refused 1 -1 service add 10.96.0.40:80 --backend 10.1.0.11:8080,weight=-1
    refused 1 heavy backend set "$HTTP_SERVICE" 10.1.0.11:8080 --weight heavy
    refused 1 sleeping backend set "$HTTP_SERVICE" 10.1.0.11:8080 --state sleeping
    refused 1 10.96.0.10:80/tcp service add "$HTTP_SERVICE"
    refused 1 web service add 10.96.0.40:80 --name web
    refused 1 10.1.0.11:8080 backend add "$HTTP_SERVICE" 10.1.0.11:8080
    refused 1 10.1.0.11:8080 service add 10.96.0.40:80 --backend 10.1.0.11:8080 \
        --backend 10.1.0.11:8080
    refused 1 10.96.0.300 service add 10.96.0.300:80
    refused 1 10.96.0.40 service add 10.96.0.40
    refused 1 icmp service add 10.96.0.40:80/icmp
    refused 1 best service add 10.96.0.40:80 --algorithm best
    refused 1 10.0.0.0/33 service add 10.96.0.40:80 --source-range 10.0.0.0/33
    refused 1 10.96.0.99:80/tcp service del 10.96.0.99:80
    refused 1 10.96.0.99:80/tcp service show 10.96.0.99:80
    refused 1 10.96.0.99:80/tcp backend add 10.96.0.99:80 10.1.0.11:8080
    refused 1 10.1.0.99:8080 backend del "$HTTP_SERVICE" 10.1.0.99:8080
    refused 1 nosuch0 interface del nosuch0
    refused 1 name-that-is-too-long0 interface add name-that-is-too-long0
}

test_documents() {
    head -c 1000000 /dev/urandom | document_refused "1 MB of garbage" document.json
    printf '{"services": [{"address": "10.96' | document_refused "truncated JSON" document.json
    printf '' | document_refused "nothing" document.json
    head -c 100000 /dev/zero | tr '\0' '[' | document_refused "deep nesting" document.json
    { printf '{"services": ['; head -c 200000000 /dev/zero | tr '\0' ' '; printf ']}'; } |
        document_refused "200 MB" document.json
    printf '{"services": [{"name": "a/\xff"}]}' | document_refused "not UTF-8" document.json
    printf '[]' | document_refused "an array" object
    printf '{"services": {}}' | document_refused "an object of services" services
    service_json '"address": "10.96.0.40", "port": "80"' |
        document_refused "a port that is a string" 'services[0].port'
    service_json '"address": "10.96.0.40", "port": NaN' | document_refused "NaN" document.json
    service_json '"address": "10.96.0.40", "port": 80.5' |
        document_refused "a port that is no integer" 'services[0].port'
    service_json '"address": "10.96.0.40", "port": 80, "port": 81' |
        document_refused "a key given twice" port
    service_json '"address": "10.96.0.40", "port": 80, "colour": "red"' |
        document_refused "an unknown key of a service" 'services[0].colour'
    printf '{"services": [], "colour": "red"}' | document_refused "an unknown key" colour
    service_json '"port": 80' | document_refused "no address" 'services[0]'
    service_json '"address": "10.96.0.40", "port": 80, "backends":
        [{"address": "10.1.0.11", "port": 70000}]' | document_refused "a backend's port" \
        'services[0].backends[0].port: 70000 is not 1–65535'
    service_json '"address": "10.96.0.40", "port": 80, "backends":
        [{"address": "10.1.0.11", "port": 80, "weight": -1}]' |
        document_refused "a negative weight" 'services[0].backends[0].weight'
    service_json '"address": "10.96.0.40", "port": 80, "backends":
        [{"address": "fd00:1::11", "port": 80}]' |
        document_refused "two families" 'services[0].backends[0]'
    printf '{"services": [{"address": "10.96.0.40", "port": 80},
        {"address": "10.96.0.40", "port": 80}]}' | document_refused "a service twice" 'services[1]'
    printf '{"services": [{"address": "10.96.0.40", "port": 80},
        {"address": "10.96.0.41", "port": 0}]}' | document_refused "one good, one bad service" \
        'services[1].port'
    check "refused as tables: a file that is not there" is_refused 1 "$WORK/nothing" \
        lbctl apply "$WORK/nothing"
    check "refused as tables: a directory" is_refused 1 "$WORK" lbctl apply "$WORK"
    printf '{"services": [' >"$WORK/document.json"
    check "refused as tables: standard input that ends early" is_refused 1 "" \
        sh -c "'$LBCTL' --socket '$SOCKET' apply - <'$WORK/document.json'"
}

status_is_prompt() { # as often as given, each answer within a second
    local start i
    for i in $(seq "$1"); do
        start=${EPOCHREALTIME/./}
        lbctl status >/dev/null || return
        echo "answer $i took $(((${EPOCHREALTIME/./} - start) / 1000)) ms"
        [ $((${EPOCHREALTIME/./} - start)) -lt 1000000 ] || return
        sleep 0.2
    done
}

# The most it ever had: answers that nobody reads must not pile up in it.
memory_is_bounded() {
    local peak
    peak=$(awk '/^VmHWM/ {print int($2 / 1024)}' "/proc/$LBD_PID/status")
    echo "peak $peak MiB"
    [ "$peak" -lt "$MEMORY_MIB" ]
}

hostile() { # TITLE BEHAVIOUR [SECONDS]
    spawn "$1" node "$PYTHON" "$HERE/hostile_client.py" "$SOCKET" "${@:2}"
}

test_hostile_clients() {
    local i flood half
    for i in 1 2 3 4 5; do
        hostile "silent-$i" silent 20
        hostile "deaf-$i" deaf 10
        hostile "half-$i" half 20
    done
    half=${PIDS[-1]}
    hostile flood flood 30
    flood=${PIDS[-1]}
    for i in $(seq 20); do
        hostile "leave-$i" leave
    done
    hostile garbage garbage
    check "lbctl status is answered within 1 s among hostile clients" status_is_prompt 20
    check "requests through services are served meanwhile" http_load "$WORK/http.json" client \
        -n 200 -c 5 10.96.0.10 80
    check "all of them" says "$WORK/http.json" '.failures == 0'
    wait "$flood"
    wait "$half"
    check "100 MB without a newline are answered by an error or cut off" \
        grep -e '"error"' -e '^closed' "$WORK/flood.log"
    check "a request that does not end is answered by an error" grep '"error"' "$WORK/half-5.log"
    check "and its connection closed within 20 s" grep '^closed' "$WORK/half-5.log"
    check "a line that is no JSON is answered by an error" grep '"error"' "$WORK/garbage.log"
    check "lbd still runs" lbd_is_running
    check "and answers" status_is_prompt 1
    check "its memory stayed below $MEMORY_MIB MiB" memory_is_bounded
}

# As another user, from copies that it may read wherever the tree lies.
unprivileged() {
    setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
}

test_privileges() {
    chmod 755 "$WORK"
    cp "$LBD" "$WORK/lbd-copy"
    cp "$LBCTL" "$WORK/lbctl-copy"
    unprivileged "$WORK/lbctl-copy" --socket "$SOCKET" status >"$WORK/out.txt" 2>"$WORK/err.txt"
    check "lbctl without privileges fails with 1 or 3" grep -x '[13]' <<<"$?"
    check "in one line that names the socket" grep -F "$SOCKET" "$WORK/err.txt"
    check "and nothing else" test "$(cat "$WORK/out.txt" "$WORK/err.txt" | wc -l)" = 1
    lbd_forget
    mkdir -m 777 "$WORK/nobody"
    check "lbd without privileges says what it lacks" lbd_lacks_privileges
}

lbd_lacks_privileges() {
    unprivileged timeout 10 "$WORK/lbd-copy" --pin "$WORK/nobody/pin" \
        --socket "$WORK/nobody/socket" --state "$WORK/nobody/state" >"$WORK/err.txt" 2>&1
    local status=$?
    echo "status $status"
    cat "$WORK/err.txt"
    [ "$status" -gt 0 ] && [ "$status" -lt 124 ] &&
    grep -qi 'cap_\|root\|privilege\|permi' "$WORK/err.txt"
}

test_no_daemon() {
    check "no daemon: status 3" nobody_there "$WORK/nothing.sock"
    touch "$WORK/file.sock"
    check "a socket that is a file: status 3" nobody_there "$WORK/file.sock"
    $PYTHON -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' \
        "$WORK/stale.sock"
    check "a socket whose owner is gone: status 3" nobody_there "$WORK/stale.sock"
}

nobody_there() { # SOCKET
    "$LBCTL" --socket "$1" status >"$WORK/out.txt" 2>"$WORK/err.txt"
    local status=$?
    echo "status $status"
    cat "$WORK/out.txt" "$WORK/err.txt"
    [ "$status" = 3 ] && [ "$(cat "$WORK/out.txt" "$WORK/err.txt" | wc -l)" = 1 ] &&
    grep -qF "$1" "$WORK/err.txt"
}

test_lbd_options() {
    check "lbd refuses an unknown option" lbd_refuses bogus --bogus
    check "lbd refuses an unknown mode" lbd_refuses bogus --xdp-mode bogus
    check "lbd refuses 0 services" lbd_refuses max-services --max-services 0
    check "lbd refuses a limit that is no number" lbd_refuses many --max-services many
    check "lbd refuses a config file that is not there" lbd_refuses nothing.json \
        --config "$WORK/nothing.json"
    echo '{"colour": "red"}' >"$WORK/config.json"
    check "lbd refuses an unknown key in it" lbd_refuses colour --config "$WORK/config.json"
    service_json '"address": "10.96.0.40", "port": 70000' >"$WORK/document.json"
    check "lbd refuses to start with wrong tables" lbd_refuses 'services\[0\].port: 70000' \
        --tables "$WORK/document.json"
    check "and to check them" lbd_refuses 'services\[0\].port: 70000' \
        --tables "$WORK/document.json" --check
    service_json '"address": "10.96.0.40", "port": 80' >"$WORK/document.json"
    check "--check of right tables succeeds" "$LBD" --tables "$WORK/document.json" --check
    touch "$WORK/plain-file"
    PIN=$WORK/plain-file check "a pin path that is a file is refused" lbd_refuses plain-file
    PIN=/proc/lbd check "a pin path where no directory can be is refused" lbd_refuses /proc
    mkdir -p "$WORK/no-bpffs/lbd/program"
    touch "$WORK/no-bpffs/lbd/program/lb"
    PIN=$WORK/no-bpffs/lbd check "pins that are no bpffs are refused" lbd_refuses bpf
    check "and not hidden by a mount" test -f "$WORK/no-bpffs/lbd/program/lb"
}

# A service belongs to the source that brought it; another source may not take it.
test_sources() {
    service_json '"address": "10.96.0.50", "port": 80, "backends":
        [{"address": "10.1.0.11", "port": 8080}]' >"$WORK/tables.json"
    check "lbd starts with a file of tables" node_lbd --tables "$WORK/tables.json"
    check "the service belongs to the file" lbctl_says '.source == "file"' \
        service show 10.96.0.50:80
    refused 1 file service add 10.96.0.50:80 --backend 10.1.0.12:8080
    service_json '"address": "10.96.0.50", "port": 80' |
        document_refused "a service that another source owns" 10.96.0.50:80/tcp
    check "it serves" within 2 answers client 10.96.0.50:80
}

test_full_tables() {
    local i
    check "lbd takes 4 services and 6 backends at most" node_lbd --max-services 4 --max-backends 6
    for i in 1 2 3 4; do
        check "service $i of 4 is added" lbctl service add "10.98.0.$i:80" --backend 10.1.0.11:8080
    done
    refused 1 10.98.0.5:80/tcp service add 10.98.0.5:80 --backend 10.1.0.11:8080
    service_json '"address": "10.98.0.6", "port": 80' |
        document_refused "a service past the limit" 10.98.0.6:80/tcp
    for i in 12 13; do
        check "backend $i fits" lbctl backend add 10.98.0.1:80 "10.1.0.$i:8080"
    done
    refused 1 max-backends backend add 10.98.0.1:80 10.1.0.14:8080
    check "a service is removed" lbctl service del 10.98.0.4:80
    check "another one fits in its place" lbctl service add 10.98.0.5:80 --backend 10.1.0.11:8080
    check "which serves" within 2 answers client 10.98.0.5:80
}

make_topology
check "lbd becomes ready" node_lbd
check "services over IPv4 and IPv6 are added and resolved" add_services
test_usage
test_values
test_documents
test_hostile_clients
test_no_daemon
test_privileges
test_lbd_options
lbd_forget
test_sources
lbd_forget
test_full_tables

finish
