/*
 * Encoding: see encode.h.
 */
#include "lb/encode.h"

#include <errno.h>
#include <stdlib.h>
#include "include/checksum.h"
#include "lb/maglev.h"

#define STACK_MEMBERS 64 /* services of more backends take memory from the heap */

/* The backends that take connections, as members of the ring. Places may be NULL for the length. */
static size_t collect_members(const struct service *service, const struct placement *placement,
			      struct ring_member *members)
{
	size_t count = 0;

	for (size_t i = 0; i < service->backend_count; i++) {
		const struct backend *backend = &service->backends[i];

		if (!backend_takes_connections(backend))
			continue;
		members[count++] = (struct ring_member){
			.address = backend->address,
			.port = backend->port,
			.weight = backend->weight,
			.backend = placement ? placement->places[i].backend : 0,
		};
	}
	return count;
}

static struct ring_member *members_room(const struct service *service,
					struct ring_member stack[STACK_MEMBERS])
{
	if (service->backend_count <= STACK_MEMBERS)
		return stack;
	return calloc(service->backend_count, sizeof(struct ring_member));
}

uint32_t encode_ring_length(const struct service *service)
{
	struct ring_member stack[STACK_MEMBERS];
	struct ring_member *members = members_room(service, stack);
	uint32_t length = 0;
	size_t count;

	if (!members)
		return 0;
	count = collect_members(service, NULL, members);
	if (count)
		length = service->algorithm == ALGORITHM_ROUND_ROBIN
				 ? interleave_length(members, count)
				 : maglev_length(members, count);
	if (members != stack)
		free(members);
	return length;
}

static size_t count_members(const struct service *service)
{
	size_t count = 0;

	for (size_t i = 0; i < service->backend_count; i++)
		count += backend_takes_connections(&service->backends[i]);
	return count;
}

bool encode_has_same_ring(const struct service *a, const struct service *b)
{
	const bool any_weight = a->is_adopted || b->is_adopted;

	if ((a->algorithm == ALGORITHM_ROUND_ROBIN) != (b->algorithm == ALGORITHM_ROUND_ROBIN) ||
	    count_members(a) != count_members(b))
		return false;
	for (size_t i = 0; i < a->backend_count; i++) {
		const struct backend *member = &a->backends[i], *same;

		if (!backend_takes_connections(member))
			continue;
		same = service_find_backend(b, &member->address, member->port);
		if (!same || !backend_takes_connections(same) ||
		    (same->weight != member->weight && !any_weight))
			return false;
	}
	return true;
}

int encode_ring(const struct service *service, const struct placement *placement, uint32_t *slots)
{
	struct ring_member stack[STACK_MEMBERS];
	struct ring_member *members = members_room(service, stack);
	size_t count;
	int error;

	if (!members)
		return -ENOMEM;
	count = collect_members(service, placement, members);
	if (service->algorithm == ALGORITHM_ROUND_ROBIN)
		error = interleave_fill(members, count, placement->ring.length, slots);
	else
		error = maglev_fill(members, count, placement->ring.length, slots);
	if (members != stack)
		free(members);
	return error;
}

uint64_t encode_ring_sum(const uint32_t *slots, uint32_t length)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < length; i++) {
		sum = (sum ^ slots[i]) * 0x9e3779b97f4a7c15ull; /* 2^64 by the golden ratio: odd */
		sum ^= sum >> 32;
	}
	return sum;
}

static __u8 encode_flags(const struct service *service)
{
	__u8 flags = 0;

	if (service->source_range_count)
		flags |= SERVICE_HAS_SOURCE_RANGES;
	if (service->has_inside)
		flags |= SERVICE_HAS_INSIDE;
	if (service->masquerade == MASQUERADE_STRANGERS)
		flags |= SERVICE_MASQUERADES_STRANGERS;
	if (service->masquerade == MASQUERADE_OTHERS)
		flags |= SERVICE_MASQUERADES_OTHERS;
	if (service->drops_unserved)
		flags |= SERVICE_DROPS_UNSERVED;
	if (service->key.scope == SCOPE_INSIDE)
		flags |= SERVICE_IS_INSIDE;
	return flags;
}

void encode_adopt_flags(__u8 flags, struct service *service)
{
	service->has_inside = flags & SERVICE_HAS_INSIDE;
	service->drops_unserved = flags & SERVICE_DROPS_UNSERVED;
	service->masquerade = MASQUERADE_NONE;
	if (flags & SERVICE_MASQUERADES_STRANGERS)
		service->masquerade = MASQUERADE_STRANGERS;
	if (flags & SERVICE_MASQUERADES_OTHERS)
		service->masquerade = MASQUERADE_OTHERS;
}

struct service_record encode_service(const struct service *service,
				     const struct placement *placement)
{
	return (struct service_record){
		.ring = placement->ring,
		.previous = placement->previous,
		.service = placement->service,
		.affinity_seconds = service->affinity_seconds,
		.algorithm = (__u8)service->algorithm,
		.flags = encode_flags(service),
	};
}

/* To packets, an active backend of no weight is one that drains: it gets no new connection. */
static __u8 encode_state(const struct backend *backend)
{
	const bool idles = backend->state == BACKEND_ACTIVE && !backend->weight;

	return (__u8)(idles ? BACKEND_DRAINING : backend->state);
}

static struct checksum_change encode_change(const struct address *from, __be16 from_port,
					    const struct address *to, __be16 to_port)
{
	const __u64 addresses = checksum_replace_address(0, from, to);

	return (struct checksum_change){
		.addresses = checksum_fold(addresses),
		.all = checksum_fold(checksum_replace(addresses, from_port, to_port)),
	};
}

struct backend_record encode_backend(const struct service *service,
				     const struct placement *placement, size_t i, uint32_t handle)
{
	const struct backend *backend = &service->backends[i];
	const struct service_key *key = &service->key;

	return (struct backend_record){
		.address = backend->address,
		.service_address = key->address,
		.handle = handle,
		.service = placement->service,
		.nexthop = placement->places[i].nexthop,
		.port = backend->port,
		.service_port = key->port,
		.request =
			encode_change(&key->address, key->port, &backend->address, backend->port),
		.reply = encode_change(&backend->address, backend->port, &key->address, key->port),
		.state = encode_state(backend),
		.protocol = key->protocol,
		.flags = backend->is_remote ? BACKEND_IS_REMOTE : 0,
	};
}

uint32_t encode_next_handle(uint32_t index, uint32_t handle)
{
	const uint32_t owner = (handle & ~BACKEND_INDEX_MASK) + BACKEND_INDEX_MASK + 1;

	return index | (owner & BACKEND_HANDLE_MASK);
}
