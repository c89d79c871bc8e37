#!/bin/bash
# What scanners and broken senders make (scapy), and what looks for a way and its MTU (tracepath,
# ping that may not be cut up): each gets what a host would answer or nothing, and everybody else is
# served on.
. "$(dirname "${BASH_SOURCE[0]}")/_init.sh"

# As nmap does. What a backend answers comes from the service; RFC 9293, 3.10.7.2: to an ACK a
# reset, to what is neither SYN nor ACK nor RST nothing.
scan() { # ADDRESS FLAGS WANTED
    inside client "$PYTHON" "$HERE/odd_packets.py" scan "$@"
}

send_oddities() {
    inside client "$PYTHON" "$HERE/odd_packets.py" flood \
        "$(inside node ip -j link show uplink0 | jq -r ".[].address")" 10.96.0.10 fd00:96::10
}

total() { # VERDICT…
    lbctl -o json stats | jq '[.verdicts[$ARGS.positional[]].packets // 0] | add' --args "$@"
}

# The service is the end of the way, whatever is asked for.
is_reached() { # ADDRESS
    inside client tracepath -n -p 33434 "$1" >"$WORK/way" 2>&1
    cat "$WORK/way"
    grep -q reached "$WORK/way" && grep -q 'pmtu 1500' "$WORK/way"
}

make_topology
# The client's own stack would reset what scapy asks for.
inside client sysctl -q net.ipv4.conf.all.rp_filter=0
check "lbd becomes ready" node_lbd
check "services over IPv4 and IPv6 are added" add_services
for address in 10.96.0.10 fd00:96::10; do
    check "a SYN to $address is answered" scan "$address" S SA
    check "an ACK is reset" scan "$address" A R
    check "a FIN gets nothing" scan "$address" F nothing
    check "no flags get nothing" scan "$address" none nothing
    check "a Christmas tree gets nothing" scan "$address" FPU nothing
    check "tracepath ends at $address" is_reached "$address"
    size=$((1500 - 28 - (${#address} > 10 ? 20 : 0)))
    check "so does the largest ping that may not be cut up" \
        inside client ping -n -c 1 -W 1 -M "do" -s "$size" "$address"
done
check "oddities are sent" send_oddities
check "malformed ones were seen as such" test "$(total pass-malformed)" -ge 20
check "martians were dropped" test "$(total drop-martian)" -ge 4
check "fragments that hide headers, too" test "$(total drop-fragment)" -ge 2
for name in client pod-a; do
    check "$name is served on" answers "$name" "$HTTP_SERVICE"
    check "over IPv6, too" answers "$name" "$HTTP_SERVICE6"
done
check "lbd answers" lbctl status
finish
