/*
 * A service for clients inside, and what a slot of a service's ring leads to: for all that pick a
 * backend.
 */
#pragma once

#include "bpf/maps.h"
#include "include/connection.h"

/* Slots tried until one gives a backend that serves and whose replies are not another service's. */
#define MAX_PICKS 16

/* Of a client inside: the service for those, if there is one; `key` is that of `service`. */
static __always_inline const struct service_record *inside_or(const struct service_record *service,
							      struct service_key *key)
{
	const struct service_record *inside;

	key->scope = SCOPE_INSIDE;
	inside = bpf_map_lookup_elem(&services, key);
	return inside ? inside : service;
}

/* One load: never the offset of one ring with the length of another. */
static __always_inline struct ring load_ring(const struct ring *ring)
{
	const __u64 word = load_word((const __u64 *)ring);
	struct ring copy;

	__builtin_memcpy(&copy, &word, sizeof(copy));
	return copy;
}

/* NULL only where lbd has written no such slot. */
static __always_inline struct backend_record *backend_at(struct ring ring, __u32 slot, __u32 *index)
{
	__u32 position = ring.offset + slot;
	__u32 row_index = position / RING_ROW_SLOTS;
	struct ring_row *row = bpf_map_lookup_elem(&rings, &row_index);

	if (!row)
		return NULL;
	*index = row->backend[position % RING_ROW_SLOTS];
	return bpf_map_lookup_elem(&backends, index);
}

/* Not where the slot was read just before the backend went, or became another's. */
static __always_inline bool may_take(const struct backend_record *backend, __u32 service)
{
	return connection_is_served(backend, backend->handle) && backend->service == service;
}
