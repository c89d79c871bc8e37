/*
 * Whose a backend's replies are. They are known by backend and client alone, so each client port
 * may reach a backend by one connection only: a packet that would start one claims its replies
 * first, and looks again once its entry is there.
 */
#pragma once

#include "bpf/connection_table.h"
#include "bpf/knobs.h"
#include "bpf/maps.h"
#include "include/connection.h"

/* Whether both are of one port of one client, as far as can be told without a backend. */
static __always_inline bool is_same_client(const struct connection *other, __u64 head,
					   const struct connection *wanted)
{
	return head >> 32 == wanted->head.word >> 32 &&
	       is_same_address(&other->client, &wanted->client);
}

static __always_inline bool is_same_service(const struct backend_record *a,
					    const struct backend_record *b)
{
	return a->service_port == b->service_port &&
	       is_same_address(&a->service_address, &b->service_address);
}

static __always_inline bool is_alive(const struct connection *connection, __u32 handle, __u32 now,
				     const struct backend_record *backend)
{
	const union connection_state state = {.word = load_word(&connection->state.word)};

	return connection_is_served(backend, handle) && !connection_is_closed(state.seen) &&
	       !connection_is_expired(&timeouts, backend->protocol, state.seen,
				      connection_idle(now, state.last_seen));
}

/*
 * Replies are known by backend and client alone, so one client port may reach one backend through
 * one service only. Makes sure of it before `wanted` gets this backend: a connection of the same
 * client to it that is over is forgotten, one that is alive is -1. A global function: verified
 * once, not at each of the picks.
 */
__noinline int claim_replies(const struct connection *wanted, __u64 hash, __u32 now, __u32 index)
{
	const struct backend_record *backend = bpf_map_lookup_elem(&backends, &index);
	struct connection_bucket *bucket = bucket_of(hash);

	if (!bucket || !backend || !wanted)
		return -1;
#pragma clang loop unroll(full)
	for (__u32 way = 0; way < CONNECTION_WAYS; way++) {
		struct connection *other = &bucket->way[way];
		const __u64 head = load_word(&other->head.word);
		const struct backend_record *theirs;

		if (!is_same_client(other, head, wanted))
			continue;
		theirs = backend_of((__u32)head);
		if (!theirs || is_same_service(theirs, backend) || theirs->port != backend->port ||
		    theirs->protocol != backend->protocol ||
		    !is_same_address(&theirs->address, &backend->address))
			continue;
		if (is_alive(other, (__u32)head, now, theirs))
			return -1;
		__sync_val_compare_and_swap(&other->head.word, head, 0);
	}
	return 0;
}

/* Takes back what record_connection has just made. A global function: verified once. */
__noinline int forget_connection(const struct connection *made, __u64 hash)
{
	struct connection_bucket *bucket = bucket_of(hash);

	if (!bucket || !made)
		return -1;
	for (__u32 way = 0; way < CONNECTION_WAYS; way++) {
		struct connection *ours = &bucket->way[way];
		const __u64 head = load_word(&ours->head.word);

		if (head == made->head.word && is_same_client(ours, head, made))
			__sync_val_compare_and_swap(&ours->head.word, head, 0);
	}
	return 0;
}
