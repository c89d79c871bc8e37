#!/bin/bash
# Datagrams larger than the MTU: they reach one backend whole and their answers return, in whatever
# order the fragments come.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

LARGE=4000 # bytes, three fragments each way
ANSWERS=3600

mac_of() { # NAME INTERFACE
    inside "$1" ip -j link show dev "$2" | jq -r '.[0].address'
}

counted() { # VERDICT, packets so far
    lbctl -o json stats | jq ".verdicts[\"$1\"].packets"
}

all_answered() { # FILE PAIRS BACKENDS
    says "$1" '.lost == 0 and .stray == 0 and .damaged == 0 and
               ([.backends[]] | add) == '"$2"' and (.backends | length) == '"$3"
}

exchange() { # SENTENCE NAME BACKENDS OPTION… ADDRESS
    local sentence=$1 name=$2 backends=$3
    shift 3
    udp_load "$WORK/udp.json" "$name" -n 200 --size "$LARGE" "$@" 53
    check "$sentence" all_answered "$WORK/udp.json" 200 "$backends"
}

# The client cuts and orders the fragments itself.
ask() { # FILE OPTION… SOURCE ADDRESS
    local file=$1
    shift
    inside client "$PYTHON" "$HERE/fragments.py" ask "${@:1:$#-2}" eth0 "$(mac_of node uplink0)" \
        "${@: -2}" 53 >"$file"
}

ask_in_order() { # ORDER SOURCE ADDRESS
    ask "$WORK/ask.json" -n 100 --order "$1" "$2" "$3"
    check "100 datagrams of $LARGE bytes to $3, fragments $1: each arrives whole, and its answer" \
        all_answered "$WORK/ask.json" 100 3
}

test_orders() { # SOURCE ADDRESS
    local held
    ask_in_order forward "$1" "$2"
    held=$(counted drop-fragment-held)
    ask_in_order backward "$1" "$2"
    check "of each to $2 two fragments were held" \
        [ "$(counted drop-fragment-held)" = $((held + 200)) ]
    ask_in_order shuffled "$1" "$2"
    ask "$WORK/ask.json" -n 3 --order backward --pause 0.2 "$1" "$2"
    check "those that come 0.4 s ahead of the first to $2 wait for it" \
        says "$WORK/ask.json" '.lost == 0 and ([.backends[]] | add) == 3'
}

# A pod that sends the fragments of its answers last first.
test_answers() { # SERVICE BACKEND SOURCE ADDRESS
    check "a service of a pod that answers backward is added: $1" \
        lbctl service add "$1" --backend "$2"
    wait_resolved
    ask "$WORK/ask.json" -n 50 "$3" "$4"
    check "50 answers of the pod through $4, fragments backward, arrive whole" \
        all_answered "$WORK/ask.json" 50 1
}

has_large_answer() { # ADDRESS
    inside client dig "@$1" -p 5353 +bufsize=4096 +notcp +ignore +tries=1 +time=2 TXT large.test \
        >"$WORK/dig.txt" &&
        grep -q 'status: NOERROR' "$WORK/dig.txt" && ! grep -q 'flags:.* tc' "$WORK/dig.txt" &&
        grep -q "^;; MSG SIZE  rcvd: 3[67]" "$WORK/dig.txt"
}

test_dns() { # SERVICE BACKEND ADDRESS
    check "a service for DNS is added: $1" lbctl service add "$1" --backend "$2"
    wait_resolved
    if ! command -v dig >/dev/null; then
        skip "dig with EDNS gets an answer of $ANSWERS bytes through $3" "dig is not installed"
        return
    fi
    check "dig with EDNS gets an answer of $ANSWERS bytes through $3" has_large_answer "$3"
}

fragments_say() { # EXPRESSION
    lbctl_says ".fragments | $1" status
}

flood() { # OPTION… SOURCE ADDRESS
    inside client "$PYTHON" "$HERE/fragments.py" flood "${@:1:$#-2}" eth0 \
        "$(mac_of node uplink0)" "${@: -2}" 53
}

resident() { # in KiB
    awk '/^VmRSS/ {print $2}' "/proc/$LBD_PID/status"
}

grew_less_than() { # KIB BEFORE
    local now
    now=$(resident)
    echo "$2 KiB before, $now now"
    [ $((now - $2)) -lt "$1" ]
}

# What is never complete takes room in the pods, too: enough that only lbd's is tested.
give_pods_room() {
    local name
    for name in a b c; do
        inside "pod-$name" sh -c 'echo 100000000 >/proc/sys/net/ipv4/ipfrag_high_thresh
                                  echo 100000000 >/proc/sys/net/ipv6/ip6frag_high_thresh'
    done
}

# Another client's, for its identifications would be mistaken for those of ours.
test_floods() { # FLOODER FLOODER-AS-SHOWN SOURCE ADDRESS
    local before early
    before=$(resident)
    early=$(counted drop-fragment-held)
    flood -n 20000 --piece later "$1" "$4"
    check "lbd holds 1,024 fragments at most" fragments_say '.held <= 1024'
    check "it was handed some of them" [ "$(counted drop-fragment-held)" -gt "$early" ]
    check "a second later it has given them up" within 3 fragments_say '.held == 0'
    flood -n 20000 --piece first "$1" "$4"
    check "after two floods lbd has not grown by 8 MiB" grew_less_than 8192 "$before"
    check "20,000 first fragments are one connection" \
        lbctl_says '[.connections[] | select(.client == "'"$2"':40000")] | length == 1' \
        connection list
    ask_in_order backward "$3" "$4"
}

test_without_lbd() {
    lbd_kill KILL
    ask "$WORK/ask.json" -n 20 192.0.2.2 10.96.0.10
    check "without lbd fragments that are in order pass" says "$WORK/ask.json" \
        '.lost == 0 and ([.backends[]] | add) == 20'
    ask "$WORK/ask.json" -n 1 --order backward 192.0.2.2 10.96.0.10
    check "and those that are not are lost" says "$WORK/ask.json" '.lost == 1'
    check "a new lbd becomes ready" node_lbd
    check "it gives up what it finds" within 2 fragments_say '.given_up == 2 and .sent == 0'
    ask_in_order backward 192.0.2.2 10.96.0.10
}

make_topology
add_pod x 20
spawn answer pod-x "$PYTHON" "$HERE/fragments.py" answer --order backward eth0 \
    "$(mac_of node veth-x)" 10.1.0.20 8053 pod-x
spawn answer6 pod-x "$PYTHON" "$HERE/fragments.py" answer --order backward eth0 \
    "$(mac_of node veth-x)" fd00:1::20 8053 pod-x
spawn dns pod-x "$PYTHON" "$HERE/dns_server.py" 5353 "$ANSWERS"
check "lbd becomes ready" node_lbd
check "services over IPv4 and IPv6 are added and resolved" add_services
for address in 10.96.0.10 fd00:96::10; do
    exchange "200 pairs of $LARGE bytes through $address" client 3 "$address"
    exchange "200 pairs of $LARGE bytes from one port through $address stay with one backend" \
        client 1 --one-port "$address"
    exchange "200 pairs of $LARGE bytes from a pod through $address" pod-x 3 "$address"
done
test_orders 192.0.2.2 10.96.0.10
test_orders 2001:db8::2 fd00:96::10
test_answers 10.96.0.30:53/udp 10.1.0.20:8053 192.0.2.2 10.96.0.30
test_answers '[fd00:96::30]:53/udp' '[fd00:1::20]:8053' 2001:db8::2 fd00:96::30
test_dns 10.96.0.31:5353/udp 10.1.0.20:5353 10.96.0.31
test_dns '[fd00:96::31]:5353/udp' '[fd00:1::20]:5353' fd00:96::31
check "nothing was dropped for want of room" [ "$(counted drop-fragment-early)" = 0 ]
give_pods_room
test_floods 192.0.2.66 192.0.2.66 192.0.2.2 10.96.0.10
test_floods 2001:db8::66 '[2001:db8::66]' 2001:db8::2 fd00:96::10
test_without_lbd
finish
