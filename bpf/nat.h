/*
 * Step nat: writes what was decided. Of a request the destination becomes the backend, of a reply
 * the source becomes the service, and where a pod is sent to itself (hairpin) the other end changes
 * too, because it would not take a packet from itself; checksums follow by difference (RFC 1624). A
 * packet we send ourselves also loses a hop and gets new MAC addresses; one left to the stack does
 * not, the stack will do that. Of an ICMP error the packet that it quotes is translated as well.
 *
 * Never ends a walk.
 */
#pragma once

#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include "bpf/knobs.h"
#include "bpf/packet.h"
#include "bpf/tag.h"
#include "include/checksum.h"

/* What the packet's destination becomes if it is a request, its source if it is a reply. */
static __always_inline const struct address *new_address(const struct packet *packet)
{
	return packet->direction == DIRECTION_REQUEST ? &packet->backend->address
						      : &packet->backend->service_address;
}

/* What a packet's translation adds to its checksums. */
static __always_inline struct checksum_change change_of(const struct packet *packet)
{
	struct checksum_change change = packet->direction == DIRECTION_REQUEST
						? packet->backend->request
						: packet->backend->reply;
	const struct address *source = hairpin_of(packet->is_ipv6);
	const struct flow *flow = &packet->flow;
	__u64 more;

	if (!packet->is_hairpin)
		return change;
	more = packet->direction == DIRECTION_REQUEST
		       ? checksum_replace_address(0, &flow->src, source)
		       : checksum_replace_address(0, source, &flow->src);
	change.addresses = checksum_fold(more + change.addresses);
	change.all = checksum_fold(more + change.all);
	return change;
}

static __always_inline void rewrite_ipv4(struct packet *packet, __u32 change)
{
	const bool request = packet->direction == DIRECTION_REQUEST;
	const __be32 to = new_address(packet)->word[3];
	struct iphdr *ip = packet->network;

	if (packet->is_hairpin && request)
		ip->saddr = hairpin.ipv4.word[3];
	else if (packet->is_hairpin)
		ip->daddr = ip->saddr;
	if (request)
		ip->daddr = to;
	else
		ip->saddr = to;
	ip->check = checksum_update(ip->check, change + (packet->egress ? HOP_CHANGE : 0));
	if (packet->egress)
		ip->ttl--;
}

static __always_inline void rewrite_ipv6(struct packet *packet)
{
	const bool request = packet->direction == DIRECTION_REQUEST;
	struct ipv6hdr *ip = packet->network;

	/* VERIFIER: does not know that is_ipv6 implies that parse has checked this (6.18). */
	if ((void *)(ip + 1) > packet->end)
		return;
	if (packet->is_hairpin && request)
		__builtin_memcpy(&ip->saddr, hairpin_of(true), sizeof(ip->saddr));
	else if (packet->is_hairpin)
		__builtin_memcpy(&ip->daddr, &packet->flow.src, sizeof(ip->daddr));
	__builtin_memcpy(request ? &ip->daddr : &ip->saddr, new_address(packet), sizeof(ip->saddr));
	if (packet->egress)
		ip->hop_limit--;
}

/* Ports and checksum; TCP's ports lie where UDP's do. */
static __always_inline void rewrite_transport(struct packet *packet,
					      const struct checksum_change *change)
{
	struct udphdr *ports = packet->transport;
	const __sum16 checksum = *packet->checksum;

	if (packet->direction == DIRECTION_REQUEST)
		ports->dest = packet->backend->port;
	else
		ports->source = packet->backend->service_port;
	rewrite_checksum(packet, checksum, change);
}

/* The client's port, which has an alias. What that adds to checksums. */
static __always_inline __u16 rewrite_client_port(struct packet *packet)
{
	struct udphdr *ports = packet->transport;
	__be16 *port = packet->direction == DIRECTION_REQUEST ? &ports->source : &ports->dest;
	const __be16 before = *port;

	*port = packet->other_port;
	return checksum_fold(checksum_replace(0, before, packet->other_port));
}

static __always_inline void translate_by(struct packet *packet, struct checksum_change change,
					 bool is_rare)
{
	if (is_rare && packet->other_port && packet->checksum)
		change.all = checksum_fold((__u64)change.all + rewrite_client_port(packet));
	if (!is_rare || packet->checksum)
		rewrite_transport(packet, &change);
	if (packet->is_ipv6)
		rewrite_ipv6(packet);
	else
		rewrite_ipv4(packet, change.addresses);
	if (!is_rare || packet->checksum)
		settle_checksum(packet, &change);
	address_frame(packet, is_rare);
}

static __always_inline void translate(struct packet *packet, bool is_rare)
{
	if (!packet->backend)
		return; /* VERIFIER: does not know that there is one (6.18) */
	translate_by(packet, change_of(packet), is_rare);
}

/* The client's address, of a request as its backend is to know it, of a reply its own again. */
static __always_inline void rewrite_client(struct packet *packet, const struct address *to)
{
	const bool request = packet->direction == DIRECTION_REQUEST;
	struct ipv6hdr *ipv6 = packet->network;
	struct iphdr *ipv4 = packet->network;

	if (packet->is_ipv6) {
		if ((void *)(ipv6 + 1) > packet->end)
			return; /* VERIFIER: as in rewrite_ipv6 */
		__builtin_memcpy(request ? &ipv6->saddr : &ipv6->daddr, to, sizeof(*to));
	} else if (request) {
		ipv4->saddr = to->word[3];
	} else {
		ipv4->daddr = to->word[3];
	}
}

/* Of a masqueraded connection, whose packets come the other way as `other`. */
static __always_inline void translate_masqueraded(struct packet *packet, const struct flow *other)
{
	const bool request = packet->direction == DIRECTION_REQUEST;
	const struct address *from = request ? &packet->flow.src : &packet->flow.dst;
	const struct address *to = request ? &other->dst : &other->src;
	struct checksum_change change;
	__u64 more;

	if (!packet->backend)
		return; /* VERIFIER: does not know that there is one (6.18) */
	change = change_of(packet);
	more = checksum_replace_address(0, from, to);
	change.addresses = checksum_fold(more + change.addresses);
	change.all = checksum_fold(more + change.all);
	packet->other_port = request ? other->dst_port : other->src_port;
	rewrite_client(packet, to);
	translate_by(packet, change, true);
}

/* What becomes of the addresses of an error's flow, and what that adds to checksums. */
struct ends {
	struct address src, dst;
	__u16 src_change, dst_change;
};

static __always_inline struct ends new_ends(const struct packet *packet, const struct quote *quote)
{
	const bool request = packet->direction == DIRECTION_REQUEST;
	const struct flow *flow = &packet->flow;
	struct ends ends = {.src = flow->src, .dst = flow->dst};

	if (packet->is_hairpin && request)
		ends.src = *hairpin_of(packet->is_ipv6);
	else if (packet->is_hairpin)
		ends.dst = flow->src;
	if (quote->other && request)
		ends.src = quote->other->dst;
	else if (quote->other)
		ends.dst = quote->other->src;
	if (request)
		ends.dst = packet->backend->address;
	else
		ends.src = packet->backend->service_address;
	ends.src_change = checksum_fold(checksum_replace_address(0, &flow->src, &ends.src));
	ends.dst_change = checksum_fold(checksum_replace_address(0, &flow->dst, &ends.dst));
	return ends;
}

/* Of the quoted packet, which goes the other way; these return what they add to ICMP's checksum. */
static __always_inline __u64 rewrite_quoted_ipv4(const struct quote *quote, const struct ends *ends)
{
	const __u32 change = ends->src_change + ends->dst_change;
	struct iphdr *ip = quote->network;
	const __sum16 before = ip->check;

	ip->saddr = ends->dst.word[3];
	ip->daddr = ends->src.word[3];
	ip->check = checksum_update(before, change);
	return checksum_replace(change, before, ip->check);
}

static __always_inline __u64 rewrite_quoted_ipv6(struct packet *packet, const struct quote *quote,
						 const struct ends *ends)
{
	struct ipv6hdr *ip = quote->network;

	if ((void *)(ip + 1) > packet->end)
		return 0; /* VERIFIER: as in rewrite_ipv6 */
	__builtin_memcpy(&ip->saddr, &ends->dst, sizeof(ip->saddr));
	__builtin_memcpy(&ip->daddr, &ends->src, sizeof(ip->daddr));
	return ends->src_change + ends->dst_change;
}

static __always_inline __u64 rewrite_quoted_ports(struct packet *packet, const struct quote *quote,
						  const struct ends *ends)
{
	const struct flow *flow = &packet->flow;
	const bool udp = flow->protocol == IPPROTO_UDP;
	__sum16 *checksum = quote->checksum, before;
	struct udphdr *ports = quote->ports;
	__u64 change;

	if (packet->direction == DIRECTION_REQUEST) {
		ports->source = packet->backend->port;
		ports->dest = packet->other_port ? packet->other_port : flow->src_port;
	} else {
		ports->source = packet->other_port ? packet->other_port : flow->dst_port;
		ports->dest = packet->backend->service_port;
	}
	change = checksum_replace(0, flow->dst_port, ports->source);
	change = checksum_replace(change, flow->src_port, ports->dest);
	if (!checksum || (udp && !*checksum))
		return change;
	before = *checksum;
	*checksum = checksum_update(before,
				    checksum_fold(change + ends->src_change + ends->dst_change));
	if (udp && !*checksum)
		*checksum = 0xffff;
	return checksum_replace(change, before, *checksum);
}

/*
 * The error itself: to whom the quoted packet came from, and from whom that was sent to, if it is
 * from there. A router between keeps its address, which tells where the way ends.
 */
static __always_inline void rewrite_error_ipv4(struct packet *packet, const struct quote *quote,
					       const struct ends *ends)
{
	const bool from_end = is_same_address(&quote->reporter, &packet->flow.src);
	__u32 change = ends->dst_change + (packet->egress ? HOP_CHANGE : 0);
	struct iphdr *ip = packet->network;

	ip->daddr = ends->dst.word[3];
	if (from_end) {
		ip->saddr = ends->src.word[3];
		change += ends->src_change;
	}
	ip->check = checksum_update(ip->check, checksum_fold(change));
	if (packet->egress)
		ip->ttl--;
}

/* ICMPv6 sums these addresses, too (RFC 4443, 2.3). */
static __always_inline __u64 rewrite_error_ipv6(struct packet *packet, const struct quote *quote,
						const struct ends *ends)
{
	const bool from_end = is_same_address(&quote->reporter, &packet->flow.src);
	struct ipv6hdr *ip = packet->network;

	if ((void *)(ip + 1) > packet->end)
		return 0; /* VERIFIER: as in rewrite_ipv6 */
	__builtin_memcpy(&ip->daddr, &ends->dst, sizeof(ip->daddr));
	if (from_end)
		__builtin_memcpy(&ip->saddr, &ends->src, sizeof(ip->saddr));
	if (packet->egress)
		ip->hop_limit--;
	return ends->dst_change + (from_end ? ends->src_change : 0);
}

/* An ICMP error: what it quotes becomes the packet that its receiver has sent. */
static __always_inline void translate_error(struct packet *packet, const struct quote *quote)
{
	struct ends ends;
	__u64 change;

	if (!packet->backend)
		return; /* VERIFIER: does not know that there is one (6.18) */
	ends = new_ends(packet, quote);
	change = rewrite_quoted_ports(packet, quote, &ends);
	if (packet->is_ipv6) {
		change += rewrite_quoted_ipv6(packet, quote, &ends);
		change += rewrite_error_ipv6(packet, quote, &ends);
	} else {
		change += rewrite_quoted_ipv4(quote, &ends);
		rewrite_error_ipv4(packet, quote, &ends);
	}
	*packet->checksum = checksum_update(*packet->checksum, checksum_fold(change));
	address_frame(packet, true);
}
