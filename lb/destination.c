/*
 * Destinations: a hash of addresses with the number of backends that are there.
 */
#include "lb/destination.h"

#include <errno.h>
#include <stdlib.h>
#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include "lb/slots.h"

struct destination {
	struct address address; /* the key */
	uint32_t slot;
	uint32_t backends;
	UT_hash_handle hh;
};

struct destinations {
	struct destination *table;
	struct slots *slots;
	struct destination_hooks hooks;
};

struct destinations *destinations_new(uint32_t count, const struct destination_hooks *hooks)
{
	struct destinations *destinations = calloc(1, sizeof(*destinations));

	if (!destinations)
		return NULL;
	destinations->hooks = *hooks;
	destinations->slots = slots_new(1, count);
	if (destinations->slots)
		return destinations;
	free(destinations);
	return NULL;
}

void destinations_free(struct destinations *destinations)
{
	struct destination *destination, *next;

	if (!destinations)
		return;
	HASH_ITER (hh, destinations->table, destination, next) {
		HASH_DEL(destinations->table, destination);
		free(destination);
	}
	slots_free(destinations->slots);
	free(destinations);
}

static struct destination *find(const struct destinations *destinations,
				const struct address *address)
{
	struct destination *destination;

	HASH_FIND(hh, destinations->table, address, sizeof(*address), destination);
	return destination;
}

static int tell_added(const struct destinations *destinations,
		      const struct destination *destination)
{
	const struct destination_hooks *hooks = &destinations->hooks;

	return hooks->added ? hooks->added(hooks->context, &destination->address, destination->slot)
			    : 0;
}

static int insert(struct destinations *destinations, const struct address *address, uint32_t slot)
{
	struct destination *destination = calloc(1, sizeof(*destination));
	int error;

	if (!destination)
		return -ENOMEM;
	destination->address = *address;
	destination->slot = slot;
	destination->backends = 1;
	HASH_ADD(hh, destinations->table, address, sizeof(destination->address), destination);
	if (!destination->hh.tbl) {
		free(destination);
		return -ENOMEM;
	}
	error = tell_added(destinations, destination);
	if (error) {
		HASH_DEL(destinations->table, destination);
		free(destination);
	}
	return error;
}

int destinations_hold(struct destinations *destinations, const struct address *address,
		      uint32_t *slot)
{
	struct destination *destination = find(destinations, address);
	uint32_t taken;
	int error;

	if (destination) {
		destination->backends++;
		*slot = destination->slot;
		return 0;
	}
	error = slots_take(destinations->slots, 1, &taken);
	if (error)
		return error;
	error = insert(destinations, address, taken);
	if (error) {
		slots_give_back(destinations->slots, taken, 1);
		return error;
	}
	*slot = taken;
	return 0;
}

int destinations_adopt(struct destinations *destinations, const struct address *address,
		       uint32_t slot)
{
	struct destination *destination = find(destinations, address);
	int error;

	if (destination) {
		if (destination->slot != slot)
			return -EEXIST;
		destination->backends++;
		return 0;
	}
	error = slots_adopt(destinations->slots, slot, 1);
	if (error)
		return error;
	error = insert(destinations, address, slot);
	if (error)
		slots_give_back(destinations->slots, slot, 1);
	return error;
}

void destinations_release(struct destinations *destinations, const struct address *address)
{
	struct destination *destination = find(destinations, address);

	if (!destination || --destination->backends)
		return;
	HASH_DEL(destinations->table, destination);
	if (destinations->hooks.removed)
		destinations->hooks.removed(destinations->hooks.context, &destination->address,
					    destination->slot);
	slots_give_back(destinations->slots, destination->slot, 1);
	free(destination);
}

bool destinations_resting(const struct destinations *destinations)
{
	return slots_resting(destinations->slots);
}

void destinations_settle(struct destinations *destinations)
{
	slots_settle(destinations->slots);
}

size_t destinations_count(const struct destinations *destinations)
{
	return HASH_COUNT(destinations->table);
}
