/*
 * What leaves by an interface, for tc: of the stack's packets those that are replies of backends
 * which no program has seen come in, because a process of this node is the backend, or a pod behind
 * an interface that is not attached. Their source becomes the service, and they go on as the stack
 * has meant them to. Everything else is none of ours and counted nowhere.
 *
 * `programs` is another map than that of bpf/tc.bpf.c: who parts goes on here, or not at all.
 */
#include "bpf/hook_tc.h"
#include "bpf/frame_tc.h"
#include "bpf/packet.h"
#include "bpf/maps.h"
#include "bpf/exit.h"
#include "bpf/deny.h"
#include "bpf/address.h"
#include "bpf/parse.h"
#include "bpf/icmp.h"
#include "bpf/fragment.h"
#include "bpf/connection.h"
#include "bpf/nat.h"
#include "bpf/count.h"

/* Of a connection we know, else it has no backend. */
static __always_inline void find_own_reply(struct packet *packet, bool is_rare)
{
	const struct flow *flow = &packet->flow;
	const __u64 src = hash_endpoint(hash_seed, &flow->src, flow->src_port, flow->protocol);
	const __u64 dst = hash_endpoint(hash_seed, &flow->dst, flow->dst_port, flow->protocol);

	packet->now = (__u32)bpf_jiffies64();
	if (filter_has(&backend_filter, backend_filter_mask, src))
		find_reply(packet, dst, is_rare);
}

static __always_inline enum verdict find_parsed(struct packet *packet, bool is_rare)
{
	const enum verdict parsed = parse(packet);

	return is_rare ? find_fragment(packet, parsed) : parsed;
}

static __always_inline int leave(struct hook_context *ctx, bool is_rare)
{
	struct packet packet = {};

	if (has_hidden_tag(ctx))
		return HOOK_PASS;
	packet_init(&packet, ctx, is_rare);
	if (find_parsed(&packet, is_rare) != VERDICT_CONTINUE)
		return HOOK_PASS;
	if (is_rare)
		let_headers_go(&packet);
	find_own_reply(&packet, is_rare);
	if (is_rare)
		settle_fragment(&packet, VERDICT_CONTINUE);
	if (!packet.backend || (is_rare && !take_headers_up(&packet)))
		return HOOK_PASS;
	translate(&packet, is_rare);
	count(&packet, VERDICT_PASS_BY_STACK);
	return HOOK_PASS;
}

SEC(HOOK)
int egress(struct hook_context *ctx)
{
	return leave(ctx, false);
}

SEC(HOOK)
int egress_rare(struct hook_context *ctx)
{
	return leave(ctx, true);
}

/* An error about a packet that was translated on its way in quotes what its sender has not sent. */
SEC(HOOK)
int egress_icmp(struct hook_context *ctx)
{
	struct packet packet = {};
	struct quote quote = {};

	packet_init(&packet, ctx, false);
	packet.is_icmp = true;
	if (parse(&packet) != VERDICT_CONTINUE || read_error(&packet, &quote) != VERDICT_CONTINUE ||
	    find_connection_of_error(&packet, &quote) != VERDICT_CONTINUE)
		return HOOK_PASS;
	if (packet.direction == DIRECTION_REPLY)
		translate_error(&packet, &quote);
	return HOOK_PASS;
}

char _license[] SEC("license") = "GPL";
