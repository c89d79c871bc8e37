#!/bin/bash
# Beside rules of netfilter that do the same, as kube-proxy's do: connections that netfilter has
# translated so far go on when lbd starts, when the rules go, and when lbd goes and they are back.
# And what netfilter alone can translate passes to it until it has ended.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"
. "$HERE/_churn.sh"

LONG=100
NEW=200
DATAGRAMS=100

servers() {
    local name
    churn_servers || return
    for name in a b c; do
        spawn "echo-$name" "pod-$name" socat TCP6-LISTEN:9100,fork,reuseaddr EXEC:cat
    done
    for name in a b c; do
        within 5 is_listening "pod-$name" 9100 || return
    done
}

# What kube-proxy has in mode nftables, in short: each port to one of the pods, at random.
to_pods() { # FAMILY ADDRESS PROTOCOL PORT PODS
    local map="0 : ${5}11 . $4, 1 : ${5}12 . $4, 2 : ${5}13 . $4"
    echo "$1 daddr $2 $3 dport $4 dnat $1 to numgen random mod 3 map { $map }"
}

rules() {
    inside node nft -f - <<EOF
table inet kube-proxy {
    chain services {
        type nat hook prerouting priority -100
        $(to_pods ip 10.96.0.20 tcp 9000 10.1.0.)
        $(to_pods ip 10.96.0.20 tcp 9001 10.1.0.)
        $(to_pods ip 10.96.0.20 udp 9002 10.1.0.)
        $(to_pods ip6 fd00:96::20 tcp 9100 fd00:1::)
        ip daddr 10.96.0.21 tcp dport 9000 dnat ip to 10.1.0.11:9000
    }
    chain leaving {
        type nat hook postrouting priority 100
        ct original ip daddr 10.96.0.21 masquerade
    }
}
EOF
}

no_rules() {
    inside node nft delete table inet kube-proxy
}

tables() {
    $PYTHON - <<'EOF'
import json
def service(address, port, protocol, backends):
    return {"address": address, "port": port, "protocol": protocol,
            "backends": [{"address": one, "port": port} for one in backends]}
four = ["10.1.0.11", "10.1.0.12", "10.1.0.13"]
ours = service("10.96.0.22", 9000, "tcp", ["10.1.0.11"])
ours["masquerade"] = "others"
ours["backends"][0]["remote"] = True
print(json.dumps({"services": [
    ours,
    service("10.96.0.20", 9000, "tcp", four), service("10.96.0.20", 9001, "tcp", four),
    service("10.96.0.20", 9002, "udp", four), service("10.96.0.21", 9000, "tcp", four),
    service("fd00:96::20", 9100, "tcp", ["fd00:1::11", "fd00:1::12", "fd00:1::13"])]}))
EOF
}

# A connection that a line is said by now and then, and comes back.
talk_start() { # TITLE ADDRESS
    mkfifo "$WORK/$1.in"
    nsenter --net="/run/netns/$PREFIX-client" socat - "TCP:$2" <"$WORK/$1.in" >"$WORK/$1.out" &
    PIDS+=($!)
    TALKER=$!
    eval "exec {FD_$1}>\"\$WORK/$1.in\""
}

talks() { # TITLE WORD
    local fd=FD_$1
    echo "$2" >&"${!fd}"
    within 3 grep -qx "$2" "$WORK/$1.out"
}

# But for datagrams that full queues have dropped.
nothing_is_lost() { # FILE
    kill -TERM "$LOAD_PID"
    wait "$LOAD_PID"
    DROPPED=$(($(queue_drops) - DROPPED))
    echo "# dropped by full queues: $DROPPED, else $(cat "$1")"
    says "$1" ".long.failures == 0 and .long.count == $LONG and .new.failures == 0 and
        .new.count > $NEW and .udp.failures <= $DROPPED and .udp.count > 0"
}

tracked_to() { # ADDRESS…
    local address
    for address in "$@"; do
        inside node conntrack -L -d "$address" 2>/dev/null
    done | grep -c -v TIME_WAIT
}

has_none_tracked() { # ADDRESS…
    [ "$(tracked_to "$@")" = 0 ]
}

has_all_tracked() {
    [ "$(tracked_to 10.96.0.20)" -gt "$LONG" ]
}

says_hundreds() { # EVENT
    grep -Eq "event=$1 connections=[1-9][0-9]{2}" "$LBD_LOG"
}

doctor_says() { # FILTER of a finding
    lbctl_says "[.findings[] | select($1)] | length == 1" doctor
}

doctor_warns() {
    rules && doctor_says '.about == "table inet kube-proxy" and .severity == "warning"' &&
        lbctl doctor | grep -q "table inet kube-proxy .*kube-proxy --cleanup"
}

# As CNI plugins have it. Without any rule that translates the kernel would do so no more.
other_rules() {
    inside node nft -f - <<EOF
table ip mangle {
    chain KUBE-KUBELET-CANARY {
    }
}
table inet cni {
    chain masquerading {
        type nat hook postrouting priority 100
        ip saddr 10.255.0.0/16 masquerade
    }
}
EOF
}

make_topology
inside node sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
# A lost one is not to come back by chance.
inside node sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0
check "servers start" servers
check "netfilter translates" rules
check "and has rules of others" other_rules
tables >"$WORK/tables.json"

DROPPED=$(queue_drops)
load_start "$WORK/in.json"
talk_start six '[fd00:96::20]:9100'
talk_start masqueraded 10.96.0.21:9000
check "netfilter has the load's connections" within 10 has_all_tracked
check "IPv6 by netfilter" talks six one
check "masqueraded by netfilter" talks masqueraded one
check "lbd becomes ready beside the rules" node_lbd --tables "$WORK/tables.json"
check "it has taken connections over" says_hundreds taken-over
check "and says which it has not" grep -q "event=left-to-netfilter connections=1 " "$LBD_LOG"
check "the doctor names the rules, and when they may go" doctor_says \
    '.about == "table inet kube-proxy" and .severity == "note"'
check "IPv6 goes on by lbd" talks six two
check "what netfilter masquerades goes on by netfilter" talks masqueraded two
check "netfilter soon knows none of lbd's any more" within 15 has_none_tracked 10.96.0.20
check "the rules go" no_rules
sleep 1
check "IPv6 goes on" talks six three
check "and so does what is masqueraded" talks masqueraded three
check "nothing is lost on the way in" nothing_is_lost "$WORK/in.json"
check "kubelet's own chain is no finding" fails doctor_says '.about | startswith("table ip ")'
check "the doctor has seen them go" fails doctor_says '.about == "table inet kube-proxy"'
kill "$TALKER"
check "the last one ends, and with it the takeover" \
    within 15 grep -q event=takeover-ended "$LBD_LOG"

check "rules that come back are the doctor's warning" doctor_warns
check "they go again" no_rules

lbd_kill KILL
check "lbd is to detach when it ends" node_lbd --tables "$WORK/tables.json" --detach-on-exit
DROPPED=$(queue_drops)
load_start "$WORK/out.json"
sleep 1
check "the rules are back" rules
check "IPv6 goes on by lbd" talks six four
talk_start ours 10.96.0.22:9000
check "what lbd masquerades" talks ours four
lbd_kill TERM
check "it has handed connections over" says_hundreds handed-over
check "IPv6 goes on by netfilter" talks six five
sleep 1
check "and so does what lbd has masqueraded" talks ours five
check "netfilter has them" has_all_tracked
check "nothing is lost on the way out" nothing_is_lost "$WORK/out.json"
finish
