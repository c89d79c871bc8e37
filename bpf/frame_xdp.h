/*
 * A packet's frame under XDP: how long it is, how it grows and shrinks at either end, how it begins
 * when it leaves, and its transport checksum, which is as it goes over the wire.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>
#include "bpf/maps.h"
#include "bpf/packet.h"
#include "bpf/tag.h"
#include "include/checksum.h"

/*
 * Whether the frame has so many bytes, all of IP's. Where that is what its first piece has, padding
 * aside, it is taken for the whole; else the kernel is asked (xdp.frags). A call costs what a
 * hundred instructions do, where returns are guarded (SRSO).
 */
static __always_inline bool has_bytes(struct packet *packet, __u32 bytes)
{
	if (packet->is_rare || bytes == packet->bytes ||
	    (bytes < packet->bytes && packet->bytes <= ETH_ZLEN))
		return bytes <= packet->bytes;
	packet->bytes = frame_length(packet->ctx);
	return bytes <= packet->bytes;
}

/* Generic XDP sees what GRO has put together; on the way out it is cut up again. */
static __always_inline bool may_be_segments(const struct packet *packet, __u32 mtu)
{
	__u32 index = ingress_index(packet_ingress(packet));
	struct port *port = bpf_map_lookup_elem(&ports, &index);

	(void)mtu;
	return port && (port->flags & PORT_GENERIC);
}

/* Moves what lies before the IP header to the new start of the frame, MAC addresses swapped. */
struct link {
	__u8 dest[ETH_ALEN];
	__u8 source[ETH_ALEN];
	__u8 tags[LINK_MAX - 2 * ETH_ALEN]; /* and the type; what lies behind is written over */
};

static __always_inline bool move_head(const struct packet *packet, int bytes)
{
	struct link link, *there = (void *)packet->ethernet;

	if ((void *)(there + 1) > packet->end)
		return false; /* VERIFIER: as in write_frame_head; a link and an IP header are
				 longer */
	copy_mac(link.dest, there->source);
	copy_mac(link.source, there->dest);
	__builtin_memcpy(link.tags, there->tags, sizeof(link.tags));
	if (bpf_xdp_adjust_head(packet->ctx, bytes))
		return false;
	there = (void *)(long)packet->ctx->data;
	if ((void *)(there + 1) > (void *)(long)packet->ctx->data_end)
		return false;
	*there = link;
	return true;
}

/* Cuts the frame to so many bytes, which must be no more than it has. No pointer holds after it. */
static __always_inline bool cut_frame(const struct packet *packet, __u32 bytes)
{
	return bytes == packet->bytes ||
	       !bpf_xdp_adjust_tail(packet->ctx, (int)(bytes - packet->bytes));
}

/*
 * The transport's, which was `checksum`, by what a translation changes. UDP without one (zero)
 * stays without; a sum of zero is sent as ones (RFC 768).
 */
static __always_inline void rewrite_checksum(struct packet *packet, __sum16 checksum,
					     const struct checksum_change *change)
{
	const bool udp = packet->flow.protocol == IPPROTO_UDP;

	if (udp && !checksum)
		return;
	checksum = checksum_update(checksum, change->all);
	if (udp && !checksum)
		checksum = 0xffff;
	*packet->checksum = checksum;
}

/* What is left to do of it when all headers are written: nothing. */
static __always_inline void settle_checksum(struct packet *packet,
					    const struct checksum_change *change)
{
	(void)packet;
	(void)change;
}

/* TCP's, by a change of what it covers that is no address. True: pointers still hold. */
static __always_inline bool change_checksum(struct packet *packet, __sum16 *checksum, __u16 change)
{
	(void)packet;
	*checksum = checksum_update(*checksum, change);
	return true;
}

/* How a frame is to begin, up to its ethertype. */
struct frame_head {
	__u8 destination[ETH_ALEN];
	__u8 source[ETH_ALEN] __attribute__((aligned(4))); /* as copy_mac writes */
	union tags tags;
	int more; /* bytes, than it begins with now */
};

/*
 * Gives a frame its MAC addresses and tags. No pointer into the packet holds any more after it. 0,
 * or -1 where there is no room before the frame. A global function: verified once.
 */
__noinline int write_frame_head(struct hook_context *ctx, const struct frame_head *head)
{
	struct ethhdr *ethernet;
	struct tag *tag;

	if (!head)
		return -1; /* VERIFIER: a global function's pointers may be NULL */
	if (head->more && bpf_xdp_adjust_head(ctx, -head->more))
		return -1;
	ethernet = (void *)(long)ctx->data;
	tag = (void *)&ethernet->h_proto;
	if ((void *)(tag + MAX_TAGS) > (void *)(long)ctx->data_end)
		return -1; /* VERIFIER: does not know that more than this is left */
	copy_mac(ethernet->h_dest, head->destination);
	copy_mac(ethernet->h_source, head->source);
	if (head->tags.tag[0].type)
		tag[0] = head->tags.tag[0];
	if (head->tags.tag[1].type)
		tag[1] = head->tags.tag[1];
	return 0;
}

/* The last that is done to a packet: its start may move. */
static __always_inline void address_tagged_frame(struct packet *packet)
{
	struct frame_head head = {
		.tags = packet->out,
		.more = tags_length(packet->out) - tags_length(packet->tags),
	};

	copy_mac(head.destination, packet->hop.mac);
	copy_mac(head.source, packet->egress->mac);
	if (write_frame_head(packet->ctx, &head))
		packet->egress = NULL; /* no room: the stack makes some */
}

static __always_inline void address_frame(struct packet *packet, bool is_rare)
{
	if (!packet->egress)
		return;
	if (is_rare) {
		address_tagged_frame(packet);
		return;
	}
	copy_mac(packet->ethernet->h_dest, packet->hop.mac);
	copy_mac(packet->ethernet->h_source, packet->egress->mac);
}
