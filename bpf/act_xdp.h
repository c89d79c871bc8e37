/*
 * How a packet leaves by XDP: the one place that turns verdicts into what XDP does.
 */
#pragma once

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "bpf/exit.h"
#include "bpf/knobs.h"
#include "bpf/maps.h"
#include "bpf/metadata.h"
#include "bpf/packet.h"
#include "include/verdict.h"

/* The last that is done with a packet: where it carries metadata, it may have moved. */
static __always_inline int keep_packet(const struct packet *packet, enum verdict verdict)
{
	if (has_metadata && keep(verdict) == HOOK_PASS)
		return write_metadata(packet->ctx, verdict, packet->service);
	return keep(verdict);
}

/*
 * What most packets come to is asked first. A redirect that finds no transmit port is XDP_ABORTED:
 * seen by the tracepoint xdp_exception.
 */
static __always_inline int act(const struct packet *packet, enum verdict verdict)
{
	if (verdict == VERDICT_TX && !(packet->egress->flags & PORT_TX_BY_REDIRECT))
		return XDP_TX;
	if (verdict == VERDICT_REDIRECT || verdict == VERDICT_TX)
		return bpf_redirect_map(&transmit, packet->egress->ifindex, XDP_ABORTED);
	return keep_packet(packet, verdict);
}

/* Out of the port it came in by. */
static __always_inline int send_back(const struct hook_context *ctx)
{
	const __u32 index = ingress_index(ctx->ingress_ifindex);
	const struct port *port = bpf_map_lookup_elem(&ports, &index);

	if (port && (port->flags & PORT_TX_BY_REDIRECT))
		return bpf_redirect_map(&transmit, ctx->ingress_ifindex, XDP_ABORTED);
	return XDP_TX;
}
