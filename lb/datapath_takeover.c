/*
 * Connections that somebody else has translated until now, put into the table as if their packets
 * had come by us.
 */
#include <bpf/libbpf.h>
#include "include/hash.h"
#include "lb/datapath_internal.h"

/* Packets note when they came once a second: an entry that is younger than this is in use. */
#define AGE_SECONDS 2

void datapath_leave_unknown(struct datapath *datapath, uint32_t protocols)
{
	__atomic_store_n(&datapath->skeleton->bss->unknown_to_stack, protocols, __ATOMIC_RELEASE);
}

static int take(const struct datapath *datapath, struct connection_bucket *buckets, uint32_t now,
		const struct taken *taken)
{
	struct comer comer = {
		.entry = {.head = {.client_port = taken->client_port},
			  .state = {.last_seen = now - AGE_SECONDS * datapath->jiffies_per_second,
				    .seen = taken->seen},
			  .client = taken->client},
	};

	datapath_get_backend(datapath, taken->backend, &comer.backend);
	comer.hash = hash_endpoint(datapath->seed, &taken->client, taken->client_port,
				   comer.backend.protocol);
	comer.entry.head.backend = comer.backend.handle;
	comer.entry.head.tag = hash_tag(comer.hash);
	return connections_put(datapath, buckets, &comer);
}

int datapath_take_connections(struct datapath *datapath, struct taken *list, size_t count)
{
	struct mapping table = {};
	uint32_t now;
	int error = clock_read(datapath, &now);

	if (!error)
		error = mapping_open(&table, datapath->skeleton->maps.connections);
	for (size_t i = 0; !error && i < count; i++)
		list[i].answer = take(datapath, table.memory, now, &list[i]);
	mapping_close(&table);
	return error;
}
