/*
 * Step service: of a packet that no connection knows, is it for a service? Then picks a backend by
 * the service's ring and records the connection in both directions, the reply's entry first, so
 * that no answer can come before we know it.
 *
 * Ends with PASS_NO_SERVICE, PASS_OTHER_HOST, DROP_NO_BACKEND, DROP_COLLISION, DROP_TABLE.
 *
 * The ring is read as one word from the service's record. lbd replaces a record by a new element
 * and reuses the range of the old ring only after a grace period, so a packet sees the old ring or
 * the new one whole.
 */
#pragma once

#include <linux/errno.h>
#include "bpf/knobs.h"
#include "bpf/maps.h"
#include "bpf/packet.h"
#include "include/connection.h"
#include "include/hash.h"
#include "include/verdict.h"

/* Slots tried until one gives a backend whose replies to this client are not another service's. */
#define MAX_PICKS 16

/* One load: never the offset of one ring with the length of another. */
static __always_inline struct ring load_ring(const struct ring *ring)
{
	__u64 word = *(const volatile __u64 *)ring;
	struct ring copy;

	__builtin_memcpy(&copy, &word, sizeof(copy));
	return copy;
}

static __always_inline __u32 slot_of(const struct packet *packet,
				     const struct service_record *service, __u32 length)
{
	struct traffic_counter *counter;
	__u32 id = service->service;

	if (service->algorithm == ALGORITHM_SOURCE_HASH)
		return hash_slot(hash_client(&packet->flow), length);
	if (service->algorithm == ALGORITHM_RANDOM)
		return hash_slot(bpf_get_prandom_u32(), length);
	if (service->algorithm == ALGORITHM_ROUND_ROBIN) {
		counter = bpf_map_lookup_elem(&service_counters, &id);
		return counter ? counter->connections % length : 0;
	}
	return hash_slot(hash_flow(&packet->flow), length);
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

/*
 * Replies are known by backend and client alone, so one client port may reach one backend through
 * one service only. An entry that has expired, is closed or is our own does not count, nor one
 * whose backend is gone: its replies are dropped.
 */
static __always_inline bool collides(const struct connection *reply, const struct connection *other,
				     __u8 protocol)
{
	if (!other || connection_is_expired(&timeouts, protocol, other, reply->last_seen_ns))
		return false;
	if (other->direction == DIRECTION_REPLY && other->service == reply->service)
		return false;
	if (!serves(bpf_map_lookup_elem(&backends, &other->backend), other->generation))
		return false;
	return !connection_is_closed(other->seen);
}

static __always_inline int record_entry(const struct flow *flow, struct connection *old,
					const struct connection *connection)
{
	if (!old)
		return bpf_map_update_elem(&connections, flow, connection, BPF_ANY);
	*old = *connection;
	return 0;
}

/*
 * Both entries, or none that matters; `known` is the old entry of the request's flow, if any. 0,
 * -EEXIST where it collides, or what the map says. A global function: it has a stack of its own and
 * is verified once, not at each of the picks.
 */
__noinline int record_connection(const struct flow *flow, struct connection *request,
				 struct connection *known, bool is_ipv6)
{
	struct connection reply, *other;
	struct flow reply_flow;
	int error;

	if (!flow || !request)
		return -EINVAL; /* VERIFIER: a global function's pointers may be NULL */
	connection_reverse(flow, request, hairpin_of(is_ipv6), &reply_flow, &reply);
	other = bpf_map_lookup_elem(&connections, &reply_flow);
	if (collides(&reply, other, flow->protocol))
		return -EEXIST;
	error = record_entry(&reply_flow, other, &reply);
	return error ? error : record_entry(flow, known, request);
}

static __always_inline enum verdict send_to(struct packet *packet, __u32 index,
					    const struct backend_record *backend)
{
	struct connection request = {
		.last_seen_ns = packet->now_ns,
		.client = packet->hop,
		.backend = index,
		.generation = backend->generation,
		.translation = backend->address,
		.translation_port = backend->port,
		.direction = DIRECTION_REQUEST,
		.service = packet->service,
	};
	struct nexthop *hop = bpf_map_lookup_elem(&nexthops, &backend->nexthop);
	const bool starts = !(packet->tcp_flags & (TCP_FIN | TCP_RST));
	int error = 0;

	/*
	 * A lone FIN or RST is translated but makes no state: it may be the end of a connection we
	 * forgot, and nothing follows it.
	 */
	if (starts)
		error = record_connection(&packet->flow, &request, packet->known, packet->is_ipv6);
	if (error)
		return error == -EEXIST ? VERDICT_DROP_COLLISION : VERDICT_DROP_TABLE;
	packet->is_new = starts;
	packet->backend = index;
	packet->direction = DIRECTION_REQUEST;
	set_translation(packet, &request);
	packet->hop = load_nexthop(hop);
	return VERDICT_CONTINUE;
}

static __always_inline enum verdict find_service(struct packet *packet)
{
	struct service_key key = {
		.address = packet->flow.dst,
		.port = packet->flow.dst_port,
		.protocol = packet->flow.protocol,
	};
	enum verdict verdict = VERDICT_DROP_NO_BACKEND;
	struct service_record *service;
	struct backend_record *backend;
	struct ring ring;
	__u32 slot, index;

	if (packet->service)
		return VERDICT_CONTINUE; /* of a known connection */
	service = bpf_map_lookup_elem(&services, &key);
	if (!service)
		return VERDICT_PASS_NO_SERVICE;
	packet->service = service->service;
	packet->now_ns = bpf_ktime_get_coarse_ns();
	if (!learn_sender(packet, &packet->hop))
		return VERDICT_PASS_OTHER_HOST;
	ring = load_ring(&service->ring);
	if (!ring.length)
		return VERDICT_DROP_NO_BACKEND;
	slot = slot_of(packet, service, ring.length);
	for (int pick = 0; pick < MAX_PICKS; pick++) {
		backend = backend_at(ring, slot, &index);
		if (!backend)
			return VERDICT_DROP_NO_BACKEND;
		/* Not where the slot was read just before the backend went. */
		if (serves(backend, backend->generation)) {
			verdict = send_to(packet, index, backend);
			if (verdict != VERDICT_DROP_COLLISION)
				return verdict;
		}
		slot = slot + 1 == ring.length ? 0 : slot + 1;
	}
	return verdict;
}
