/*
 * Step forward: may the packet go on, and by which interface? It decides before anything is
 * written, so that whoever must answer the sender still has the packet as it was sent.
 *
 * Ends with PASS_HOP_LIMIT: the stack has the packet as it was sent, and answers; and PASS_TOO_BIG.
 */
#pragma once

#include <linux/ip.h>
#include "bpf/count.h"
#include "bpf/maps.h"
#include "bpf/packet.h"
#include "bpf/part.h"
#include "bpf/tag.h"
#include "include/verdict.h"

/* On its way on, where it is too big: of IPv4 unless it says otherwise (RFC 791, 3.1). */
static __always_inline bool may_be_fragmented(const struct packet *packet)
{
	const struct iphdr *ip = packet->network;

	return !packet->is_ipv6 && !(ip->frag_off & IPV4_UNFRAGMENTED);
}

/* The stack gets what it may cut, translated; of the rest, the sender is to hear of `port`'s MTU.
 */
static __always_inline enum verdict refuse_size(struct packet *packet, struct port *port)
{
	if (may_be_fragmented(packet))
		return VERDICT_CONTINUE;
	packet->egress = port;
	return VERDICT_PASS_TOO_BIG;
}

/*
 * A reply's are those of the way back to its client, others those of the VLAN that it leaves by.
 * Without either a request keeps its own where it goes back out of the interface that it came in
 * by, into the same VLAN therefore.
 */
static __always_inline void choose_tags(struct packet *packet, const struct port *port)
{
	if (packet->out.word)
		return;
	if (port->flags & PORT_TAGGED)
		packet->out = port->tags;
	else if (packet->direction == DIRECTION_REQUEST && port->ifindex == packet_ingress(packet))
		packet->out = packet->tags;
}

/*
 * By a port that not every frame can leave by. What needs tags goes on where those are written; the
 * connection that it has started, if so, is a known one there.
 */
static __always_inline enum verdict leave_otherwise(const struct packet *packet,
						    const struct port *port)
{
	/* Netfilter knows the connection, and would take what we make of it for another. */
	if (!port && (unknown_to_stack & UNKNOWN_WAYS) && packet->direction == DIRECTION_REPLY)
		return VERDICT_PASS_TAKEOVER;
	if (!port || !port->ifindex || (port->flags & HOOK_LEFT_TO_STACK))
		return VERDICT_CONTINUE;
	count_start(packet);
	return part(packet, PROGRAM_RARE);
}

static __always_inline enum verdict find_egress(struct packet *packet, bool is_rare)
{
	const __u16 otherwise = is_rare ? HOOK_LEFT_TO_STACK : HOOK_LEFT_TO_STACK | PORT_TAGGED;
	__u32 index = packet->hop.port;
	struct port *port;

	if (packet->hop_limit <= 1)
		return VERDICT_PASS_HOP_LIMIT;
	port = index ? bpf_map_lookup_elem(&ports, &index) : NULL;
	if (!port || !port->ifindex || (port->flags & otherwise))
		return is_rare ? VERDICT_CONTINUE : leave_otherwise(packet, port);
	if (packet->bytes - frame_header(packet, is_rare) > port->mtu &&
	    !may_be_segments(packet, port->mtu))
		return refuse_size(packet, port);
	packet->egress = port;
	if (is_rare)
		choose_tags(packet, port);
	return VERDICT_CONTINUE;
}

/*
 * The last word on a translated packet: which way it leaves, or that the stack takes it from here.
 */
static __always_inline enum verdict egress_verdict(const struct packet *packet)
{
	if (!packet->egress)
		return packet->hop.port ? VERDICT_PASS_BY_STACK : VERDICT_PASS_UNRESOLVED;
	return packet->egress->ifindex == packet_ingress(packet) ? VERDICT_TX : VERDICT_REDIRECT;
}
