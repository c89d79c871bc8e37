/*
 * Step answer: the sender of a packet that was refused hears of it, at once and from us: a reset of
 * TCP, else an ICMP error. It runs in a program of its own, to which others come when they
 * have refused a packet, and which parses it again: the packet is as it was sent.
 *
 * Ends with ANSWER_RESET, ANSWER_UNREACHABLE, ANSWER_TOO_BIG; with DROP_RATE_LIMITED, where enough
 * errors were sent; with PASS_NO_SERVICE, PASS_OTHER_HOST, DROP_MARTIAN, where it was not ours to
 * refuse; and with why the packet was refused, where nobody is to be answered.
 */
#pragma once

#include <linux/in.h>
#include "bpf/address.h"
#include "bpf/client_hop.h"
#include "bpf/connection_table.h"
#include "bpf/knobs.h"
#include "bpf/maps.h"
#include "bpf/packet.h"
#include "bpf/source.h"
#include "include/connection.h"
#include "include/verdict.h"

#define ICMPV4_PORT_UNREACHABLE 3 /* codes */
#define ICMPV4_FRAGMENTATION_NEEDED 4
#define ICMPV6_PORT_UNREACHABLE 4

/* Verdicts that the sender may have to hear of. */
static __always_inline bool may_be_answered(enum verdict verdict)
{
	return (verdict == VERDICT_DROP_NO_BACKEND && answer_refused) ||
	       verdict == VERDICT_PASS_TOO_BIG;
}

/* Ends the walk in the program that answers, where there is one. `mtu`: as in struct refused. */
static __always_inline enum verdict have_answered_with(const struct packet *packet,
						       enum verdict verdict, __u32 mtu)
{
	const __u32 first = 0;
	struct refused *why;

	why = bpf_map_lookup_elem(&refused, &first);
	if (!why)
		return verdict;
	*why = (struct refused){
		.verdict = verdict,
		.service = packet->service,
		.backend = packet->backend ? packet->backend->handle : 0,
		.mtu = mtu,
		.direction = packet->direction,
		.is_new = packet->is_new,
	};
	bpf_tail_call(packet->ctx, &programs, PROGRAM_ANSWER);
	return verdict;
}

static __always_inline enum verdict have_answered(const struct packet *packet, enum verdict verdict)
{
	return have_answered_with(packet, verdict, packet->egress ? packet->egress->mtu : 0);
}

/* Ends the walk: there where there is something to answer. */
static __always_inline enum verdict refuse(const struct packet *packet, enum verdict verdict)
{
	return may_be_answered(verdict) ? have_answered(packet, verdict) : verdict;
}

/*
 * A packet of no service and no connection may still be for the address of services. The filter
 * says so of few others, and the program that answers knows.
 */
static __always_inline void part_with_stray(const struct packet *packet)
{
	if (may_be_virtual(&packet->flow.dst))
		have_answered(packet, VERDICT_DROP_NOT_SERVED);
}

/* Of another protocol than services have: nobody else has the address either. */
static __always_inline enum verdict refuse_protocol(const struct packet *packet)
{
	__u16 in;

	if (may_be_virtual(&packet->flow.dst) && is_virtual(&packet->flow.dst) &&
	    is_for_us(packet, &in))
		return VERDICT_DROP_NOT_SERVED;
	return VERDICT_PASS_PROTOCOL;
}

/* What counts the packet. */
static __always_inline void recall(struct packet *packet, const struct refused *why)
{
	packet->service = why->service;
	packet->backend = why->backend ? backend_of(why->backend) : NULL;
	packet->direction = why->direction;
	packet->is_new = why->is_new;
}

static __always_inline bool is_answer(enum verdict verdict)
{
	return verdict == VERDICT_ANSWER_RESET || verdict == VERDICT_ANSWER_UNREACHABLE ||
	       verdict == VERDICT_ANSWER_TOO_BIG;
}

/* One more error of this CPU, if it may still send one in this second. */
static __always_inline bool spend_error(void)
{
	const __u32 first = 0, now = (__u32)bpf_jiffies64();
	struct error_budget *budget = bpf_map_lookup_elem(&error_budget, &first);

	if (!budget || !icmp_errors)
		return budget;
	if (now - budget->since >= refresh_interval) {
		budget->since = now;
		budget->sent = 0;
	}
	if (budget->sent >= icmp_errors)
		return false;
	budget->sent++;
	return true;
}

/*
 * What becomes of a packet that was refused because of `why`. A reset is never answered (RFC 9293,
 * 3.10.7.1), nor what may have come from many or gone to many, nor a fragment but the first (RFC
 * 1122, 3.2.2).
 */
static __always_inline enum verdict judge(const struct packet *packet, enum verdict why)
{
	__u16 in;

	if (why == VERDICT_DROP_NOT_SERVED && !is_virtual(&packet->flow.dst))
		return VERDICT_PASS_NO_SERVICE;
	if (!is_for_us(packet, &in))
		return VERDICT_PASS_OTHER_HOST;
	if (is_martian(&packet->flow.src, packet->is_ipv6))
		return VERDICT_DROP_MARTIAN;
	if (why == VERDICT_DROP_NOT_SERVED && !answer_refused)
		return why;
	if (is_later_fragment(packet))
		return VERDICT_DROP_FRAGMENT;
	if (is_among_many(packet))
		return why;
	if (why == VERDICT_PASS_TOO_BIG)
		return spend_error() ? VERDICT_ANSWER_TOO_BIG : VERDICT_DROP_RATE_LIMITED;
	if (packet->flow.protocol == IPPROTO_TCP)
		return packet->tcp_flags & TCP_RST ? why : VERDICT_ANSWER_RESET;
	return spend_error() ? VERDICT_ANSWER_UNREACHABLE : VERDICT_DROP_RATE_LIMITED;
}

/* RFC 1191, 4: IPv4 has the MTU in the lower half of the word. */
static __always_inline struct icmp_kind too_big(bool is_ipv6, __u32 mtu)
{
	if (is_ipv6)
		return (struct icmp_kind){.type = ICMPV6_PACKET_TOO_BIG, .rest = bpf_htonl(mtu)};
	return (struct icmp_kind){.type = ICMPV4_UNREACHABLE,
				  .code = ICMPV4_FRAGMENTATION_NEEDED,
				  .rest = bpf_htonl(mtu & 0xffff)};
}

static __always_inline struct icmp_kind port_unreachable(bool is_ipv6)
{
	if (is_ipv6)
		return (struct icmp_kind){.type = ICMPV6_UNREACHABLE,
					  .code = ICMPV6_PORT_UNREACHABLE};
	return (struct icmp_kind){.type = ICMPV4_UNREACHABLE, .code = ICMPV4_PORT_UNREACHABLE};
}

static __always_inline bool write_answer(struct packet *packet, enum verdict verdict, __u32 mtu)
{
	struct icmp_kind kind;

	if (verdict == VERDICT_ANSWER_RESET)
		return write_reset(packet);
	kind = verdict == VERDICT_ANSWER_TOO_BIG ? too_big(packet->is_ipv6, mtu)
						 : port_unreachable(packet->is_ipv6);
	return write_error(packet, &kind);
}
