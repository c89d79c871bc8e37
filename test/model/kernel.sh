#!/bin/bash
# Makes the kernel forward between uplink and pod, with services and pods to be filled in by
# kernel.c, in the network namespace that it is called in.
#
# kernel.sh MTU MARKER_PORT

set -e

# Conntrack is not to judge what a load balancer does not: neither windows, nor what came before,
# nor checksums. The peers are no part of the node, they only carry frames.
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
    net.ipv4.conf.{all,default,uplink,pod}.rp_filter=0 \
    net.ipv4.conf.{all,uplink,pod}.send_redirects=0 net.ipv6.conf.{uplink,pod}.accept_ra=0 \
    net.ipv6.conf.{uplink,pod}_peer.disable_ipv6=1 \
    net.netfilter.nf_conntrack_{tcp_be_liberal,tcp_loose,tcp_ignore_invalid_rst}=1 \
    net.netfilter.nf_conntrack_{checksum,log_invalid}=0
for link in {uplink,pod}{,_peer}; do
    ip link set "$link" mtu "$1"
    ethtool -K "$link" gro off gso off tso off
done

# What is not translated does not leave, nor is it remembered; what conntrack calls invalid leaves
# as it came, so that it can be told from that. Of the node's own answers none leaves.
nft -f - <<END
table inet oracle {
    map tcp_ip { type ipv4_addr . inet_service : ipv4_addr . inet_service; }
    map udp_ip { type ipv4_addr . inet_service : ipv4_addr . inet_service; }
    map tcp_ip6 { type ipv6_addr . inet_service : ipv6_addr . inet_service; }
    map udp_ip6 { type ipv6_addr . inet_service : ipv6_addr . inet_service; }
    map hairpin_ip { type ipv4_addr . ipv4_addr : ipv4_addr; }
    map hairpin_ip6 { type ipv6_addr . ipv6_addr : ipv6_addr; }
    chain markers {
        type filter hook prerouting priority raw
        udp dport $2 notrack
    }
    chain services {
        type nat hook prerouting priority dstnat
        dnat ip to ip daddr . tcp dport map @tcp_ip
        dnat ip to ip daddr . udp dport map @udp_ip
        dnat ip6 to ip6 daddr . tcp dport map @tcp_ip6
        dnat ip6 to ip6 daddr . udp dport map @udp_ip6
    }
    chain hairpins {
        type nat hook postrouting priority srcnat
        snat ip to ip saddr . ip daddr map @hairpin_ip
        snat ip6 to ip6 saddr . ip6 daddr map @hairpin_ip6
    }
    chain forwarded {
        type filter hook forward priority filter; policy drop
        udp dport $2 accept
        ct status dnat accept
        ct state invalid accept
    }
    chain said_by_the_node {
        type filter hook output priority filter; policy drop
    }
}
END
