/*
 * The datapath for XDP: the walk of bpf/walk.h, and what XDP alone has.
 *
 * Sections are plain "xdp": whether programs take frames in fragments (xdp.frags) is lbd's to say.
 */
#include "bpf/hook_xdp.h"
#include "bpf/frame_xdp.h"
#include "bpf/act_xdp.h"
#include "bpf/walk.h"
#include "bpf/encapsulate.h"
#include "bpf/decapsulate.h"

/* Packets that others have led into a tunnel: bpf/tunnel.h. */
SEC(HOOK)
int encapsulate(struct hook_context *ctx)
{
	const __u32 first = 0;
	const struct refused *handed = bpf_map_lookup_elem(&refused, &first);
	const struct backend_record *backend;
	struct packet packet = {};
	enum verdict verdict;
	bool is_error;

	if (!handed)
		return HOOK_DROP; /* VERIFIER: does not know that there is one (6.1) */
	packet_init(&packet, ctx, true);
	recall(&packet, handed);
	backend = packet.backend;
	if (!find_inner(&packet) || !backend)
		return HOOK_DROP; /* VERIFIER: does not know that others have asked */
	is_error = is_icmp(&packet);
	verdict = encapsulate_for(&packet, backend, is_error);
	if (is_error)
		count_verdict(&packet, verdict);
	else
		count(&packet, verdict);
	return act(&packet, verdict);
}

static __always_inline enum verdict walk_decapsulate(struct packet *packet,
						     struct masquerade_work *work, bool marked)
{
	enum verdict verdict;

	let_headers_go(packet);
	verdict = settle_fragment(packet, find_tunnelled(packet, work));
	if (verdict == VERDICT_CONTINUE && marked && !pass_congestion_on(packet))
		return VERDICT_PASS_PROTOCOL;
	if (verdict != VERDICT_CONTINUE)
		return verdict;
	if (!leave_tunnel(packet))
		return VERDICT_PASS_MALFORMED;
	verdict = find_egress(packet, true);
	if (verdict != VERDICT_CONTINUE)
		return refuse(packet, verdict);
	if (!take_headers_up(packet))
		return VERDICT_PASS_MALFORMED;
	translate(packet, true);
	return egress_verdict(packet);
}

/* The program for ICMP finds the connection that an error is about as that of any other error. */
static __always_inline int leave_to_icmp(struct packet *packet)
{
	__u32 denied;

	if (!leave_tunnel(packet))
		return HOOK_DROP; /* VERIFIER: never */
	denied = denied_prefixes ? find_denied(packet->ctx) : 0;
	if (denied)
		return count_denied(packet->ctx, denied);
	part(packet, PROGRAM_ICMP);
	return HOOK_PASS;
}

/* What other nodes have sent through tunnels that end here. */
SEC(HOOK)
int decapsulate(struct hook_context *ctx)
{
	const __u32 first = 0;
	struct masquerade_work *work = bpf_map_lookup_elem(&masquerade_work, &first);
	struct packet packet = {};
	enum verdict verdict;
	bool marked = false;
	__u32 frame, denied;

	packet_init(&packet, ctx, true);
	frame = packet.bytes;
	if (!tunnel_sources.count || !work || !enter_tunnel(&packet, &work->other, &marked)) {
		count_left(ctx);
		return keep_packet(&packet, VERDICT_PASS_PROTOCOL);
	}
	if (is_icmp_for_service(&packet))
		return leave_to_icmp(&packet);
	verdict = parse_inner(&packet);
	denied = 0;
	if (denied_prefixes && verdict == VERDICT_CONTINUE)
		denied = find_denied_inside(&packet.flow.src, packet.is_ipv6);
	if (denied)
		return count_denied(ctx, denied);
	if (verdict == VERDICT_CONTINUE)
		verdict = walk_decapsulate(&packet, work, marked);
	packet.bytes = frame;
	count(&packet, verdict);
	return act(&packet, verdict);
}

/* What time it is, as the table of connections tells it: for lbd, which cannot read jiffies. */
SEC("syscall")
int clock(void *ctx)
{
	(void)ctx;
	return (int)bpf_jiffies64();
}

char _license[] SEC("license") = "GPL";
