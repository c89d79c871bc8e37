/*
 * How a packet leaves by tc: the one place that turns verdicts into what tc does, in the place of
 * act_xdp.h. To an interface whatever its driver can, with the VLAN tags that it needs; what passes
 * carries no metadata, which is XDP's to write.
 */
#pragma once

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "bpf/exit.h"
#include "bpf/packet.h"
#include "include/verdict.h"

static __always_inline int keep_packet(const struct packet *packet, enum verdict verdict)
{
	(void)packet;
	return keep(verdict);
}

/* The inner one first. */
static __always_inline bool push_tags(const struct packet *packet)
{
	for (int i = MAX_TAGS - 1; i >= 0; i--)
		if (packet->out.tag[i].type &&
		    bpf_skb_vlan_push(packet->ctx, packet->out.tag[i].type,
				      bpf_ntohs(packet->out.tag[i].control)))
			return false;
	return true;
}

static __always_inline int act(const struct packet *packet, enum verdict verdict)
{
	if (verdict != VERDICT_REDIRECT && verdict != VERDICT_TX)
		return keep(verdict);
	if (packet->out.word && !push_tags(packet))
		return HOOK_DROP; /* out of memory */
	return bpf_redirect(packet->egress->ifindex, 0);
}

/* Out of the port it came in by. */
static __always_inline int send_back(const struct hook_context *ctx)
{
	return bpf_redirect(ctx->ingress_ifindex, 0);
}
