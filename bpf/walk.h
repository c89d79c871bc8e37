/*
 * The datapath: what happens to a packet, in order. Each step is a file that says how; a step lets
 * the packet go on (VERDICT_CONTINUE) or ends its walk with a named verdict. One place counts, one
 * place turns verdicts into what the hook does.
 *
 * What is rare goes the same walk in a program of its own, and ICMP one of its own: parse parts
 * them from the others.
 */
#pragma once

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/packet.h"
#include "bpf/maps.h"
#include "bpf/deny.h"
#include "bpf/parse.h"
#include "bpf/icmp.h"
#include "bpf/fragment.h"
#include "bpf/echo.h"
#include "bpf/connection.h"
#include "bpf/service.h"
#include "bpf/forward.h"
#include "bpf/gone.h"
#include "bpf/masquerade.h"
#include "bpf/nat.h"
#include "bpf/count.h"
#include "bpf/exit.h"
#include "bpf/answer_reset.h"
#include "bpf/answer_error.h"
#include "bpf/answer.h"
#include "bpf/bridge.h"
#include "bpf/tunnel.h"

static __always_inline enum verdict walk_icmp(struct packet *packet)
{
	struct quote quote = {};
	enum verdict verdict;

	verdict = parse(packet);
	if (verdict != VERDICT_CONTINUE)
		return verdict;
	verdict = find_echo(packet);
	if (verdict != VERDICT_CONTINUE)
		return verdict;
	verdict = read_error(packet, &quote);
	if (verdict != VERDICT_CONTINUE)
		return verdict;
	verdict = find_connection_of_error(packet, &quote);
	if (verdict != VERDICT_CONTINUE)
		return verdict;
	if (is_martian(&quote.reporter, packet->is_ipv6))
		return VERDICT_DROP_MARTIAN;
	verdict = find_egress(packet, true);
	if (verdict != VERDICT_CONTINUE)
		return verdict;
	translate_error(packet, &quote);
	return egress_verdict(packet);
}

static __always_inline enum verdict walk(struct packet *packet)
{
	enum verdict verdict;

	verdict = parse(packet);
	if (verdict != VERDICT_CONTINUE)
		return verdict;
	verdict = find_connection(packet, false);
	if (verdict != VERDICT_CONTINUE)
		return verdict;
	verdict = find_service(packet, false);
	if (verdict != VERDICT_CONTINUE)
		return refuse(packet, verdict);
	verdict = find_egress(packet, false);
	if (verdict != VERDICT_CONTINUE)
		return refuse(packet, verdict);
	translate(packet, false);
	return egress_verdict(packet);
}

/* The same of what few packets have: tags, extension headers, fragments. */
static __always_inline enum verdict walk_rare(struct packet *packet)
{
	enum verdict verdict;

	verdict = find_fragment(packet, parse(packet));
	if (verdict == VERDICT_PASS_PROTOCOL) {
		verdict = refuse_protocol(packet);
		if (verdict == VERDICT_PASS_PROTOCOL && HOOK_TUNNELS && tunnel_sources.count &&
		    first_protocol(packet) == tunnel_protocol(packet->is_ipv6))
			return part(packet, PROGRAM_DECAPSULATE);
		return verdict;
	}
	if (verdict != VERDICT_CONTINUE)
		return verdict;
	let_headers_go(packet);
	verdict = find_connection(packet, true);
	if (verdict == VERDICT_CONTINUE)
		verdict = find_service(packet, true);
	if (verdict == VERDICT_PASS_NO_SERVICE)
		part_with_stray(packet);
	if (verdict == VERDICT_CONTINUE)
		verdict = find_egress(packet, true);
	verdict = settle_fragment(packet, verdict);
	if (verdict != VERDICT_CONTINUE)
		return refuse(packet, verdict);
	if (!take_headers_up(packet))
		return VERDICT_PASS_MALFORMED;
	translate(packet, true);
	return egress_verdict(packet);
}

/* Of connections whose clients have an address of ours, or that may come to have one. */
static __always_inline enum verdict walk_masquerade(struct packet *packet)
{
	const __u32 first = 0;
	struct masquerade_work *known = bpf_map_lookup_elem(&masquerade_work, &first);
	enum verdict verdict;
	bool is_tunnelled;

	if (!known)
		return VERDICT_DROP_MASQUERADE; /* VERIFIER: does not know that there is one (6.1)
						 */

	verdict = find_fragment(packet, parse(packet));
	if (verdict != VERDICT_CONTINUE)
		return verdict;
	let_headers_go(packet);
	verdict = find_masqueraded(packet, known);
	is_tunnelled = verdict == VERDICT_CONTINUE && known->other.protocol == OTHER_IS_TUNNEL;
	if (verdict == VERDICT_CONTINUE && !is_tunnelled)
		verdict = find_egress(packet, true);
	verdict = settle_fragment(packet, verdict);
	if (is_tunnelled)
		return lead_into_tunnel(packet, packet->backend);
	if (verdict == VERDICT_DROP_BACKEND_GONE && known->is_lost)
		return have_answered(packet, verdict);
	if (verdict != VERDICT_CONTINUE) /* a reset is not told that it is too big */
		return known->is_lost ? verdict : refuse(packet, verdict);
	if (!take_headers_up(packet))
		return VERDICT_PASS_MALFORMED;
	if (known->is_lost && (!packet->checksum || !become_reset(packet)))
		return VERDICT_DROP_BACKEND_GONE;
	if (known->other.protocol)
		translate_masqueraded(packet, &known->other);
	else
		translate(packet, true);
	return egress_verdict(packet);
}

/* What is beyond the limit of new connections: bpf/stateless.h. */
static __always_inline enum verdict walk_stateless(struct packet *packet)
{
	enum verdict verdict;

	verdict = find_fragment(packet, parse(packet));
	if (verdict != VERDICT_CONTINUE)
		return verdict;
	verdict = find_without_entry(packet);
	if (verdict == VERDICT_CONTINUE)
		verdict = find_egress(packet, true);
	verdict = settle_fragment(packet, verdict);
	if (verdict != VERDICT_CONTINUE)
		return refuse(packet, verdict);
	translate(packet, true);
	return egress_verdict(packet);
}

/* TCP whose backend is gone. */
static __always_inline enum verdict walk_gone(struct packet *packet)
{
	enum verdict verdict;

	verdict = parse(packet);
	if (verdict != VERDICT_CONTINUE)
		return verdict;
	verdict = lose_backend(packet);
	remember_fragment(packet, verdict);
	if (verdict == VERDICT_DROP_BACKEND_GONE)
		return have_answered(packet, verdict);
	if (verdict != VERDICT_CONTINUE)
		return verdict;
	verdict = find_egress(packet, true);
	if (verdict != VERDICT_CONTINUE)
		return verdict;
	if (!become_reset(packet))
		return VERDICT_DROP_BACKEND_GONE;
	translate(packet, true);
	return egress_verdict(packet);
}

SEC(HOOK)
int icmp(struct hook_context *ctx)
{
	struct packet packet = {};
	enum verdict verdict;

	packet_init(&packet, ctx, false);
	packet.is_icmp = true;
	verdict = walk_icmp(&packet);
	count_verdict(&packet, verdict);
	if (verdict == VERDICT_ANSWER_ECHO)
		return write_echo(&packet) ? send_back(ctx) : HOOK_DROP;
	return act(&packet, verdict);
}

static __always_inline int forward(struct hook_context *ctx, bool is_rare)
{
	struct packet packet = {};
	enum verdict verdict;

	packet_init(&packet, ctx, is_rare);
	verdict = is_rare ? walk_rare(&packet) : walk(&packet);
	if (!is_rare && verdict == VERDICT_PASS_NO_SERVICE)
		part_with_stray(&packet);
	count(&packet, verdict);
	return act(&packet, verdict);
}

SEC(HOOK)
int stateless(struct hook_context *ctx)
{
	struct packet packet = {};
	enum verdict verdict;

	packet_init(&packet, ctx, true);
	verdict = walk_stateless(&packet);
	count(&packet, verdict);
	return act(&packet, verdict);
}

SEC(HOOK)
int masquerade(struct hook_context *ctx)
{
	struct packet packet = {};
	enum verdict verdict;

	packet_init(&packet, ctx, true);
	verdict = walk_masquerade(&packet);
	count(&packet, verdict);
	return act(&packet, verdict);
}

SEC(HOOK)
int gone(struct hook_context *ctx)
{
	struct packet packet = {};
	enum verdict verdict;

	packet_init(&packet, ctx, true);
	verdict = walk_gone(&packet);
	count(&packet, verdict);
	return act(&packet, verdict);
}

/* Packets that the others have refused. */
SEC(HOOK)
int answer(struct hook_context *ctx)
{
	const __u32 first = 0;
	const struct refused *why = bpf_map_lookup_elem(&refused, &first);
	struct packet packet = {};
	enum verdict verdict;

	if (!why)
		return HOOK_DROP; /* VERIFIER: does not know that there is one (6.1) */
	packet_init(&packet, ctx, true);
	recall(&packet, why);
	verdict = parse(&packet);
	if (verdict == VERDICT_CONTINUE)
		verdict = judge(&packet, why->verdict);
	verdict = settle_fragment(&packet, verdict);
	count(&packet, verdict);
	if (!is_answer(verdict))
		return keep_packet(&packet, verdict);
	return write_answer(&packet, verdict, why->mtu) ? send_back(ctx) : HOOK_DROP;
}

SEC(HOOK)
int rare(struct hook_context *ctx)
{
	return forward(ctx, true);
}

/* Denied packets end before anything is made of them, and the others pay a load and a branch. */
SEC(HOOK)
int lb(struct hook_context *ctx)
{
	__u32 denied;

	hook_begin(ctx);
	if (denied_prefixes) {
		denied = find_denied(ctx);
		if (denied)
			return count_denied(ctx, denied);
	}
	if (has_hidden_tag(ctx))
		return count_left(ctx);
	return forward(ctx, false);
}

/* What all links have while they move: what comes next changes for all of them in one step. */
SEC(HOOK)
int cross(struct hook_context *ctx)
{
	return go_on(ctx, BRIDGE_NEXT);
}

/* Denied packets are nobody's; ICMP parts here, its errors are of connections that have packets. */
SEC(HOOK)
int bring(struct hook_context *ctx)
{
	struct packet packet = {};

	if (denied_prefixes && find_denied(ctx))
		return go_on(ctx, BRIDGE_LB);
	packet_init(&packet, ctx, true);
	if (parse(&packet) == VERDICT_CONTINUE && !is_later_fragment(&packet))
		bring_connection_of(&packet);
	return go_on(ctx, BRIDGE_LB);
}
