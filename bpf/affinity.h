/*
 * Affinity: for how long after its last connection began a client comes back to the same backend of
 * a service. Only services that ask for it come here, and only packets that start a connection.
 */
#pragma once

#include "bpf/connection_table.h"
#include "bpf/knobs.h"
#include "bpf/maps.h"
#include "include/connection.h"

/* Of the client that `wanted` is to be a connection of; NULL: there is none, or it was evicted. */
static __always_inline union affinity *find_affinity(const struct connection *wanted, __u32 service)
{
	const struct affinity_key key = {.client = wanted->client, .service = service};

	return bpf_map_lookup_elem(&affinity, &key);
}

/*
 * Where it leads at the time `now`: the index of the backend, if it was noted no longer ago than so
 * many seconds and the backend still takes new connections of the service; else 0.
 */
static __always_inline __u32 leads_to(union affinity known, __u32 service, __u32 seconds, __u32 now)
{
	const struct backend_record *backend;

	if (connection_idle(now, known.last) > seconds * jiffies_per_second)
		return 0;
	backend = backend_of(known.backend);
	if (!backend || backend->handle != known.backend || backend->service != service ||
	    backend->state != BACKEND_ACTIVE)
		return 0;
	return known.backend & BACKEND_INDEX_MASK;
}

/* Where the client's affinity leads. A global function, for the sake of the stack. */
__noinline int affine_backend(const struct connection *wanted, __u32 service, __u32 seconds)
{
	union affinity *there, known;

	if (!wanted)
		return 0; /* VERIFIER: a global function's pointers may be NULL */
	there = find_affinity(wanted, service);
	if (!there)
		return 0;
	known.word = load_word(&there->word);
	return (int)leads_to(known, service, seconds, wanted->state.last_seen);
}

/*
 * Notes where a connection has gone, unless it only could not go where the client's others do. What
 * is there is written in place, as one word: an update of a key that a full LRU map has evicts
 * others. An entry that the map gives to another client between finding and writing leads that one
 * to this backend, which is nothing to it unless it is of the same service. Without room or memory
 * there is no affinity.
 */
__noinline int note_affinity(const struct connection *made, __u32 service, __u32 seconds)
{
	struct affinity_key key = {.service = service};
	union affinity *there, fresh = {}, known;

	if (!made)
		return -1;
	fresh.backend = made->head.backend;
	fresh.last = made->state.last_seen;
	there = find_affinity(made, service);
	if (!there) {
		key.client = made->client;
		return (int)bpf_map_update_elem(&affinity, &key, &fresh, BPF_ANY);
	}
	known.word = load_word(&there->word);
	if (known.backend == fresh.backend || !leads_to(known, service, seconds, fresh.last))
		*(volatile __u64 *)&there->word = fresh.word;
	return 0;
}
