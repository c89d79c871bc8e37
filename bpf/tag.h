/*
 * VLAN tags, read before anything else of a frame and written after everything else: to put some in
 * or take some out, its start moves. Only the programs for what is rare do either.
 */
#pragma once

#include <linux/if_ether.h>
#include "bpf/packet.h"

static __always_inline bool is_tag(__be16 ethertype)
{
	return ethertype == bpf_htons(ETH_P_8021Q) || ethertype == bpf_htons(ETH_P_8021AD);
}

/*
 * Passes over the tags of a frame: what is behind them, or NULL where it is cut short. `network` is
 * what is behind the MAC addresses and an ethertype, or would be without tags.
 */
static __always_inline void *read_tags(void *network, const void *end, union tags *tags)
{
	for (int i = 0; i < MAX_TAGS; i++) {
		const struct tag *tag = network - sizeof(tag->type);

		if (!is_tag(tag->type))
			break;
		network += sizeof(*tag);
		if ((const void *)network > end)
			return NULL;
		tags->tag[i] = *tag;
	}
	return network;
}

static __always_inline int tags_length(const union tags *tags)
{
	int length = 0;

	for (int i = 0; i < MAX_TAGS; i++)
		length += tags->tag[i].type ? (int)sizeof(tags->tag[i]) : 0;
	return length;
}

/* Whether both are of one VLAN: priority is not what a client moves by. */
static __always_inline bool is_same_vlan(const union tags *a, const union tags *b)
{
	const struct tag vlan = {.type = 0xffff, .control = bpf_htons(0x0fff)};
	const union tags mask = {.tag = {vlan, vlan}};

	return !((a->word ^ b->word) & mask.word);
}

/*
 * Gives the frame the tags that it is to leave with. Its MAC addresses are then still to be
 * written, and no pointer into the packet holds any more. False: there is no room before it.
 */
static __always_inline bool write_tags(struct packet *packet)
{
	const int more = tags_length(&packet->out) - tags_length(&packet->tags);
	struct tag *tag;

	if (!packet_move_start(packet, -more))
		return false;
	tag = (void *)(packet->ethernet + 1) - sizeof(tag->type);
	if ((void *)(tag + MAX_TAGS) > packet->end)
		return false; /* VERIFIER: does not know that more than this is left */
	for (int i = 0; i < MAX_TAGS; i++)
		if (packet->out.tag[i].type)
			tag[i] = packet->out.tag[i];
	return true;
}
