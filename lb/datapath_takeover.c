/*
 * Connections that somebody else has translated until now, put into the table as if their packets
 * had come by us. As packets do it (bpf/claim.h), an entry is claimed, filled, and then told.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include "include/connection.h"
#include "include/hash.h"
#include "lb/address.h"
#include "lb/datapath_internal.h"

void datapath_leave_unknown(struct datapath *datapath, uint32_t protocols)
{
	__atomic_store_n(&datapath->skeleton->bss->unknown_to_stack, protocols, __ATOMIC_RELEASE);
}

/* The backend that an entry leads to, if its client's end is that of the connection. */
static bool find_backend(const struct datapath *datapath, const struct connection *way,
			 const struct taken *taken, struct backend_record *backend)
{
	const union connection_head head = {
		.word = __atomic_load_n(&way->head.word, __ATOMIC_ACQUIRE) & ~HEAD_UNSETTLED};
	const uint32_t index = head.backend & BACKEND_INDEX_MASK;

	if (!head.word || head.client_port != taken->client_port ||
	    index >= datapath_capacity_backends(datapath) ||
	    !address_equal(&way->client, &taken->client))
		return false;
	datapath_get_backend(datapath, index, backend);
	return backend->handle == head.backend;
}

/* How an entry of the same client's end stands to the connection; 0: it does not concern it. */
static int relate(const struct backend_record *theirs, const struct backend_record *ours)
{
	if (theirs->handle == ours->handle)
		return TAKEN_IS_THERE;
	if (theirs->protocol != ours->protocol)
		return 0;
	if ((theirs->port == ours->port && address_equal(&theirs->address, &ours->address)) ||
	    (theirs->service_port == ours->service_port &&
	     address_equal(&theirs->service_address, &ours->service_address)))
		return TAKEN_IS_IN_THE_WAY;
	return 0;
}

/* What is in the bucket but `own` that concerns the connection: the same, or one in its way. */
static int look(const struct datapath *datapath, const struct connection_bucket *bucket,
		const struct taken *taken, const struct backend_record *ours,
		const struct connection *own)
{
	struct backend_record theirs;
	int related = 0;

	for (uint32_t i = 0; i < CONNECTION_WAYS && !related; i++)
		if (&bucket->way[i] != own &&
		    find_backend(datapath, &bucket->way[i], taken, &theirs))
			related = relate(&theirs, ours);
	return related;
}

/* Claims a free entry and fills it, which is then not settled yet. NULL: there is none. */
static struct connection *fill(struct connection_bucket *bucket, uint64_t hash,
			       const struct connection *entry)
{
	for (uint32_t turn = 0; turn < CONNECTION_WAYS; turn++) {
		struct connection *way = &bucket->way[((uint32_t)hash + turn) % CONNECTION_WAYS];

		if (entry_fill(way, entry))
			return way;
	}
	return NULL;
}

static int put(const struct datapath *datapath, struct connection_bucket *bucket, uint64_t hash,
	       const struct taken *taken, const struct backend_record *backend, uint32_t now)
{
	const struct connection entry = {
		.head = {.backend = backend->handle,
			 .client_port = taken->client_port,
			 .tag = hash_tag(hash)},
		.state = {.last_seen = now, .seen = taken->seen},
		.client = taken->client,
	};
	int related = look(datapath, bucket, taken, backend, NULL);
	struct connection *way;

	if (related)
		return related;
	way = fill(bucket, hash, &entry);
	if (!way)
		return -ENOSPC;
	related = look(datapath, bucket, taken, backend, way);
	__atomic_store_n(&way->head.word, related ? 0 : entry.head.word, __ATOMIC_RELEASE);
	return related;
}

static int take(const struct datapath *datapath, struct connection_bucket *buckets, uint32_t now,
		const struct taken *taken)
{
	const uint32_t count = bpf_map__max_entries(datapath->skeleton->maps.connections);
	struct backend_record backend;
	uint64_t hash;

	datapath_get_backend(datapath, taken->backend, &backend);
	hash = hash_endpoint(datapath->seed, &taken->client, taken->client_port, backend.protocol);
	return put(datapath, &buckets[hash_bucket(hash, count)], hash, taken, &backend, now);
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
