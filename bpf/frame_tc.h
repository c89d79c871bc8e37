/*
 * A packet's frame under tc, in the place of frame_xdp.h. Whether the transport checksum is all
 * there or only that of the pseudo header, the rest being the device's to add (CHECKSUM_PARTIAL),
 * the kernel alone knows: so it is the kernel that changes it, told what of a change is addresses.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include "bpf/packet.h"
#include "bpf/tag.h"
#include "include/checksum.h"

#define TCP_LENGTH_OFFSET 12   /* its header's, in 32-bit words, in the upper half of a byte */
#define NO_CHANGE 0xffff       /* of a checksum: x - x, in one's complement */
#define SEGMENTS_DIFFER 0xffff /* gso_size of SCTP (GSO_BY_FRAGS): cut as it was put together */

static __always_inline bool has_bytes(const struct packet *packet, __u32 bytes)
{
	return bytes <= packet->bytes;
}

/* Where a header lies, also while pointers are let go. */
static __always_inline __u32 transport_offset(const struct packet *packet)
{
	return packet->transport ? packet->transport - (void *)packet->ethernet
				 : packet->transport_at;
}

static __always_inline __u32 transport_length(const struct packet *packet)
{
	__u8 words = 0;

	if (packet->flow.protocol != IPPROTO_TCP)
		return sizeof(struct udphdr);
	bpf_skb_load_bytes(packet->ctx, transport_offset(packet) + TCP_LENGTH_OFFSET, &words,
			   sizeof(words));
	return words >> 4 << 2;
}

/* Whether it is cut up on its way out, into packets that are no longer than `mtu`. */
static __always_inline bool may_be_segments(const struct packet *packet, __u32 mtu)
{
	const __u32 size = packet->ctx->gso_size;

	if (!size || size == SEGMENTS_DIFFER)
		return size;
	return transport_offset(packet) - sizeof(struct ethhdr) + transport_length(packet) + size <=
	       mtu;
}

/*
 * Makes room before the IP header, or takes some away where `bytes` is more than zero; the MAC
 * addresses are swapped.
 */
static __always_inline bool move_head(const struct packet *packet, int bytes)
{
	struct ethhdr *ethernet, old;

	if (bytes && bpf_skb_adjust_room(packet->ctx, -bytes, BPF_ADJ_ROOM_MAC, 0))
		return false;
	ethernet = (void *)(long)packet->ctx->data;
	if ((void *)(ethernet + 1) > (void *)(long)packet->ctx->data_end)
		return false;
	copy_mac(old.h_dest, ethernet->h_dest);
	copy_mac(ethernet->h_dest, ethernet->h_source);
	copy_mac(ethernet->h_source, old.h_dest);
	return true;
}

/*
 * Cuts the frame to so many bytes, which must be no more than it has. No pointer holds after it; it
 * is one segment then.
 */
static __always_inline bool cut_frame(const struct packet *packet, __u32 bytes)
{
	return bytes == packet->bytes || !bpf_skb_change_tail(packet->ctx, bytes, 0);
}

/* Not yet: pointers would not hold. */
static __always_inline void rewrite_checksum(struct packet *packet, __sum16 checksum,
					     const struct checksum_change *change)
{
	(void)packet;
	(void)checksum;
	(void)change;
}

/*
 * The transport's, when all headers are written; no pointer holds after it. UDP without one stays
 * without. The kernel also brings up to date what a device has summed of the packet
 * (CHECKSUM_COMPLETE), as if an IPv4 header followed from it: of IPv6, whose addresses and hop
 * limit nothing else makes up for, that is undone.
 */
static __always_inline void settle_checksum(struct packet *packet,
					    const struct checksum_change *change)
{
	const __u32 at = (void *)packet->checksum - (void *)packet->ethernet;
	const __u64 flags = packet->flow.protocol == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
	const __u16 ports = checksum_fold((__u64)change->all + (__u16)~change->addresses);

	if (ports != NO_CHANGE)
		bpf_l4_csum_replace(packet->ctx, at, 0, ports, flags);
	bpf_l4_csum_replace(packet->ctx, at, 0, change->addresses, flags | BPF_F_PSEUDO_HDR);
	if (packet->is_ipv6)
		bpf_csum_update(packet->ctx, change->addresses + (packet->egress ? HOP_CHANGE : 0));
}

/* TCP's, by a change of what it covers that is no address. False: pointers hold no more. */
static __always_inline bool change_checksum(struct packet *packet, __sum16 *checksum, __u16 change)
{
	(void)checksum;
	let_headers_go(packet);
	bpf_l4_csum_replace(packet->ctx, packet->checksum_at, 0, change, 0);
	packet->ethernet = (void *)(long)packet->ctx->data;
	packet->end = (void *)(long)packet->ctx->data_end;
	packet->network = packet->ethernet + 1;
	return packet->network + sizeof(struct iphdr) <= packet->end && take_headers_up(packet);
}

/* By the port; its tags come last (act_tc.h). */
static __always_inline void address_frame(const struct packet *packet, bool is_rare)
{
	struct ethhdr *ethernet = (void *)(long)packet->ctx->data;

	(void)is_rare;
	if (!packet->egress || (void *)(ethernet + 1) > (void *)(long)packet->ctx->data_end)
		return;
	copy_mac(ethernet->h_dest, packet->hop.mac);
	copy_mac(ethernet->h_source, packet->egress->mac);
}
