/*
 * Step service: of a packet that no connection knows, is it for a service? Then picks a backend, by
 * the service's affinity, by the ring of before if it is of an old connection, or by its ring, and
 * records the connection.
 *
 * Ends with PASS_NO_SERVICE, PASS_OTHER_HOST, PASS_TAKEOVER, DROP_MARTIAN, DROP_SOURCE_RANGE,
 * DROP_NO_BACKEND, DROP_UNSERVED, DROP_COLLISION, DROP_TABLE.
 *
 * A ring is read as one word from the service's record. lbd replaces a record by a new element and
 * gives the range of an old ring to another service only after a grace period. A range of the same
 * service may be filled anew before: each slot is the old backend or the new one.
 */
#pragma once

#include "bpf/affinity.h"
#include "bpf/alias.h"
#include "bpf/claim.h"
#include "bpf/client_hop.h"
#include "bpf/connection_table.h"
#include "bpf/knobs.h"
#include "bpf/maps.h"
#include "bpf/network.h"
#include "bpf/packet.h"
#include "bpf/part.h"
#include "bpf/ring.h"
#include "bpf/source.h"
#include "bpf/stateless.h"
#include "include/connection.h"
#include "include/hash.h"
#include "include/verdict.h"

static __always_inline __u32 slot_of(const struct packet *packet,
				     const struct service_record *service, __u32 length)
{
	const __u32 id = service->service;
	struct service_counter *counter;

	if (service->algorithm == ALGORITHM_SOURCE_HASH)
		return hash_slot(hash_client(&packet->flow), length);
	if (service->algorithm == ALGORITHM_RANDOM)
		return hash_slot(bpf_get_prandom_u32(), length);
	if (service->algorithm == ALGORITHM_ROUND_ROBIN) {
		counter = bpf_map_lookup_elem(&service_counters, &id);
		return counter ? counter->turns++ % length : 0;
	}
	return hash_slot(hash_flow(&packet->flow), length);
}

/* What slot_of has drawn was in vain: the program for what is rare draws again. */
static __always_inline void give_turn_back(const struct service_record *service)
{
	const __u32 id = service->service;
	struct service_counter *counter;

	if (service->algorithm != ALGORITHM_ROUND_ROBIN)
		return;
	counter = bpf_map_lookup_elem(&service_counters, &id);
	if (counter)
		counter->turns--;
}

/*
 * Where the SYN of this flow was sent by the ring before the present one, if the backend there
 * still serves; 0: it does not, none is kept, or it cannot be told, since chance and turns leave no
 * trace. A global function: verified once.
 */
__noinline int previous_backend(const struct flow *flow, const struct service_record *service)
{
	const struct backend_record *backend;
	struct ring ring;
	__u32 hash, index;

	if (!flow || !service)
		return 0; /* VERIFIER: a global function's pointers may be NULL */
	ring = load_ring(&service->previous);
	if (!ring.length || service->algorithm == ALGORITHM_RANDOM ||
	    service->algorithm == ALGORITHM_ROUND_ROBIN)
		return 0;
	hash = service->algorithm == ALGORITHM_SOURCE_HASH ? hash_client(flow) : hash_flow(flow);
	backend = backend_at(ring, hash_slot(hash, ring.length), &index);
	if (!backend || backend->service != service->service ||
	    !connection_is_served(backend, backend->handle))
		return 0;
	return (int)index;
}

static __always_inline bool may_have(const struct packet *packet, const struct connection *wanted,
				     __u32 index)
{
	return !packet->has_siblings ||
	       !claim_replies(wanted, packet->client_hash, packet->now, index);
}

/*
 * The index of the backend of the first slot from `slot` on that names one which serves and does
 * not collide with a connection that `wanted`'s client has (NULL: it has none); 0 where none
 * serves, the first one's negated where they all collide. `word`: the ring. A global function:
 * verified once.
 */
__noinline int search_ring(const struct connection *wanted, __u64 hash, __u32 service, __u64 word,
			   __u32 slot)
{
	const struct backend_record *backend;
	struct ring ring;
	int none = 0;
	__u32 index;

	__builtin_memcpy(&ring, &word, sizeof(ring));
	for (int pick = 0; pick < MAX_PICKS; pick++) {
		backend = backend_at(ring, slot, &index);
		if (!backend)
			return none;
		if (may_take(backend, service)) {
			if (!wanted || !claim_replies(wanted, hash, wanted->state.last_seen, index))
				return (int)index;
			none = none ? none : -(int)index;
		}
		slot = slot + 1 == ring.length ? 0 : slot + 1;
	}
	return none;
}

/*
 * The same; with DROP_COLLISION where they all collide, 0 with another verdict where none serves.
 * Mostly the first slot decides.
 */
static __always_inline __u32 pick_backend(const struct packet *packet,
					  const struct connection *wanted, struct ring ring,
					  __u32 slot, enum verdict *verdict)
{
	const struct backend_record *backend;
	__u32 index;
	__u64 word;
	int found;

	*verdict = VERDICT_CONTINUE;
	backend = backend_at(ring, slot, &index);
	if (backend && !packet->has_siblings && may_take(backend, packet->service))
		return index;
	__builtin_memcpy(&word, &ring, sizeof(word));
	found = search_ring(packet->has_siblings ? wanted : NULL, packet->client_hash,
			    packet->service, word, slot);
	if (found <= 0)
		*verdict = found ? VERDICT_DROP_COLLISION : VERDICT_DROP_NO_BACKEND;
	return found < 0 ? -found : found;
}

/* Makes the connection's entry. Ends with DROP_TABLE and DROP_COLLISION. */
static __always_inline enum verdict start_connection_by(struct packet *packet, __u16 client_hop,
							struct connection *wanted)
{
	int refused;

	wanted->state.client_hop = client_hop;
	refused = record_connection(wanted, packet->client_hash, packet->now, packet->known,
				    packet->known_head);
	if (refused)
		return refused < 0 ? VERDICT_DROP_TABLE : VERDICT_DROP_COLLISION;
	packet->is_new = true;
	return VERDICT_CONTINUE;
}

static __always_inline enum verdict start_connection(struct packet *packet, __u16 in,
						     struct connection *wanted)
{
	return start_connection_by(packet, learn_sender(packet, in), wanted);
}

static __always_inline enum verdict send_to(struct packet *packet, __u16 in,
					    const struct service_record *service,
					    struct connection *wanted, __u32 index)
{
	const struct backend_record *backend = bpf_map_lookup_elem(&backends, &index);
	enum verdict verdict;

	if (!backend)
		return VERDICT_DROP_NO_BACKEND;
	wanted->head.backend = backend->handle;
	/*
	 * A lone FIN or RST is translated but makes no state: it may be the end of a connection we
	 * forgot, and nothing follows it.
	 */
	if (!(packet->tcp_flags & (TCP_FIN | TCP_RST))) {
		part_with_one_too_many(packet, service, backend);
		verdict = start_connection(packet, in, wanted);
		if (verdict != VERDICT_CONTINUE)
			return verdict;
	}
	set_backend(packet, DIRECTION_REQUEST, backend);
	return VERDICT_CONTINUE;
}

/*
 * Where the client's affinity leads; 0: nowhere. Where this connection's replies would collide,
 * with DROP_COLLISION: an alias there is better than another backend.
 */
static __always_inline __u32 pick_affine(const struct packet *packet,
					 const struct service_record *service,
					 const struct connection *wanted, enum verdict *verdict)
{
	const __u32 index = affine_backend(wanted, packet->service, service->affinity_seconds);

	*verdict = VERDICT_CONTINUE;
	if (!index || may_have(packet, wanted, index))
		return index;
	*verdict = VERDICT_DROP_COLLISION;
	return may_have_alias(packet) ? index : 0;
}

/*
 * From the middle of a connection that is not remembered: evicted, or it came by another node until
 * now. It began by a SYN, which met the ring of then.
 */
static __always_inline bool is_of_old_connection(const struct packet *packet)
{
	return packet->flow.protocol == IPPROTO_TCP && !(packet->tcp_flags & TCP_SYN);
}

static __always_inline __u32 pick_previous(const struct packet *packet,
					   const struct service_record *service,
					   const struct connection *wanted)
{
	const __u32 index = previous_backend(&packet->flow, service);

	return index && may_have(packet, wanted, index) ? index : 0;
}

/*
 * A backend that the client's port can have; with DROP_COLLISION one that it can have with an alias
 * alone; 0 with another verdict.
 */
static __always_inline __u32 choose_backend(const struct packet *packet,
					    const struct service_record *service,
					    const struct connection *wanted, enum verdict *verdict)
{
	const struct ring ring = load_ring(&service->ring);
	__u32 index;

	if (service->affinity_seconds) {
		index = pick_affine(packet, service, wanted, verdict);
		if (index)
			return index;
	}
	*verdict = VERDICT_CONTINUE;
	if (is_of_old_connection(packet)) {
		index = pick_previous(packet, service, wanted);
		if (index)
			return index;
	}
	*verdict = VERDICT_DROP_NO_BACKEND;
	if (!ring.length)
		return 0;
	index = pick_backend(packet, wanted, ring, slot_of(packet, service, ring.length), verdict);
	if (*verdict == VERDICT_DROP_COLLISION && !packet->is_rare)
		give_turn_back(service);
	return index;
}

static __always_inline bool is_left_to_stack(const struct packet *packet)
{
	if (packet->flow.protocol != IPPROTO_TCP)
		return unknown_to_stack & UNKNOWN_OTHERS;
	return unknown_to_stack & (is_opening(packet) ? UNKNOWN_SYNS : UNKNOWN_TCP);
}

/* Whether this is a client of those inside, for whom there is another service. */
static __always_inline bool has_another(const struct packet *packet,
					const struct service_record *service)
{
	return service->flags & SERVICE_HAS_INSIDE &&
	       network_of(&packet->flow.src, packet->is_ipv6) != NETWORK_NONE;
}

/* Of the packet's destination: that for clients inside, where it has one and this is such. */
static __always_inline const struct service_record *find_record(const struct packet *packet)
{
	struct service_key key = {
		.address = packet->flow.dst,
		.port = packet->flow.dst_port,
		.protocol = packet->flow.protocol,
	};
	const struct service_record *service = bpf_map_lookup_elem(&services, &key);

	return service && has_another(packet, service) ? inside_or(service, &key) : service;
}

/* Whether its client's address is to become ours, if its backend is elsewhere. */
static __always_inline bool is_to_be_masqueraded(const struct packet *packet,
						 const struct service_record *service)
{
	const __u8 asks = SERVICE_MASQUERADES_STRANGERS | SERVICE_MASQUERADES_OTHERS;
	int network;

	if (!(service->flags & asks))
		return false;
	network = network_of(&packet->flow.src, packet->is_ipv6);
	return network == NETWORK_NONE ||
	       (network == NETWORK_CLUSTER && service->flags & SERVICE_MASQUERADES_OTHERS);
}

static __always_inline enum verdict leave_unserved(const struct service_record *service)
{
	return service->flags & SERVICE_DROPS_UNSERVED ? VERDICT_DROP_UNSERVED
						       : VERDICT_DROP_NO_BACKEND;
}

static __always_inline enum verdict balance(struct packet *packet, bool is_rare)
{
	struct connection wanted = {
		.head = {.client_port = packet->flow.src_port,
			 .tag = hash_tag(packet->client_hash)},
		.state = {.last_seen = packet->now},
		.client = packet->flow.src,
	};
	const struct service_record *service;
	enum verdict verdict;
	__u32 index;
	__u16 in;

	service = find_record(packet);
	if (!service)
		return VERDICT_PASS_NO_SERVICE;
	packet->service = service->service;
	if (!is_for_us(packet, &in))
		return VERDICT_PASS_OTHER_HOST;
	if (unknown_to_stack && is_left_to_stack(packet))
		return VERDICT_PASS_TAKEOVER;
	verdict = admit_source(packet, service);
	if (verdict != VERDICT_CONTINUE)
		return verdict;
	if (is_to_be_masqueraded(packet, service))
		return part(packet, PROGRAM_MASQUERADE);
	index = choose_backend(packet, service, &wanted, &verdict);
	if (verdict == VERDICT_CONTINUE)
		verdict = send_to(packet, in, service, &wanted, index);
	else if (verdict == VERDICT_DROP_NO_BACKEND)
		return leave_unserved(service);
	if (packet->is_new && is_rare)
		forget_aliased(packet);
	if (verdict == VERDICT_DROP_COLLISION && is_rare)
		verdict = start_aliased(packet, in, &wanted, index);
	else if (verdict == VERDICT_DROP_COLLISION)
		part(packet, PROGRAM_RARE);
	if (packet->is_new && service->affinity_seconds)
		note_affinity(&wanted, packet->service, service->affinity_seconds);
	return verdict;
}

/* A packet of a service that is balanced without entries, by who has no other connection. */
static __always_inline enum verdict balance_statelessly(struct packet *packet,
							const struct service_record *service)
{
	const struct ring ring = load_ring(&service->ring);
	const struct connection nobody = {};
	const struct backend_record *backend;
	enum verdict verdict;
	__u32 index;
	__u16 in;

	packet->service = service->service;
	if (!ring.length)
		return leave_unserved(service);
	if (!is_for_us(packet, &in))
		return VERDICT_PASS_OTHER_HOST;
	index = pick_backend(packet, &nobody, ring, slot_of(packet, service, ring.length),
			     &verdict);
	backend = index ? bpf_map_lookup_elem(&backends, &index) : NULL;
	if (!backend)
		return VERDICT_DROP_NO_BACKEND;
	remember_way(packet->client_hash, packet->now, learn_sender(packet, in));
	set_backend(packet, DIRECTION_REQUEST, backend);
	return VERDICT_CONTINUE;
}

/* A reply, translated as if an entry had told whose it is. */
static __always_inline enum verdict find_stateless_reply(struct packet *packet)
{
	const struct flow *flow = &packet->flow;
	const struct end_key end = {
		.address = flow->src, .port = flow->src_port, .protocol = flow->protocol};
	const __u32 index = (__u32)backend_of_end(&end);
	const struct backend_record *backend = bpf_map_lookup_elem(&backends, &index);

	if (!index || !backend || !connection_is_served(backend, backend->handle))
		return VERDICT_PASS_NO_SERVICE;
	set_backend(packet, DIRECTION_REPLY, backend);
	return go_back(packet,
		       (__u16)recall_way(
			       hash_endpoint(hash_seed, &flow->dst, flow->dst_port, flow->protocol),
			       packet->now),
		       true);
}

/* Of the program `stateless`, instead of the steps connection and service. */
static __always_inline enum verdict find_without_entry(struct packet *packet)
{
	const struct flow *flow = &packet->flow;
	/* That for clients inside is not balanced so: is_stable. */
	const struct service_key key = {
		.address = flow->dst, .port = flow->dst_port, .protocol = flow->protocol};
	const struct service_record *service = bpf_map_lookup_elem(&services, &key);

	packet->now = (__u32)bpf_jiffies64();
	packet->client_hash = hash_endpoint(hash_seed, &flow->src, flow->src_port, flow->protocol);
	return service ? balance_statelessly(packet, service) : find_stateless_reply(packet);
}

static __always_inline enum verdict find_service(struct packet *packet, bool is_rare)
{
	return packet->backend ? VERDICT_CONTINUE /* of a known connection */
			       : balance(packet, is_rare);
}
