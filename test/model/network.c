/*
 * Whose the source of a packet is, by the longest prefix that holds it: this node's, the cluster's,
 * or somebody's outside.
 */
#include "test/model/walk.h"

/* A prefix of the one family is none of the other's. */
static bool holds(const struct model_prefix *prefix, const struct headers *packet)
{
	return prefix->is_ipv4 != packet->is_ipv6 && prefix_holds(prefix, &packet->flow.src);
}

enum network network_of_source(const struct walk *walk)
{
	const struct model *model = walk->model;
	const struct model_network *longest = NULL;

	for (uint32_t i = 0; i < model->network_count; i++) {
		const struct model_network *found = &model->networks[i];

		if (holds(&found->prefix, &walk->packet) &&
		    (!longest || found->prefix.length > longest->prefix.length))
			longest = found;
	}
	return longest ? longest->network : NETWORK_NONE;
}
