/*
 * Step encapsulate, of the program of that name: a packet of a connection that is tunnelled, or an
 * ICMP error about one, goes to its backend's address in an outer header from an address of this
 * node's. Inside it is as it came but for a hop.
 *
 * It takes from the steps forward and answer. Ends with PASS_HOP_LIMIT, PASS_TOO_BIG (also where it
 * might be fragmented: nobody puts together what a tunnel carries), DROP_MASQUERADE (no address of
 * the node to send it from).
 */
#pragma once

#include "bpf/answer_header.h"
#include "bpf/instruction.h"
#include "bpf/masquerade_table.h"
#include "bpf/tag.h"
#include "bpf/tunnel.h"

#define OUTER_HOP_LIMIT 64

/* Another program has parsed it: here only where it lies and how far it may go. */
static __always_inline bool find_inner(struct packet *packet)
{
	const struct ipv6hdr *ipv6;
	const struct iphdr *ipv4;

	if (find_network(packet) != VERDICT_CONTINUE)
		return false;
	ipv6 = packet->network;
	ipv4 = packet->network;
	if ((void *)(ipv4 + 1) > packet->end)
		return false;
	packet->is_ipv6 = ((const __be16 *)packet->network)[-1] == bpf_htons(ETH_P_IPV6);
	if (!packet->is_ipv6) {
		packet->hop_limit = ipv4->ttl;
		return true;
	}
	if ((void *)(ipv6 + 1) > packet->end)
		return false;
	packet->hop_limit = ipv6->hop_limit;
	return true;
}

static __always_inline bool is_icmp(const struct packet *packet)
{
	return first_protocol(packet) == (packet->is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

/* As find_egress, with room for another header. */
static __always_inline enum verdict find_tunnel_egress(struct packet *packet)
{
	__u32 index = packet->hop.port;
	struct port *port = index ? bpf_map_lookup_elem(&ports, &index) : NULL;

	if (packet->hop_limit <= 1)
		return VERDICT_PASS_HOP_LIMIT;
	if (!port || !port->ifindex || (port->flags & HOOK_LEFT_TO_STACK))
		return VERDICT_CONTINUE;
	packet->egress = port;
	if (packet->bytes - frame_header(packet, true) + outer_length(packet->is_ipv6) > port->mtu)
		return VERDICT_PASS_TOO_BIG;
	choose_tags(packet, port);
	return VERDICT_CONTINUE;
}

/* What the outer header takes from the inner one, and from nobody. */
struct outer_header {
	struct address from;
	struct address to;
	__u32 first;  /* of IPv6 its first word, of IPv4 the type of service */
	__u32 length; /* of the inner packet */
	__u32 more;   /* bytes that the frame grows by */
	bool is_ipv6;
};

/* The inner packet is forwarded: it loses a hop (RFC 2003, 3.1; RFC 2473, 3.1). */
static __always_inline void take_from_inner(struct packet *packet, struct outer_header *outer)
{
	struct ipv6hdr *ipv6 = packet->network;
	struct iphdr *ipv4 = packet->network;

	if (!packet->is_ipv6) {
		outer->first = ipv4->tos;
		outer->length = bpf_ntohs(ipv4->tot_len);
		ipv4->ttl--;
		ipv4->check = checksum_update(ipv4->check, HOP_CHANGE);
		return;
	}
	if ((void *)(ipv6 + 1) > packet->end)
		return; /* VERIFIER: as in rewrite_ipv6 */
	outer->first = *(const __be32 *)ipv6;
	outer->length = sizeof(*ipv6) + bpf_ntohs(ipv6->payload_len);
	ipv6->hop_limit--;
}

/* ECN as RFC 6040 has it: both headers begin with the same. Not to be fragmented on its way. */
static __always_inline void write_outer_ipv4(struct iphdr *ip, const struct outer_header *outer)
{
	*(__be16 *)ip = bpf_htons(IPV4_PLAIN | (outer->first & 0xff));
	ip->tot_len = bpf_htons(sizeof(*ip) + outer->length);
	ip->id = 0; /* of what is never fragmented it means nothing (RFC 6864, 4) */
	ip->frag_off = IPV4_UNFRAGMENTED;
	ip->ttl = OUTER_HOP_LIMIT;
	ip->protocol = IPPROTO_IPIP;
	ip->check = 0;
	ip->saddr = outer->from.word[3];
	ip->daddr = outer->to.word[3];
	ip->check = ~checksum_fold((__u64)bpf_csum_diff(NULL, 0, (__be32 *)ip, sizeof(*ip), 0));
}

/* The flow label, too: routers choose among ways by it (RFC 6438). */
static __always_inline void write_outer_ipv6(struct ipv6hdr *ip, const struct outer_header *outer)
{
	*(__be32 *)ip = outer->first;
	ip->payload_len = bpf_htons((__u16)outer->length);
	ip->nexthdr = IPPROTO_IPV6;
	ip->hop_limit = OUTER_HOP_LIMIT;
	__builtin_memcpy(&ip->saddr, &outer->from, sizeof(ip->saddr));
	__builtin_memcpy(&ip->daddr, &outer->to, sizeof(ip->daddr));
}

/* The header goes before the packet, and its type before that. False: the frame ends too soon. */
static __always_inline bool write_outer(struct hook_context *ctx, union tags tags,
					const struct outer_header *outer)
{
	const void *end = (const void *)(long)ctx->data_end;
	/* VERIFIER: wants a bound, which the compiler would take for given. */
	__be16 *type =
		(void *)(long)ctx->data + bound_by_32(2 * ETH_ALEN + (__u64)tags_length(tags));
	struct ipv6hdr *ipv6 = (void *)(type + 1);
	struct iphdr *ipv4 = (void *)(type + 1);

	if ((const void *)(ipv4 + 1) > end)
		return false;
	*type = outer->is_ipv6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
	if (!outer->is_ipv6) {
		write_outer_ipv4(ipv4, outer);
		return true;
	}
	if ((const void *)(ipv6 + 1) > end)
		return false;
	write_outer_ipv6(ipv6, outer);
	return true;
}

/* False: there is no room before the frame, and it is of no use any more. */
static __always_inline bool encapsulate_packet(struct packet *packet, struct outer_header *outer)
{
	struct frame_head head = {.tags = packet->egress ? packet->out : packet->tags};

	copy_mac(head.destination, packet->egress ? packet->hop.mac : packet->ethernet->h_dest);
	copy_mac(head.source, packet->egress ? packet->egress->mac : packet->ethernet->h_source);
	take_from_inner(packet, outer);
	outer->is_ipv6 = packet->is_ipv6;
	head.more = (int)outer_length(packet->is_ipv6) + tags_length(head.tags) -
		    tags_length(packet->tags);
	return !write_frame_head(packet->ctx, &head) && write_outer(packet->ctx, head.tags, outer);
}

/* Its sender hears of an MTU that leaves room for the header; never of an ICMP error's. */
static __always_inline enum verdict refuse_inner(const struct packet *packet, enum verdict verdict,
						 bool is_error)
{
	if (verdict != VERDICT_PASS_TOO_BIG || is_error || !packet->egress)
		return verdict;
	return have_answered_with(packet, verdict,
				  packet->egress->mtu - outer_length(packet->is_ipv6));
}

static __always_inline enum verdict
encapsulate_for(struct packet *packet, const struct backend_record *backend, bool is_error)
{
	struct outer_header outer = {.to = backend->address};
	const struct address *from;
	enum verdict verdict;

	packet->hop = load_nexthop(bpf_map_lookup_elem(&nexthops, &backend->nexthop));
	verdict = find_tunnel_egress(packet);
	if (verdict != VERDICT_CONTINUE)
		return refuse_inner(packet, verdict, is_error);
	from = source_of(packet->hop.port, packet->is_ipv6);
	if (!from)
		from = source_of(0, packet->is_ipv6);
	if (!from)
		return VERDICT_DROP_MASQUERADE;
	outer.from = *from;
	if (!encapsulate_packet(packet, &outer))
		return VERDICT_DROP_MASQUERADE;
	return egress_verdict(packet);
}
