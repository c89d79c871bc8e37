/*
 * VLAN tags, read before anything else of a frame and written after everything else (frame_xdp.h):
 * to put some in or take some out, its start moves. Only the programs for what is rare do either.
 */
#pragma once

#include <linux/if_ether.h>
#include "bpf/packet.h"

#define LINK_MAX 22 /* bytes: Ethernet and two VLAN tags */

static __always_inline bool is_tag(__be16 ethertype)
{
	return ethertype == bpf_htons(ETH_P_8021Q) || ethertype == bpf_htons(ETH_P_8021AD);
}

/*
 * The tags of a frame (union tags), of one that is cut short those that are whole. A global
 * function: verified once. It reads and returns a value, so the compiler knows that it leaves the
 * caller's packet as it is.
 */
__noinline __u64 read_tags(struct hook_context *ctx)
{
	const void *end = (const void *)(long)ctx->data_end;
	const struct ethhdr *ethernet = (const void *)(long)ctx->data;
	const struct tag *tag = (const void *)&ethernet->h_proto;
	union tags tags = {};

	for (int i = 0; i < MAX_TAGS; i++, tag++) {
		if ((const void *)(tag + 1) > end || !is_tag(tag->type))
			break;
		tags.tag[i] = *tag;
	}
	return tags.word;
}

/*
 * Bytes that they take. Either type of tag has the highest bit. VERIFIER: by arithmetic alone, so
 * that what follows is not verified anew for each number of tags.
 */
static __always_inline int tags_length(union tags tags)
{
	const int count = (bpf_ntohs(tags.tag[0].type) >> 15) + (bpf_ntohs(tags.tag[1].type) >> 15);

	return count * (int)sizeof(struct tag);
}

/* Bytes before the network header. `is_rare`: whether this program looks at tags. */
static __always_inline __u32 frame_header(const struct packet *packet, bool is_rare)
{
	return sizeof(struct ethhdr) + (is_rare ? tags_length(packet->tags) : 0);
}

/* Whether both are of one VLAN: priority is not what a client moves by. */
static __always_inline bool is_same_vlan(const union tags *a, const union tags *b)
{
	const struct tag vlan = {.type = 0xffff, .control = bpf_htons(0x0fff)};
	const union tags mask = {.tag = {vlan, vlan}};

	return !((a->word ^ b->word) & mask.word);
}
