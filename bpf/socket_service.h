/*
 * Step service of a socket: is what it asks for a service? Then picks a backend by the service's
 * affinity or by its ring, as packets that start a connection do (service.h).
 *
 * A socket has no address yet when it is led, so the network namespace, which is a pod or the node,
 * stands for it: affinity and source-hash go by that. maglev goes by the socket.
 */
#pragma once

#include "bpf/affinity.h"
#include "bpf/ring.h"
#include "bpf/socket.h"
#include "include/hash.h"

/*
 * Which service an end is of; NULL: of none that sockets are led to. Those with source ranges are
 * left to packets, which have a source. Sockets of this node are inside of the cluster.
 */
static __always_inline const struct service_record *find_asked(const struct end *end)
{
	struct service_key key = {
		.address = end->address, .port = end->port, .protocol = end->protocol};
	const struct service_record *service;

	if (!filter_has(&service_filter, service_filter_mask,
			hash_endpoint(hash_seed, &end->address, end->port, end->protocol)))
		return NULL;
	service = bpf_map_lookup_elem(&services, &key);
	if (service && (service->flags & SERVICE_HAS_INSIDE))
		service = inside_or(service, &key);
	return service && !(service->flags & SERVICE_HAS_SOURCE_RANGES) ? service : NULL;
}

/* The client that affinity is noted of: by no address that a packet may come from. */
static __always_inline struct address client_of(__u64 namespace)
{
	return (struct address){.half = {~0ull, namespace}};
}

/* Packets of this CPU may take a turn amid ours, never the other way about. */
static __always_inline __u32 take_turn(__u32 service, __u32 length)
{
	struct service_counter *counter = bpf_map_lookup_elem(&service_counters, &service);

	return counter ? __sync_fetch_and_add(&counter->turns, 1) % length : 0;
}

static __always_inline __u32 slot_of_socket(struct bpf_sock_addr *ctx,
					    const struct service_record *service, __u32 length)
{
	__u64 hash;

	if (service->algorithm == ALGORITHM_RANDOM)
		return hash_slot(bpf_get_prandom_u32(), length);
	if (service->algorithm == ALGORITHM_ROUND_ROBIN)
		return take_turn(service->service, length);
	if (service->algorithm == ALGORITHM_SOURCE_HASH)
		hash = hash_mix(0, bpf_get_netns_cookie(ctx));
	else
		hash = hash_mix(service->service, bpf_get_socket_cookie(ctx));
	return hash_slot((__u32)hash_mix(hash, 0), length);
}

/* The index of the first backend from the slot on that serves; 0: none does. */
static __always_inline __u32 search_slots(const struct service_record *service, struct ring ring,
					  __u32 slot)
{
	const struct backend_record *backend;
	__u32 index;

	for (int pick = 0; pick < MAX_PICKS; pick++) {
		backend = backend_at(ring, slot, &index);
		if (!backend)
			return 0;
		if (may_take(backend, service->service))
			return index;
		slot = slot + 1 == ring.length ? 0 : slot + 1;
	}
	return 0;
}

static __always_inline __u32 pick_by_ring(struct bpf_sock_addr *ctx,
					  const struct service_record *service)
{
	const struct ring ring = load_ring(&service->ring);

	return ring.length ? search_slots(service, ring, slot_of_socket(ctx, service, ring.length))
			   : 0;
}

static __always_inline __u32 pick_by_affinity(struct bpf_sock_addr *ctx,
					      const struct service_record *service)
{
	struct connection wanted = {
		.state = {.last_seen = (__u32)bpf_jiffies64()},
		.client = client_of(bpf_get_netns_cookie(ctx)),
	};
	const struct backend_record *backend;
	__u32 index = (__u32)affine_backend(&wanted, service->service, service->affinity_seconds);

	if (!index)
		index = pick_by_ring(ctx, service);
	backend = index ? bpf_map_lookup_elem(&backends, &index) : NULL;
	if (!backend)
		return 0;
	wanted.head.backend = backend->handle;
	note_affinity(&wanted, service->service, service->affinity_seconds);
	return index;
}

static __always_inline void count_led(__u32 backend)
{
	const __u32 index =
		bpf_get_smp_processor_id() * backend_count + (backend & BACKEND_INDEX_MASK);
	struct traffic_counter *counter = bpf_map_lookup_elem(&backend_counters, &index);

	if (counter)
		__sync_fetch_and_add(&counter->connections, 1);
}

static __always_inline void count_refused(__u32 service)
{
	struct service_counter *counter = bpf_map_lookup_elem(&service_counters, &service);

	if (counter)
		__sync_fetch_and_add(&counter->refused.packets, 1);
}

/*
 * Leads to a backend of the service. false: it has none. The address is read before what says whose
 * it is, since lbd may give the index to another backend meanwhile.
 */
static __always_inline bool lead(struct bpf_sock_addr *ctx, const struct service_record *service,
				 struct socket_lead *lead)
{
	const __u32 index = service->affinity_seconds ? pick_by_affinity(ctx, service)
						      : pick_by_ring(ctx, service);
	const struct backend_record *backend =
		index ? bpf_map_lookup_elem(&backends, &index) : NULL;

	if (!backend)
		return false;
	lead->backend_address = backend->address;
	lead->backend_port = backend->port;
	lead->last = (__u32)bpf_jiffies64();
	backend = after(backend, lead->backend_address.half[1]);
	lead->backend = *(const volatile __u32 *)&backend->handle;
	if (!may_take(backend, service->service))
		return false;
	count_led(lead->backend);
	return true;
}
