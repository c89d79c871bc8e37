/*
 * The model beside the table: see bucket_model.h.
 */
#include <bpf/bpf.h>
#include <string.h>
#include "test/bpf/bucket_model.h"

static bool is_entry(const struct model *model, const struct model_entry *wanted,
		     const struct connection *entry)
{
	const uint64_t hash = hash_endpoint(model->scene->datapath->seed, &wanted->client,
					    wanted->port, wanted->protocol);
	const __u32 hop = entry->state.client_hop;
	struct way_back way = {};

	if (!wanted->used)
		return !entry->head.word;
	bpf_map_lookup_elem(bpf_map__fd(model->scene->datapath->skeleton->maps.client_hops), &hop,
			    &way);
	return entry->head.backend == wanted->handle && entry->head.client_port == wanted->port &&
	       connection_alias(entry->head, hash) == wanted->alias &&
	       entry->state.last_seen == wanted->last_seen && entry->state.seen == wanted->seen &&
	       way.hop.word == wanted->hop &&
	       !memcmp(&entry->client, &wanted->client, sizeof(entry->client));
}

bool model_is_table(const struct model *model)
{
	const struct connection *entries = model->scene->connections.memory;

	for (uint32_t way = 0; way < CONNECTION_WAYS; way++)
		if (!is_entry(model, &model->way[way], &entries[way]))
			return false;
	return true;
}
