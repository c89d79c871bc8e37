/*
 * Adopting the tables of an earlier lbd: the maps are read back into services and placements, so
 * that what is wanted finds its id, its backends' indexes and so its connections again, and what
 * began before the last change its ring. Weights and names are not in the maps; the sources bring
 * them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "control/reconcile_internal.h"
#include "lb/encode.h"
#include "lb/maglev.h"
#include "lb/plan.h"
#include "lb/slots.h"

/* The backends table by owner: a list of indexes for each service id. */
struct owners {
	uint32_t *first; /* by service id; 0: none */
	uint32_t *next;  /* by backend index */
};

static int find_owners(const struct datapath *datapath, struct owners *owners)
{
	const uint32_t services = datapath_capacity_services(datapath);
	const uint32_t backends = datapath_capacity_backends(datapath);
	struct backend_record record;

	owners->first = calloc(services, sizeof(*owners->first));
	owners->next = calloc(backends, sizeof(*owners->next));
	if (!owners->first || !owners->next)
		return -ENOMEM;
	for (uint32_t i = backends; --i > 0;) {
		datapath_get_backend(datapath, i, &record);
		if (record.state == BACKEND_NONE || record.service >= services)
			continue;
		owners->next[i] = owners->first[record.service];
		owners->first[record.service] = i;
	}
	return 0;
}

/* Whether the record says of the backend what we would have written. */
static bool is_ours(const struct service *service, const struct placement *placement, size_t i,
		    uint32_t index, const struct backend_record *record)
{
	const struct backend_record ours = encode_backend(service, placement, i, record->handle);

	return (record->handle & BACKEND_INDEX_MASK) == index &&
	       record->handle <= BACKEND_HANDLE_MASK && !memcmp(record, &ours, sizeof(ours));
}

/* Takes the places that the record of the service's last backend says it has. */
static int adopt_place(struct reconcile *reconcile, uint32_t index, struct service *service,
		       struct placement *placement)
{
	const size_t last = service->backend_count - 1;
	struct room *room = &reconcile->room;
	struct backend_record record;
	int error;

	datapath_get_backend(reconcile->datapath, index, &record);
	placement->places[last] = (struct place){
		.backend = index, .nexthop = record.nexthop, .handle = record.handle};
	if (!is_ours(service, placement, last, index, &record))
		return -EINVAL;
	error = destinations_adopt(room->destinations, &record.address, record.nexthop);
	if (error)
		return error;
	error = slots_adopt(room->backends, index, 1);
	if (error)
		destinations_release(room->destinations, &record.address);
	else
		placement->count++;
	return error;
}

/* Not the same place twice, not a place beyond the table: whoever wrote the maps may be anybody. */
static int adopt_backend(struct reconcile *reconcile, uint32_t index, struct service *service,
			 struct placement *placement)
{
	struct backend_record record;
	struct refusal ignored;
	struct backend backend;
	int error;

	datapath_get_backend(reconcile->datapath, index, &record);
	backend = (struct backend){
		.address = record.address,
		.port = record.port,
		.weight = 1,
		.state = (enum backend_state)record.state,
		.is_remote = record.flags & BACKEND_IS_REMOTE,
	};
	if (record.state >= _BACKEND_STATE_COUNT)
		return -EINVAL;
	error = service_add_backend(service, &backend, &ignored);
	if (error)
		return error;
	error = adopt_place(reconcile, index, service, placement);
	if (error)
		service_remove_backend(service,
				       service_find_backend(service, &record.address, record.port));
	return error;
}

static bool is_sound_ring(const struct datapath *datapath, const struct ring *ring)
{
	return ring->length <= RING_LENGTH_MAX && ring->offset % RING_GRANULE == 0 &&
	       (uint64_t)ring->offset + ring->length <= datapath_capacity_rings(datapath);
}

static bool is_sound(const struct datapath *datapath, const struct service_record *record)
{
	return record->service && record->service < datapath_capacity_services(datapath) &&
	       record->algorithm < _ALGORITHM_COUNT &&
	       record->affinity_seconds <= MAX_AFFINITY_SECONDS &&
	       is_sound_ring(datapath, &record->ring);
}

static int adopt_range(struct reconcile *reconcile, const struct ring *ring)
{
	if (!is_sound_ring(reconcile->datapath, ring))
		return -EINVAL;
	return slots_adopt(reconcile->room.rings, ring->offset / RING_GRANULE,
			   ring_granules(ring->length));
}

static int adopt_places(struct reconcile *reconcile, const struct service_record *record,
			struct placement *placement)
{
	int error;

	placement->service = record->service;
	placement->ring = record->ring;
	error = slots_adopt(reconcile->room.services, record->service, 1);
	if (error || !record->ring.length)
		return error;
	error = adopt_range(reconcile, &record->ring);
	if (error)
		slots_give_back(reconcile->room.services, record->service, 1);
	return error;
}

/* A backend that makes no sense is left out here, and retired with what nobody adopted. */
static int adopt_backends(struct reconcile *reconcile, const struct owners *owners,
			  struct service *service, struct placement *placement)
{
	int error = 0;

	for (uint32_t index = owners->first[placement->service]; index && error != -ENOMEM;
	     index = owners->next[index])
		error = adopt_backend(reconcile, index, service, placement);
	return error == -ENOMEM ? error : 0;
}

/* -ENOMEM: nothing is known of it; another error: it makes no sense. */
static int adopt_service(struct reconcile *reconcile, const struct owners *owners,
			 const struct service_key *key, const struct service_record *record)
{
	struct service *service = service_new(key);
	struct placement *placement = NULL;
	uint32_t count = 0, index;
	int error = -EINVAL;

	if (!service)
		return -ENOMEM;
	if (key->scope >= _SCOPE_COUNT || !is_sound(reconcile->datapath, record))
		goto out;
	for (index = owners->first[record->service]; index; index = owners->next[index])
		count++;
	placement = calloc(1, sizeof(*placement) + count * sizeof(struct place));
	error = placement ? adopt_places(reconcile, record, placement) : -ENOMEM;
	if (error)
		goto out;
	error = adopt_backends(reconcile, owners, service, placement);
	if (error)
		goto out;
	service->is_adopted = true;
	service->algorithm = (enum algorithm)record->algorithm;
	service->affinity_seconds = record->affinity_seconds;
	encode_adopt_flags(record->flags, service);
	error = reconcile_insert(reconcile, service, placement, true);
	if (!error)
		return 0;
out:
	free(placement);
	service_free(service);
	return error;
}

/*
 * When all rings in use have their ranges. A previous one that makes no sense, or lies where others
 * do, is taken out of the service's record.
 */
static int adopt_previous(struct reconcile *reconcile, const struct service_key *key,
			  const struct service_record *found)
{
	const struct record *record = reconcile_find_record(reconcile, key);
	struct service_record ours;

	if (!record || !found->previous.length)
		return 0;
	if (!adopt_range(reconcile, &found->previous)) {
		record->placement->previous = found->previous;
		return 0;
	}
	ours = encode_service(record->service, record->placement);
	ours.flags = found->flags; /* source ranges are adopted later */
	return datapath_set_services(reconcile->datapath, key, &ours, 1);
}

/*
 * Whatever is in the backends table and was not adopted: left by an lbd that ended between two
 * writes.
 */
static void retire_unowned(struct reconcile *reconcile)
{
	const uint32_t backends = datapath_capacity_backends(reconcile->datapath);
	struct backend_record record;

	for (uint32_t i = 1; i < backends; i++) {
		datapath_get_backend(reconcile->datapath, i, &record);
		if (record.state == BACKEND_NONE || slots_is_taken(reconcile->room.backends, i))
			continue;
		plan_retire_backend(reconcile->datapath, i);
	}
}

int reconcile_adopt(struct reconcile *reconcile)
{
	struct service_record *records = NULL;
	struct service_key *keys = NULL;
	struct owners owners = {};
	uint32_t count = 0;
	int error;

	error = datapath_list_services(reconcile->datapath, &keys, &records, &count);
	if (!error)
		error = find_owners(reconcile->datapath, &owners);
	/* Counters of services that went before the earlier lbd did are still there. */
	slots_distrust(reconcile->room.services);
	for (uint32_t i = 0; !error && i < count; i++) {
		error = adopt_service(reconcile, &owners, &keys[i], &records[i]);
		if (error && error != -ENOMEM)
			error = plan_remove_service(reconcile->datapath, &keys[i]);
	}
	for (uint32_t i = 0; !error && i < count; i++)
		error = adopt_previous(reconcile, &keys[i], &records[i]);
	if (!error)
		retire_unowned(reconcile);
	if (!error)
		error = reconcile_adopt_sources(reconcile);
	free(owners.first);
	free(owners.next);
	free(keys);
	free(records);
	return error;
}

int reconcile_drop_orphans(struct reconcile *reconcile)
{
	struct record *record, *next;
	struct refusal ignored;
	struct plan plan;
	int dropped = 0;
	int error = 0;

	plan_init(&plan, &reconcile->room);
	HASH_ITER (hh, reconcile->records, record, next) {
		if (record->orphan && !error)
			error = plan_add(&plan, record->service, record->placement, NULL, &ignored);
	}
	if (!error)
		error = plan_apply(&plan, reconcile->datapath);
	HASH_ITER (hh, reconcile->records, record, next) {
		if (!record->orphan || (error && !plan.applied))
			continue;
		reconcile_take_out(reconcile, record);
		reconcile_count_out(reconcile, record->service);
		service_free(record->service);
		free(record);
		dropped++;
	}
	plan_finish(&plan);
	return error ? error : dropped;
}
