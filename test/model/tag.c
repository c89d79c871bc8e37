/*
 * VLAN tags (IEEE 802.1Q and 802.1ad): those of a client's frames are a part of the way back to it,
 * plain ports have none, and what goes back out of the interface it came in by keeps its own.
 */
#include <linux/if_ether.h>
#include <string.h>
#include "test/model/walk.h"

#define TAGS_AT (2 * ETH_ALEN)

bool is_tag(uint16_t ethertype)
{
	return features[FEATURE_TAGS] && (ethertype == ETH_P_8021Q || ethertype == ETH_P_8021AD);
}

/* Those that are there whole, with an ethertype behind them. */
uint8_t count_tags(const struct frame *frame)
{
	size_t at = TAGS_AT;
	uint8_t count = 0;

	while (count < MODEL_TAGS && is_tag(get16(frame, at)) &&
	       at + TAG_LENGTH + 2 <= frame->length) {
		at += TAG_LENGTH;
		count++;
	}
	return count;
}

/* Another priority (IEEE 802.1Q, 9.6: the upper three bits of the second word) is no other way. */
static bool same_tags(const struct model_hop *a, const struct model_hop *b)
{
	uint8_t differing = 0;

	for (size_t i = 0; i < a->tag_count * (size_t)TAG_LENGTH; i++)
		differing |=
			(uint8_t)((a->tags[i] ^ b->tags[i]) & (i % TAG_LENGTH == 2 ? 0x0f : 0xff));
	return a->tag_count == b->tag_count && !differing;
}

bool same_way(const struct model_hop *a, const struct model_hop *b)
{
	return a->port == b->port && !memcmp(a->mac, b->mac, ETH_ALEN) && same_tags(a, b);
}

void take_tags(const struct frame *frame, struct model_hop *hop)
{
	hop->tag_count = count_tags(frame);
	memcpy(hop->tags, &frame->bytes[TAGS_AT], hop->tag_count * (size_t)TAG_LENGTH);
}

void read_tags(const struct port *port, struct model_hop *hop)
{
	while (hop->tag_count < MODEL_TAGS && port->tags.tag[hop->tag_count].type)
		hop->tag_count++;
	memcpy(hop->tags, &port->tags, sizeof(hop->tags));
}

void replace_tags(struct walk *walk, const struct model_hop *hop)
{
	const size_t had = count_tags(walk->frame) * (size_t)TAG_LENGTH;
	const size_t gets = hop->tag_count * (size_t)TAG_LENGTH;
	uint8_t *bytes = walk->frame->bytes;

	memmove(bytes + TAGS_AT + gets, bytes + TAGS_AT + had, walk->frame->length - TAGS_AT - had);
	memcpy(bytes + TAGS_AT, hop->tags, gets);
	walk->frame->length += gets - had;
}
