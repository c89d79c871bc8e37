/*
 * Masqueraded connections as they are seen from outside the packet path: what they leave as, and
 * the removal of what is left of those that are gone.
 *
 * A connection has two elements (bpf/masquerade_table.h). Of one that is gone that of requests goes
 * first; that of replies, the claim on the port, when it has been alone for a while: a connection
 * that begins again in the meantime finds its claim.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include "include/connection.h"
#include "include/masquerade.h"
#include "lb/datapath_internal.h"

#define GRACE_SECONDS 10 /* from when it was made or was left alone */

static int masquerades_map(const struct datapath *datapath)
{
	return bpf_map__fd(datapath->skeleton->maps.masquerades);
}

/* Packets ask only where there are some: those of an earlier lbd, too. */
void masquerades_open(struct datapath *datapath)
{
	struct flow first;

	if (!bpf_map_get_next_key(masquerades_map(datapath), NULL, &first))
		datapath->skeleton->bss->masquerading = 1;
}

int datapath_set_masquerade_source(struct datapath *datapath, uint32_t port,
				   const struct masquerade_source *source)
{
	const int map = bpf_map__fd(datapath->skeleton->maps.masquerade_sources);

	return bpf_map_update_elem(map, &port, source, BPF_ANY) ? -errno : 0;
}

bool masquerades_find(const struct datapath *datapath, const struct flow *request,
		      struct masquerade_record *found)
{
	return !bpf_map_lookup_elem(masquerades_map(datapath), request, found) &&
	       found->direction == DIRECTION_REQUEST;
}

static bool is_of(const struct connection *connection, const struct flow *request, uint32_t handle)
{
	return connection->head.backend == handle &&
	       connection->head.client_port == request->src_port &&
	       !memcmp(&connection->client, &request->src, sizeof(request->src));
}

/* Whether the connection of these requests to that backend has an entry, and has not expired. */
static bool is_alive(const struct datapath *datapath, const struct flow *request, uint32_t handle,
		     uint32_t now)
{
	const struct bpf_map *map = datapath->skeleton->maps.connections;
	const uint64_t hash =
		hash_endpoint(datapath->seed, &request->src, request->src_port, request->protocol);
	const uint32_t index = hash_bucket(hash, bpf_map__max_entries(map));
	struct connection_bucket bucket;

	if (bpf_map_lookup_elem(bpf_map__fd(map), &index, &bucket))
		return true; /* it cannot be told */
	for (uint32_t way = 0; way < CONNECTION_WAYS; way++) {
		const struct connection *connection = &bucket.way[way];
		const uint32_t idle = connection_idle(now, connection->state.last_seen);

		if (is_of(connection, request, handle) &&
		    !connection_is_expired(&datapath->timeouts, request->protocol,
					   connection->state.seen, idle))
			return true;
	}
	return false;
}

static bool has_request(const struct datapath *datapath, const struct flow *reply,
			const struct flow *request)
{
	struct masquerade_record found;

	return masquerades_find(datapath, request, &found) &&
	       !memcmp(&found.other, reply, sizeof(*reply));
}

/* The claim of a connection that is gone stays a while. */
static void leave_alone(struct datapath *datapath, const struct flow *reply, uint32_t now)
{
	struct masquerade_record claim;

	if (bpf_map_lookup_elem(masquerades_map(datapath), reply, &claim))
		return;
	claim.made = now;
	bpf_map_update_elem(masquerades_map(datapath), reply, &claim, BPF_EXIST);
}

static bool is_over(struct datapath *datapath, const struct flow *key, uint32_t now)
{
	const uint32_t grace = GRACE_SECONDS * datapath->jiffies_per_second;
	struct masquerade_record element;

	if (bpf_map_lookup_elem(masquerades_map(datapath), key, &element) ||
	    connection_idle(now, element.made) < grace)
		return false;
	if (element.direction == DIRECTION_REPLY)
		return !has_request(datapath, key, &element.other) &&
		       !is_alive(datapath, &element.other, element.backend, now);
	if (is_alive(datapath, key, element.backend, now))
		return false;
	leave_alone(datapath, &element.other, now);
	return true;
}

int datapath_sweep_masquerades(struct datapath *datapath, struct masquerade_cursor *cursor,
			       uint32_t most)
{
	const int map = masquerades_map(datapath);
	const uint32_t capacity = bpf_map__max_entries(datapath->skeleton->maps.masquerades);
	struct flow next;
	uint32_t now;
	int error = clock_read(datapath, &now);

	if (error)
		return error;
	for (uint32_t i = 0; i < most; i++) {
		/* Where the last one is gone the kernel begins again: never more than all. */
		error = cursor->visited++ > capacity ||
			bpf_map_get_next_key(map, cursor->is_under_way ? &cursor->at : NULL, &next);
		if (cursor->is_over)
			bpf_map_delete_elem(map, &cursor->at);
		if (error) {
			*cursor = (struct masquerade_cursor){.left = cursor->kept};
			return 0;
		}
		cursor->at = next;
		cursor->is_under_way = true;
		cursor->is_over = is_over(datapath, &next, now);
		cursor->kept += !cursor->is_over;
	}
	return 1;
}
