/*
 * What the packets that we answer with have in common: the way back to who sent the one that they
 * answer, a header of IP, the sums over it. The address that the packet was for is their source.
 */
#pragma once

#include <linux/ip.h>
#include <linux/ipv6.h>
#include "bpf/instruction.h"
#include "bpf/packet.h"
#include "include/checksum.h"

#define ANSWER_HOP_LIMIT 64
#define IPV4_PLAIN 0x4500     /* version, header length, type of service */
#define IPV6_PLAIN 0x60000000 /* version, traffic class, flow label */

/* The bit that says that the frame is for, or from, more than one (IEEE 802.3, 3.2.3). */
static __always_inline bool is_group(const __u8 *mac)
{
	return mac[0] & 1;
}

static __always_inline bool is_among_many(const struct packet *packet)
{
	return is_group(packet->ethernet->h_dest) || is_group(packet->ethernet->h_source);
}

/* What lies before the packet's IP header; it stays as it is but for the MAC addresses. */
static __always_inline __u64 link_length(const struct packet *packet)
{
	/* VERIFIER: wants a bound, which the compiler would take for given (6.18). */
	return bound_by_32(packet->network - (void *)packet->ethernet);
}

static __always_inline __u32 ip_length(const struct packet *packet)
{
	return packet->is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
}

static __always_inline void swap_macs(struct ethhdr *ethernet)
{
	struct ethhdr old;

	copy_mac(old.h_dest, ethernet->h_dest);
	copy_mac(ethernet->h_dest, ethernet->h_source);
	copy_mac(ethernet->h_source, old.h_dest);
}

/* What comes behind the header, `length` bytes of `protocol`; NULL where that does not fit. */
static __always_inline void *write_ipv4(const struct packet *packet, struct iphdr *ip,
					__u8 protocol, __u16 length)
{
	if ((void *)(ip + 1) > (void *)(long)packet->ctx->data_end)
		return NULL;
	*(__be16 *)ip = bpf_htons(IPV4_PLAIN);
	ip->tot_len = bpf_htons(sizeof(*ip) + length);
	ip->id = 0;
	ip->frag_off = IPV4_UNFRAGMENTED;
	ip->ttl = ANSWER_HOP_LIMIT;
	ip->protocol = protocol;
	ip->check = 0;
	ip->saddr = packet->flow.dst.word[3];
	ip->daddr = packet->flow.src.word[3];
	ip->check = ~checksum_fold((__u64)bpf_csum_diff(NULL, 0, (__be32 *)ip, sizeof(*ip), 0));
	return ip + 1;
}

static __always_inline void *write_ipv6(const struct packet *packet, struct ipv6hdr *ip,
					__u8 protocol, __u16 length)
{
	if ((void *)(ip + 1) > (void *)(long)packet->ctx->data_end)
		return NULL;
	*(__be32 *)ip = bpf_htonl(IPV6_PLAIN);
	ip->payload_len = bpf_htons(length);
	ip->nexthdr = protocol;
	ip->hop_limit = ANSWER_HOP_LIMIT;
	__builtin_memcpy(&ip->saddr, &packet->flow.dst, sizeof(ip->saddr));
	__builtin_memcpy(&ip->daddr, &packet->flow.src, sizeof(ip->daddr));
	return ip + 1;
}

static __always_inline void *write_ip(const struct packet *packet, void *ip, __u8 protocol,
				      __u16 length)
{
	return packet->is_ipv6 ? write_ipv6(packet, ip, protocol, length)
			       : write_ipv4(packet, ip, protocol, length);
}

/* Of the answer, not folded. What maps IPv4 addresses is 0xffff, which adds nothing, and zeros. */
static __always_inline __u32 sum_pseudo_header(struct packet *packet, __u8 protocol, __u16 length)
{
	const __u32 rest = bpf_htons(protocol) + bpf_htons(length);

	return (__u32)bpf_csum_diff(NULL, 0, packet->flow.src.word, 2 * sizeof(struct address),
				    rest);
}
