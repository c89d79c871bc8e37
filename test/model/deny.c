/*
 * Denied sources: the longest prefix that holds the source drops the packet and counts it.
 * Neighbour discovery goes on (RFC 4861, 4: ICMPv6 133 to 137), ARP is no IP packet at all.
 */
#include <linux/in.h>
#include <linux/in6.h>
#include "test/model/walk.h"

#define ND_FIRST 133
#define ND_LAST 137

static bool is_neighbour_discovery(const struct walk *walk)
{
	const struct headers *packet = &walk->packet;
	const size_t type = packet->ip + IPV6_HEADER;

	return packet->is_ipv6 && walk->frame->bytes[packet->ip + 6] == IPPROTO_ICMPV6 &&
	       type < walk->frame->length && walk->frame->bytes[type] >= ND_FIRST &&
	       walk->frame->bytes[type] <= ND_LAST;
}

/* The family is the header's: an IPv4-mapped address in an IPv6 header is no IPv4 address. */
static bool holds(const struct model_prefix *prefix, const struct headers *packet)
{
	return prefix->is_ipv4 != packet->is_ipv6 && prefix_holds(prefix, &packet->flow.src);
}

enum verdict check_denied(struct walk *walk)
{
	struct model *model = walk->model;
	uint32_t longest = MODEL_NONE;

	for (uint32_t i = 0; i < model->denied_count; i++)
		if (holds(&model->denied[i], &walk->packet) &&
		    (longest == MODEL_NONE ||
		     model->denied[i].length > model->denied[longest].length))
			longest = i;
	if (longest == MODEL_NONE || is_neighbour_discovery(walk))
		return VERDICT_CONTINUE;
	model->denied_counters[longest].packets++;
	model->denied_counters[longest].bytes += walk->frame->length;
	return VERDICT_DROP_DENIED;
}
