/*
 * Step echo: an echo request (ping) to an address of services is answered by us, since no host has
 * that address. What comes back is what was sent (RFC 792; RFC 4443, 4.2), without IPv4 options and
 * extension headers.
 *
 * Ends with ANSWER_ECHO.
 */
#pragma once

#include <linux/in.h>
#include "bpf/address.h"
#include "bpf/answer_header.h"
#include "bpf/client_hop.h"
#include "bpf/packet.h"
#include "bpf/source.h"
#include "include/checksum.h"
#include "include/verdict.h"

static __always_inline bool is_echo(const struct packet *packet)
{
	const struct icmp *icmp = packet->transport;

	return icmp->type == (packet->is_ipv6 ? ICMPV6_ECHO : ICMPV4_ECHO);
}

/* Not what may have come from many or gone to many (RFC 1122, 3.2.2.6). */
static __always_inline enum verdict find_echo(const struct packet *packet)
{
	__u16 in;

	if (!is_echo(packet) || !may_be_virtual(&packet->flow.dst) ||
	    !is_virtual(&packet->flow.dst))
		return VERDICT_CONTINUE;
	if (!is_for_us(packet, &in) || is_martian(&packet->flow.src, packet->is_ipv6) ||
	    is_among_many(packet))
		return VERDICT_CONTINUE;
	return VERDICT_ANSWER_ECHO;
}

/* The type becomes another: a wrong checksum stays wrong. */
static __always_inline void become_reply(struct icmp *icmp, __u8 type)
{
	__u16 *word = (__u16 *)icmp;
	const __u16 before = *word;

	icmp->type = type;
	icmp->checksum =
		checksum_update(icmp->checksum, checksum_fold(checksum_replace(0, before, *word)));
}

/* False: it cannot be written, and the packet is of no use any more. */
static __always_inline bool write_echo(struct packet *packet)
{
	const __u64 link = link_length(packet);
	const __u32 offset = packet->transport - (void *)packet->ethernet;
	struct icmp *icmp;

	if (!cut_frame(packet, offset + packet->length))
		return false;
	/* A cut leaves the first buffer where it is. */
	packet->ethernet = (void *)(long)packet->ctx->data;
	packet->end = (void *)(long)packet->ctx->data_end;
	if (!move_head(packet, offset - link - ip_length(packet)))
		return false;
	icmp = write_ip(packet, (void *)(long)packet->ctx->data + link,
			packet->is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, packet->length);
	if (!icmp || (void *)(icmp + 1) > (void *)(long)packet->ctx->data_end)
		return false;
	become_reply(icmp, packet->is_ipv6 ? ICMPV6_ECHO_REPLY : ICMPV4_ECHO_REPLY);
	return true;
}
