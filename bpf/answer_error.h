/*
 * Makes of a packet the ICMP error that answers it (RFC 792; RFC 4443, 3): as much of it as may be
 * quoted stays where it is, new headers go before it. Whether there is to be one is asked in
 * bpf/answer.h.
 *
 * Of a frame in several buffers only what lies in the first can be quoted.
 */
#pragma once

#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include "bpf/answer_header.h"
#include "bpf/packet.h"

/* Of the whole error, from its IP header on: RFC 1812, 4.3.2.3; RFC 4443, 2.4 (c). */
#define IPV4_ERROR_MAX 576
#define IPV6_ERROR_MAX 1280

#define SUM_CHUNK 64 /* bytes */
#define SUM_CHUNKS (IPV6_ERROR_MAX / SUM_CHUNK)

struct icmp_kind {
	__u8 type;
	__u8 code;
	__be32 rest;
};

static __always_inline __u32 min(__u32 a, __u32 b)
{
	return a < b ? a : b;
}

/* Bytes of the packet, from its IP header on, that fit behind `before` bytes of headers. */
static __always_inline __u32 quote_length(const struct packet *packet, __u32 before)
{
	const struct iphdr *ipv4 = packet->network;
	const struct ipv6hdr *ipv6 = packet->network;
	const __u32 linear = (__u32)(packet->end - packet->network);
	const __u32 room = (packet->is_ipv6 ? IPV6_ERROR_MAX : IPV4_ERROR_MAX) - before;

	if (!packet->is_ipv6)
		return min(min(linear, room), bpf_ntohs(ipv4->tot_len));
	if ((void *)(ipv6 + 1) > packet->end)
		return 0; /* VERIFIER: as in rewrite_ipv6 */
	return min(min(linear, room), sizeof(*ipv6) + bpf_ntohs(ipv6->payload_len));
}

/* Of an odd number of bytes the last counts as the first half of a word (RFC 1071, 4.1). */
static __always_inline __u64 sum_rest(const void *at, const void *end, __u64 sum)
{
	for (int i = 0; i < SUM_CHUNK / 2 && at + 2 <= end; i++, at += 2)
		sum += *(const __u16 *)at;
	if (at + 1 <= end)
		sum += bpf_htons(*(const __u8 *)at << 8);
	return sum;
}

/* Of all that is left of the frame. */
static __always_inline __u64 sum_to_end(void *at, const void *end, __u32 sum)
{
	for (int i = 0; i < SUM_CHUNKS && at + SUM_CHUNK <= end; i++, at += SUM_CHUNK)
		sum = (__u32)bpf_csum_diff(NULL, 0, at, SUM_CHUNK, sum);
	return sum_rest(at, end, sum);
}

/* False: there is no room for it, and the packet is of no use any more. */
static __always_inline bool write_error(struct packet *packet, const struct icmp_kind *kind)
{
	const __u64 link = link_length(packet);
	const __u32 before = ip_length(packet) + sizeof(struct icmp);
	const __u32 quote = quote_length(packet, before);
	const __u8 protocol = packet->is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	struct icmp *icmp;
	void *end;
	__u32 sum;

	if (!cut_frame(packet, link + quote))
		return false;
	/* A cut leaves the first buffer where it is. */
	packet->ethernet = (void *)(long)packet->ctx->data;
	packet->end = (void *)(long)packet->ctx->data_end;
	if (!move_head(packet, -(int)before))
		return false;
	icmp = write_ip(packet, (void *)(long)packet->ctx->data + link, protocol,
			sizeof(*icmp) + quote);
	end = (void *)(long)packet->ctx->data_end;
	if (!icmp || (void *)(icmp + 1) > end)
		return false;
	*icmp = (struct icmp){.type = kind->type, .code = kind->code, .rest = kind->rest};
	sum = packet->is_ipv6 ? sum_pseudo_header(packet, protocol, sizeof(*icmp) + quote) : 0;
	icmp->checksum = ~checksum_fold(sum_to_end(icmp, end, sum));
	return true;
}
