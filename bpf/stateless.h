/*
 * Balancing without an entry: what a service gets beyond --max-new-connections (a second, on each
 * CPU) goes to the backend that its ring names and is not remembered, so that a flood costs neither
 * entries nor the time to make them. The next packet of the same flow finds the same backend in the
 * ring; one that comes when the flood is over gets an entry, as any packet without one does.
 *
 * A reply then has no entry to be found by. The backend's end of the flow tells the service, where
 * it is of one service alone (the map backend_ends; others are not balanced so), and a small table
 * by the client's hash tells which way the client's last packet came. What is not in it is not
 * taken for a reply.
 */
#pragma once

#include "bpf/client_hop.h"
#include "bpf/connection_table.h"
#include "bpf/knobs.h"
#include "bpf/maps.h"
#include "bpf/packet.h"
#include "bpf/part.h"

/*
 * Of a new connection of this service: is it one too many? Counts it. Global functions here and
 * below: verified once, not on each way to them.
 */
__noinline int is_one_too_many(__u32 service, __u32 now)
{
	struct service_counter *counter = bpf_map_lookup_elem(&service_counters, &service);

	if (!counter)
		return 0;
	if (now - counter->second >= jiffies_per_second) {
		counter->second = now;
		counter->started = 0;
	}
	return counter->started++ >= max_new_connections;
}

/* The index of the one backend that an end of a flow is of; 0: none, or there are several. */
__noinline int backend_of_end(const struct end_key *end)
{
	const struct backend_end *known;
	struct end_key own;

	if (!end)
		return 0; /* VERIFIER: a global function's pointers may be NULL */
	own = *end;       /* VERIFIER: the key of a map may not be the caller's (6.1) */
	known = bpf_map_lookup_elem(&backend_ends, &own);
	return known && known->count == 1 ? known->backends : 0;
}

static __always_inline union stateless_hop *stateless_hop_of(__u64 client_hash)
{
	const __u32 index = (__u32)client_hash % STATELESS_HOPS;

	return bpf_map_lookup_elem(&stateless_hops, &index);
}

/* That another client overwrites it costs a reply: its packet is sent again. */
__noinline int remember_way(__u64 client_hash, __u32 now, __u16 hop)
{
	const union stateless_hop way = {
		.client = client_hash >> 32, .last_seen = (__u16)now, .hop = hop};
	union stateless_hop *there = stateless_hop_of(client_hash);

	if (there)
		*(volatile __u64 *)&there->word = way.word;
	return !there;
}

/* The index in client_hops of the way that a client's last packet came; 0: it did not come so. */
__noinline int recall_way(__u64 client_hash, __u32 now)
{
	const union stateless_hop *there = stateless_hop_of(client_hash);
	union stateless_hop way;

	if (!there)
		return 0;
	way.word = load_word(&there->word);
	if (way.client != (__u32)(client_hash >> 32) ||
	    (__u16)(now - way.last_seen) > timeouts.tcp_opening)
		return 0;
	return way.hop;
}

/* Of two packets of one flow: does the ring name the same backend for both, and nothing else? */
static __always_inline bool is_stable(const struct service_record *service)
{
	return !service->affinity_seconds && !(service->flags & SERVICE_NEEDS_ENTRIES) &&
	       (service->algorithm == ALGORITHM_MAGLEV ||
		service->algorithm == ALGORITHM_SOURCE_HASH);
}

static __always_inline struct end_key end_of(const struct backend_record *backend)
{
	return (struct end_key){
		.address = backend->address, .port = backend->port, .protocol = backend->protocol};
}

/*
 * Whether packets for this backend leave by a port of ours. A process of this node answers by the
 * stack, where without an entry nobody knows whose replies those are.
 */
static __always_inline bool is_away(const struct backend_record *backend)
{
	const __u32 index = backend->nexthop;
	const struct nexthop *hop = bpf_map_lookup_elem(&nexthops, &index);

	return hop && hop->port;
}

/*
 * A packet that would start a connection to this backend: if it is one too many and can do without
 * an entry, it goes on in the program `stateless` and does not come back.
 */
static __always_inline void part_with_one_too_many(const struct packet *packet,
						   const struct service_record *service,
						   const struct backend_record *backend)
{
	const struct end_key end = end_of(backend);

	if (max_new_connections && is_stable(service) && !packet->has_siblings &&
	    is_one_too_many(service->service, packet->now) &&
	    (__u32)backend_of_end(&end) == (backend->handle & BACKEND_INDEX_MASK) &&
	    is_away(backend))
		part(packet, PROGRAM_STATELESS);
}

/* The same of a reply that no entry knows, if its client's last packet was balanced so. */
static __always_inline void part_with_stateless_reply(const struct packet *packet,
						      __u64 client_hash)
{
	if (max_new_connections && recall_way(client_hash, packet->now))
		part(packet, PROGRAM_STATELESS);
}
