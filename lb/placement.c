/*
 * Placements: taking places in the tables and giving them back.
 */
#include "lb/placement.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "lb/encode.h"
#include "lb/slots.h"

int room_init(struct room *room, const struct room_size *size,
	      const struct destination_hooks *hooks)
{
	*room = (struct room){
		.services = slots_new(1, size->services),
		.backends = slots_new(1, size->backends),
		.rings = slots_new(0, size->rings / RING_GRANULE),
		.destinations = destinations_new(size->backends, hooks),
	};
	if (room->services && room->backends && room->rings && room->destinations)
		return 0;
	room_finish(room);
	return -ENOMEM;
}

void room_finish(struct room *room)
{
	slots_free(room->services);
	slots_free(room->backends);
	slots_free(room->rings);
	destinations_free(room->destinations);
	*room = (struct room){};
}

uint32_t ring_granules(uint32_t length)
{
	return (length + RING_GRANULE - 1) / RING_GRANULE;
}

static bool has_backend(const struct placement *placement, uint32_t backend)
{
	for (size_t i = 0; placement && i < placement->count; i++)
		if (placement->places[i].backend == backend)
			return true;
	return false;
}

static const struct place *find_place(const struct placement *placement,
				      const struct service *service, const struct backend *backend)
{
	const struct backend *same;

	if (!placement)
		return NULL;
	same = service_find_backend(service, &backend->address, backend->port);
	return same ? &placement->places[same - service->backends] : NULL;
}

static void give_back_place(struct room *room, const struct place *place,
			    const struct backend *backend)
{
	slots_give_back(room->backends, place->backend, 1);
	destinations_release(room->destinations, &backend->address);
}

static int take_place(struct room *room, const struct backend *backend, struct place *place)
{
	int error = slots_take(room->backends, 1, &place->backend);

	if (error)
		return error;
	error = destinations_hold(room->destinations, &backend->address, &place->nexthop);
	if (error)
		slots_give_back(room->backends, place->backend, 1);
	return error;
}

static int take_places(struct room *room, const struct service *service,
		       struct placement *placement, const struct placement *old,
		       const struct service *old_service)
{
	const struct place *kept;
	int error = 0;

	for (size_t i = 0; !error && i < service->backend_count; i++) {
		kept = find_place(old, old_service, &service->backends[i]);
		if (kept)
			placement->places[i] = *kept;
		else
			error = take_place(room, &service->backends[i], &placement->places[i]);
		if (!error)
			placement->count++;
	}
	return error;
}

static bool is_as_long(const struct ring *ring, uint32_t length)
{
	return ring_granules(ring->length) == ring_granules(length);
}

static int take_range(struct room *room, uint32_t length, struct ring *ring)
{
	uint32_t granule = 0;
	int error = length ? slots_take(room->rings, ring_granules(length), &granule) : 0;

	if (error)
		room->lacks_rings = true;
	else
		*ring = (struct ring){.offset = granule * RING_GRANULE, .length = length};
	return error;
}

/*
 * A ring that changes: where the one before the present is, if that is as long, since that one is
 * over now; or in a range of its own; or, where there is none, in place of the present ring. While
 * a range that packets look at is filled anew each of its slots is the old or the new backend, both
 * of them right.
 */
static int move_ring(struct room *room, uint32_t length, const struct placement *old,
		     struct placement *placement)
{
	const struct ring *ring = &old->ring, *previous = &old->previous;
	int error;

	if (ring->length && previous->length && is_as_long(previous, length)) {
		placement->ring = (struct ring){.offset = previous->offset, .length = length};
		placement->previous = *ring;
		return 0;
	}
	error = take_range(room, length, &placement->ring);
	if (!error) {
		placement->previous = ring->length ? *ring : *previous;
		return 0;
	}
	if (!is_as_long(ring, length))
		return error;
	placement->ring = (struct ring){.offset = ring->offset, .length = length};
	return 0;
}

static int take_ring(struct room *room, const struct service *service, const struct placement *old,
		     const struct service *old_service, struct placement *placement)
{
	const uint32_t length = encode_ring_length(service);

	if (!old)
		return take_range(room, length, &placement->ring);
	if (!is_as_long(&old->ring, length) || !encode_has_same_ring(old_service, service))
		return move_ring(room, length, old, placement);
	placement->ring = (struct ring){.offset = old->ring.offset, .length = length};
	placement->previous = old->previous;
	return 0;
}

static void refuse_full(const char *what, const char *table, const struct slots *slots,
			struct refusal *refusal)
{
	refuse(refusal,
	       "%s does not fit: the table of %s is full at %u; start lbd with a higher "
	       "limit",
	       what, table, slots_capacity(slots));
}

static void refuse_service(const struct room *room, const struct service *service,
			   struct refusal *refusal)
{
	char text[ENDPOINT_TEXT_MAX];

	refuse_full(service_key_format(&service->key, text), "services (--max-services)",
		    room->services, refusal);
}

/* The first backend that found no place: those before it are counted in the placement. */
static void refuse_backend(const struct room *room, const struct service *service,
			   const struct placement *placement, struct refusal *refusal)
{
	const struct backend *backend = &service->backends[placement->count];
	char key[ENDPOINT_TEXT_MAX], address[ENDPOINT_TEXT_MAX];
	char text[2 * ENDPOINT_TEXT_MAX + 16];

	snprintf(text, sizeof(text), "%s: backend %s", service_key_format(&service->key, key),
		 endpoint_format(&backend->address, backend->port, address));
	refuse_full(text, "backends (--max-backends)", room->backends, refusal);
}

static void refuse_ring(const struct room *room, const struct service *service,
			struct refusal *refusal)
{
	char key[ENDPOINT_TEXT_MAX], text[ENDPOINT_TEXT_MAX + 16];

	snprintf(text, sizeof(text), "the ring of %s", service_key_format(&service->key, key));
	refuse_full(text, "rings (--max-services)", room->rings, refusal);
}

struct placement *placement_new(struct room *room, const struct service *service,
				const struct placement *old, const struct service *old_service,
				struct refusal *refusal)
{
	struct placement *placement =
		calloc(1, sizeof(*placement) + service->backend_count * sizeof(struct place));
	int error;

	if (!placement) {
		refuse(refusal, "out of memory");
		return NULL;
	}
	if (old)
		placement->service = old->service;
	else if (slots_take(room->services, 1, &placement->service)) {
		refuse_service(room, service, refusal);
		free(placement);
		return NULL;
	}
	error = take_places(room, service, placement, old, old_service);
	if (error)
		refuse_backend(room, service, placement, refusal);
	else
		error = take_ring(room, service, old, old_service, placement);
	if (!error)
		return placement;
	if (placement->count == service->backend_count)
		refuse_ring(room, service, refusal);
	placement_release(room, placement, service, old);
	return NULL;
}

static bool has_range(const struct placement *placement, const struct ring *range)
{
	const struct ring *ring = &placement->ring, *previous = &placement->previous;

	return (ring->length && ring->offset == range->offset) ||
	       (previous->length && previous->offset == range->offset);
}

static void give_back_ring(struct room *room, const struct ring *ring, const struct placement *kept)
{
	if (ring->length && (!kept || !has_range(kept, ring)))
		slots_give_back(room->rings, ring->offset / RING_GRANULE,
				ring_granules(ring->length));
}

void placement_release(struct room *room, struct placement *placement,
		       const struct service *service, const struct placement *kept)
{
	if (!placement)
		return;
	for (size_t i = 0; i < placement->count; i++)
		if (!has_backend(kept, placement->places[i].backend))
			give_back_place(room, &placement->places[i], &service->backends[i]);
	give_back_ring(room, &placement->ring, kept);
	give_back_ring(room, &placement->previous, kept);
	if (!kept)
		slots_give_back(room->services, placement->service, 1);
	free(placement);
}

void placement_plan(struct placement *placement, const struct placement *successor)
{
	placement->previous_is_planned = successor && placement->previous.length &&
					 has_range(successor, &placement->previous);
}

void placement_make_do(struct room *room, struct placement *planned, struct placement *old)
{
	struct ring *ring = &planned->ring;

	if (old->ring.length && is_as_long(&old->ring, ring->length)) {
		if (ring->offset != old->ring.offset)
			give_back_ring(room, ring, old);
		ring->offset = old->ring.offset;
		planned->previous = (struct ring){};
	}
	placement_plan(old, planned);
}

void placement_forget_previous(struct room *room, struct placement *placement)
{
	give_back_ring(room, &placement->previous, NULL);
	placement->previous = (struct ring){};
}
