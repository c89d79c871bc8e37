/*
 * Step icmp: of a message that is about a packet of somebody else (an error), the flow: that of the
 * packet it quotes, reversed, because it goes where that packet came from. Whether the connection
 * is one of ours, the step connection tells. Reads, never writes.
 *
 * Ends with PASS_PROTOCOL (not an error, or not about TCP or UDP), PASS_MALFORMED (less is quoted
 * than the ports, or the error goes elsewhere than to the sender of what it quotes), PASS_FRAGMENT
 * (the quoted fragment has no ports), PASS_OTHER_HOST.
 */
#pragma once

#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include "bpf/client_hop.h"
#include "bpf/connection_table.h"
#include "bpf/maps.h"
#include "bpf/packet.h"
#include "include/verdict.h"

/*
 * Source quench and redirects are not: the one is obsolete (RFC 6633), the other speaks of a link
 * that its receiver is not on.
 */
static __always_inline bool is_error(const struct packet *packet, const struct icmp *icmp)
{
	if (packet->is_ipv6)
		return icmp->type >= ICMPV6_UNREACHABLE && icmp->type <= ICMPV6_PARAMETER_PROBLEM;
	return icmp->type == ICMPV4_UNREACHABLE || icmp->type == ICMPV4_TIME_EXCEEDED ||
	       icmp->type == ICMPV4_PARAMETER_PROBLEM;
}

/* The length that the quoted header states is that of the whole packet, and says nothing here. */
static __always_inline enum verdict read_ipv4_quote(struct packet *packet, struct quote *quote,
						    __u32 *length)
{
	const struct iphdr *ip = quote->network;
	__u32 header;

	if (*length < sizeof(*ip) || (void *)(ip + 1) > packet->end)
		return VERDICT_PASS_MALFORMED;
	header = ip->ihl * 4;
	if (ip->version != 4 || header < sizeof(*ip) || *length < header)
		return VERDICT_PASS_MALFORMED;
	if (ip->frag_off & IPV4_OFFSET)
		return VERDICT_PASS_FRAGMENT;
	*length -= header;
	quote->ports = quote->network + header;
	packet->flow.protocol = ip->protocol;
	packet->flow.src = map_ipv4(ip->daddr);
	packet->flow.dst = map_ipv4(ip->saddr);
	return VERDICT_CONTINUE;
}

static __always_inline enum verdict read_ipv6_quote(struct packet *packet, struct quote *quote,
						    __u32 *length)
{
	const struct ipv6hdr *ip = quote->network;

	if (*length < sizeof(*ip) || (void *)(ip + 1) > packet->end || ip->version != 6)
		return VERDICT_PASS_MALFORMED;
	*length -= sizeof(*ip);
	quote->ports = (void *)(ip + 1);
	packet->flow.protocol = ip->nexthdr;
	__builtin_memcpy(&packet->flow.src, &ip->daddr, sizeof(packet->flow.src));
	__builtin_memcpy(&packet->flow.dst, &ip->saddr, sizeof(packet->flow.dst));
	if (is_mapped(&packet->flow.src) || is_mapped(&packet->flow.dst))
		return VERDICT_PASS_MALFORMED;
	return ip->nexthdr == IPPROTO_FRAGMENT ? VERDICT_PASS_FRAGMENT : VERDICT_CONTINUE;
}

/* Eight bytes are always quoted (RFC 792): UDP's checksum is among them, TCP's is not. */
static __always_inline enum verdict read_quoted_ports(struct packet *packet, struct quote *quote,
						      __u32 length)
{
	struct udphdr *udp = quote->ports;
	struct tcphdr *tcp = (void *)udp;

	if (packet->flow.protocol != IPPROTO_TCP && packet->flow.protocol != IPPROTO_UDP &&
	    packet->flow.protocol != IPPROTO_SCTP)
		return VERDICT_PASS_PROTOCOL;
	if (length < sizeof(*udp) || (void *)(udp + 1) > packet->end)
		return VERDICT_PASS_MALFORMED;
	packet->flow.src_port = udp->dest;
	packet->flow.dst_port = udp->source;
	if (packet->flow.protocol == IPPROTO_UDP) {
		quote->checksum = &udp->check;
		return VERDICT_CONTINUE;
	}
	if (packet->flow.protocol == IPPROTO_SCTP || length < offsetof(struct tcphdr, urg_ptr))
		return VERDICT_CONTINUE;
	if ((void *)&tcp->urg_ptr > packet->end)
		return VERDICT_PASS_MALFORMED; /* in a later buffer, out of our reach */
	quote->checksum = &tcp->check;
	return VERDICT_CONTINUE;
}

/*
 * An error goes to the sender of the packet that it quotes. One that does not is none that our
 * packets have caused (nf_conntrack_inet_error in the kernel's nf_conntrack_proto_icmp.c).
 */
static __always_inline enum verdict read_error(struct packet *packet, struct quote *quote)
{
	const struct icmp *icmp = packet->transport;
	const struct address receiver = packet->flow.dst;
	__u32 length = packet->length - sizeof(*icmp);
	enum verdict verdict;
	__u16 in;

	if (!is_error(packet, icmp))
		return VERDICT_PASS_PROTOCOL;
	if (!is_for_us(packet, &in))
		return VERDICT_PASS_OTHER_HOST;
	quote->reporter = packet->flow.src;
	quote->network = (void *)(icmp + 1);
	verdict = packet->is_ipv6 ? read_ipv6_quote(packet, quote, &length)
				  : read_ipv4_quote(packet, quote, &length);
	if (verdict == VERDICT_CONTINUE)
		verdict = read_quoted_ports(packet, quote, length);
	if (verdict != VERDICT_CONTINUE)
		return verdict;
	return is_same_address(&receiver, &packet->flow.dst) ? VERDICT_CONTINUE
							     : VERDICT_PASS_MALFORMED;
}
