/*
 * Step parse: bytes to facts. Ethernet, IPv4 with options, IPv6, TCP, UDP, and of ICMP the first
 * eight bytes. What is rare (VLAN tags, IPv6 extension headers, fragments, SCTP) is read by a
 * program of its own, so that others pay nothing for it. Reads, never writes.
 *
 * Ends with PASS_PROTOCOL (not ours to look at), PASS_MALFORMED (headers cut short, or lengths that
 * contradict each other; of fragments the step fragment has the last word), PASS_FRAGMENT (of
 * ICMP).
 */
#pragma once

#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include "bpf/maps.h"
#include "bpf/packet.h"
#include "bpf/part.h"
#include "bpf/tag.h"
#include "include/verdict.h"

#define TCP_FLAGS_OFFSET 13
#define TCP_DOFF_MIN 5 /* 32-bit words (RFC 9293, 3.1) */

#define MAX_EXTENSIONS 6 /* headers: more than any sender has a use for */

/* Of IPv4 and IPv6 alike: is a packet of this protocol for this program, or for another one? */
static __always_inline enum verdict sort_protocol(const struct packet *packet, __u8 protocol,
						  __u8 icmp)
{
	if (packet->is_icmp)
		return protocol == icmp ? VERDICT_CONTINUE : VERDICT_PASS_PROTOCOL;
	if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP)
		return VERDICT_CONTINUE;
	if (protocol == icmp)
		return part(packet, PROGRAM_ICMP);
	if (!packet->is_rare)
		return part(packet, PROGRAM_RARE);
	return protocol == IPPROTO_SCTP ? VERDICT_CONTINUE : VERDICT_PASS_PROTOCOL;
}

/*
 * Fragments are read where what is rare is; of ICMP they are the stack's. VERIFIER: by arithmetic
 * alone, so that a whole packet and a fragment are one case for all that follows.
 */
static __always_inline enum verdict read_ipv4_fragment(struct packet *packet,
						       const struct iphdr *ip)
{
	const __u16 word = bpf_ntohs(ip->frag_off);

	if (!packet->is_rare && (ip->frag_off & IPV4_FRAGMENT))
		return packet->is_icmp ? VERDICT_PASS_FRAGMENT : part(packet, PROGRAM_RARE);
	if (packet->is_rare) {
		packet->fragment = word << 3 | (word >> 13 & FRAGMENT_MORE);
		packet->identification = ip->id;
	}
	return VERDICT_CONTINUE;
}

/* *length: the bytes that IP says follow its header; more may lie there, that is padding. */
static __always_inline enum verdict parse_ipv4(struct packet *packet, __u32 *length)
{
	struct iphdr *ip = packet->network;
	enum verdict verdict;
	__u32 header, total;

	if ((void *)(ip + 1) > packet->end)
		return VERDICT_PASS_MALFORMED;
	header = ip->ihl * 4;
	total = bpf_ntohs(ip->tot_len);
	if (ip->version != 4 || header < sizeof(*ip) || total < header ||
	    !has_bytes(packet, frame_header(packet, knows_rare(packet)) + total))
		return VERDICT_PASS_MALFORMED;
	verdict = sort_protocol(packet, ip->protocol, IPPROTO_ICMP);
	if (verdict != VERDICT_CONTINUE) {
		if (packet->is_rare)
			packet->flow.dst = map_ipv4(ip->daddr); /* of any protocol */
		return verdict;
	}
	verdict = read_ipv4_fragment(packet, ip);
	if (verdict != VERDICT_CONTINUE)
		return verdict;
	*length = total - header;
	packet->transport = packet->network + header;
	packet->hop_limit = ip->ttl;
	packet->flow.protocol = ip->protocol;
	packet->flow.src = map_ipv4(ip->saddr);
	packet->flow.dst = map_ipv4(ip->daddr);
	return VERDICT_CONTINUE;
}

/*
 * Those that leave open where the packet goes and what it carries. Authentication (51) does not:
 * it signs the addresses.
 */
static __always_inline bool is_extension(__u8 protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING ||
	       protocol == IPPROTO_DSTOPTS || protocol == IPPROTO_FRAGMENT;
}

/* Where the extension headers of a packet have led to, at first those of none. */
struct extensions {
	__u32 offset; /* of what follows, in the frame */
	__u32 length; /* of that, as IP says */
	__u32 protocol;
	__u32 fragment; /* as in struct packet, and: */
	__be32 identification;
};

/*
 * A fragment header (RFC 8200, 4.5). One for a packet in one piece ("atomic", RFC 6946) makes no
 * fragment of it.
 */
static __always_inline enum verdict read_fragment_header(const __u8 *header,
							 struct extensions *extensions)
{
	if (extensions->fragment)
		return VERDICT_PASS_MALFORMED; /* of a fragment: nobody sends such */
	extensions->fragment =
		bpf_ntohs(*(const __be16 *)(header + 2)) & (FRAGMENT_OFFSET | FRAGMENT_MORE);
	extensions->identification = *(const __be32 *)(header + 4);
	return VERDICT_CONTINUE;
}

/*
 * Of any but that: a length in eight bytes beyond the first eight (RFC 8200, 4), of a routing
 * header then its kind and the segments left. While there are some, the packet is on its way to
 * others than its destination.
 */
static __always_inline enum verdict
read_extension(const __u8 *header, const struct extensions *extensions, __u32 *bytes)
{
	if (extensions->protocol == IPPROTO_ROUTING && header[3])
		return VERDICT_PASS_PROTOCOL;
	*bytes = (header[1] + 1u) * 8;
	return *bytes > extensions->length ? VERDICT_PASS_MALFORMED : VERDICT_CONTINUE;
}

/* Passes over one: it begins with what follows it. */
static __always_inline enum verdict skip_extension(const struct hook_context *ctx,
						   struct extensions *extensions)
{
	const void *end = (const void *)(long)ctx->data_end;
	const __u8 *header = (const void *)(long)ctx->data;
	enum verdict verdict;
	__u32 bytes = 8;

	if (extensions->offset > MAX_HEADER_OFFSET)
		return VERDICT_PASS_MALFORMED;
	header += extensions->offset;
	if (extensions->length < 8 || (const void *)(header + 8) > end)
		return VERDICT_PASS_MALFORMED;
	verdict = extensions->protocol == IPPROTO_FRAGMENT
			  ? read_fragment_header(header, extensions)
			  : read_extension(header, extensions, &bytes);
	if (verdict != VERDICT_CONTINUE)
		return verdict;
	extensions->protocol = header[0];
	extensions->offset += bytes;
	extensions->length -= bytes;
	return VERDICT_CONTINUE;
}

/*
 * Of a fragment after the first its own header is the last. A global function: verified once.
 * Inlined, what follows would be verified anew for each number of headers.
 */
__noinline int skip_extensions(struct hook_context *ctx, struct extensions *extensions)
{
	enum verdict verdict = VERDICT_CONTINUE;

	if (!extensions)
		return VERDICT_PASS_MALFORMED; /* VERIFIER: its pointers may be NULL */
	for (int i = 0; i < MAX_EXTENSIONS && is_extension((__u8)extensions->protocol); i++) {
		if (extensions->fragment & FRAGMENT_OFFSET)
			break;
		verdict = skip_extension(ctx, extensions);
		if (verdict != VERDICT_CONTINUE)
			break;
	}
	return verdict;
}

static __always_inline enum verdict find_transport(struct packet *packet, __u32 *length)
{
	struct extensions extensions = {
		.offset = packet->transport - (void *)packet->ethernet,
		.length = *length,
		.protocol = packet->flow.protocol,
	};
	const bool is_rare = packet->is_rare, is_icmp = packet->is_icmp;
	const enum verdict verdict = skip_extensions(packet->ctx, &extensions);

	/* The compiler does not know that the call leaves them alone, and would ask them again. */
	packet->is_rare = is_rare;
	packet->is_icmp = is_icmp;
	if (extensions.fragment && is_icmp)
		return VERDICT_PASS_FRAGMENT;
	packet->fragment = extensions.fragment;
	packet->identification = extensions.identification;
	/* VERIFIER: does not know what a global function may return. */
	if (verdict == VERDICT_PASS_MALFORMED || extensions.offset > MAX_HEADER_OFFSET)
		return VERDICT_PASS_MALFORMED;
	if (verdict != VERDICT_CONTINUE)
		return VERDICT_PASS_PROTOCOL;
	packet->transport = (void *)packet->ethernet + extensions.offset;
	packet->flow.protocol = (__u8)extensions.protocol;
	*length = extensions.length;
	return VERDICT_CONTINUE;
}

static __always_inline void copy_ipv6_addresses(struct packet *packet, const struct ipv6hdr *ip)
{
	__builtin_memcpy(&packet->flow.src, &ip->saddr, sizeof(packet->flow.src));
	__builtin_memcpy(&packet->flow.dst, &ip->daddr, sizeof(packet->flow.dst));
}

static __always_inline enum verdict parse_ipv6(struct packet *packet, __u32 *length)
{
	struct ipv6hdr *ip = packet->network;
	enum verdict verdict = VERDICT_CONTINUE;
	__u32 header;

	if ((void *)(ip + 1) > packet->end)
		return VERDICT_PASS_MALFORMED;
	*length = bpf_ntohs(ip->payload_len);
	header = frame_header(packet, knows_rare(packet)) + sizeof(*ip);
	if (ip->version != 6 || !has_bytes(packet, header + *length))
		return VERDICT_PASS_MALFORMED;
	packet->is_ipv6 = true;
	packet->transport = ip + 1;
	packet->hop_limit = ip->hop_limit;
	packet->flow.protocol = ip->nexthdr;
	if (knows_rare(packet))
		verdict = find_transport(packet, length);
	/* Of fragments that begin with an extension header the first alone says what else it is. */
	if (verdict == VERDICT_CONTINUE &&
	    !(packet->is_rare && is_later_fragment(packet) && is_extension(packet->flow.protocol)))
		verdict = sort_protocol(packet, packet->flow.protocol, IPPROTO_ICMPV6);
	if (verdict != VERDICT_CONTINUE && !packet->is_rare)
		return verdict; /* fragments are asked for theirs, whatever is wrong with them */
	copy_ipv6_addresses(packet, ip);
	if (is_mapped(&packet->flow.src) || is_mapped(&packet->flow.dst)) {
		packet->fragment = 0; /* nor of IPv4 */
		return VERDICT_PASS_MALFORMED;
	}
	if (packet->is_rare) {
		/* VERIFIER: to forget what it has learnt of them, which would be many cases. */
		asm volatile("" ::: "memory");
		copy_ipv6_addresses(packet, ip);
	}
	return verdict;
}

/*
 * Ports, verification tag and CRC32c (RFC 9260, 3.1). The sum covers no address, and a service's
 * port is its backends': nothing of it is ever written.
 */
static __always_inline enum verdict parse_sctp(struct packet *packet, __u32 length)
{
	const struct sctp_header *sctp = packet->transport;

	if (length < sizeof(*sctp) || (const void *)(sctp + 1) > packet->end)
		return VERDICT_PASS_MALFORMED;
	packet->flow.src_port = sctp->source;
	packet->flow.dst_port = sctp->dest;
	return VERDICT_CONTINUE;
}

static __always_inline enum verdict parse_ports(struct packet *packet, __u32 length)
{
	struct udphdr *udp = packet->transport;
	struct tcphdr *tcp = packet->transport;

	if (packet->is_rare && packet->flow.protocol == IPPROTO_SCTP)
		return parse_sctp(packet, length);
	if (length < sizeof(*udp) || (void *)(udp + 1) > packet->end)
		return VERDICT_PASS_MALFORMED;
	packet->flow.src_port = udp->source;
	packet->flow.dst_port = udp->dest;
	packet->checksum = &udp->check;
	if (packet->flow.protocol == IPPROTO_UDP)
		return VERDICT_CONTINUE;
	if (length < sizeof(*tcp) || (void *)(tcp + 1) > packet->end || tcp->doff < TCP_DOFF_MIN)
		return VERDICT_PASS_MALFORMED;
	if (packet->is_rare)
		packet->length = length;
	packet->checksum = &tcp->check;
	packet->tcp_flags = ((const __u8 *)tcp)[TCP_FLAGS_OFFSET];
	return VERDICT_CONTINUE;
}

static __always_inline enum verdict parse_icmp(struct packet *packet, __u32 length)
{
	struct icmp *icmp = packet->transport;

	if (length < sizeof(*icmp) || (void *)(icmp + 1) > packet->end)
		return VERDICT_PASS_MALFORMED;
	packet->length = length;
	packet->checksum = &icmp->checksum;
	return VERDICT_CONTINUE;
}

/* Where the network header begins: behind MAC addresses, tags and the ethertype. */
static __always_inline enum verdict find_network(struct packet *packet)
{
	struct ethhdr *ethernet = packet->ethernet;

	if ((void *)(ethernet + 1) > packet->end)
		return VERDICT_PASS_MALFORMED;
	packet->network = ethernet + 1;
	if (!knows_rare(packet))
		return VERDICT_CONTINUE;
	packet->tags.word = read_tags(packet->ctx);
	packet->network += tags_length(packet->tags);
	return packet->network > packet->end ? VERDICT_PASS_MALFORMED : VERDICT_CONTINUE;
}

/* Of a frame that carries neither version of IP: a tag is one too many, or cut short. */
static __always_inline enum verdict sort_ethertype(const struct packet *packet, __be16 ethertype)
{
	if (!is_tag(ethertype))
		return VERDICT_PASS_PROTOCOL;
	if (!knows_rare(packet))
		return part(packet, PROGRAM_RARE);
	return packet->tags.tag[1].type ? VERDICT_PASS_PROTOCOL : VERDICT_PASS_MALFORMED;
}

/* Of a packet whose network header is found, of this kind. */
static __always_inline enum verdict parse_network(struct packet *packet, __be16 ethertype)
{
	enum verdict verdict;
	__u32 length;

	if (ethertype == bpf_htons(ETH_P_IP))
		verdict = parse_ipv4(packet, &length);
	else if (ethertype == bpf_htons(ETH_P_IPV6))
		verdict = parse_ipv6(packet, &length);
	else
		verdict = sort_ethertype(packet, ethertype);
	if (verdict != VERDICT_CONTINUE && !packet->is_rare)
		packet->bytes = frame_length(packet->ctx); /* no length was read */
	if (verdict != VERDICT_CONTINUE || (packet->is_rare && is_later_fragment(packet)))
		return verdict;
	return packet->is_icmp ? parse_icmp(packet, length) : parse_ports(packet, length);
}

static __always_inline enum verdict parse(struct packet *packet)
{
	const enum verdict verdict = find_network(packet);

	if (verdict != VERDICT_CONTINUE)
		return verdict;
	/* Right before the network header. struct ethhdr is packed: read a byte at a time. */
	return parse_network(packet, ((const __be16 *)packet->network)[-1]);
}
