/*
 * Reconcile: services by key. Transactions, adopting and the audit are in files beside this.
 */
#include "control/reconcile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "control/reconcile_internal.h"
#include "lb/encode.h"
#include "lb/slots.h"

struct reconcile *reconcile_new(struct datapath *datapath, const struct destination_hooks *hooks)
{
	const struct room_size size = {
		.services = datapath_capacity_services(datapath),
		.backends = datapath_capacity_backends(datapath),
		.rings = datapath_capacity_rings(datapath),
	};
	struct reconcile *reconcile = calloc(1, sizeof(*reconcile));

	if (!reconcile)
		return NULL;
	reconcile->datapath = datapath;
	if (!room_init(&reconcile->room, &size, hooks))
		return reconcile;
	free(reconcile);
	return NULL;
}

void reconcile_free_record(struct record *record)
{
	service_free(record->service);
	free(record->placement);
	free(record);
}

void reconcile_free(struct reconcile *reconcile)
{
	struct record *record, *next;

	if (!reconcile)
		return;
	HASH_ITER (hh, reconcile->records, record, next) {
		HASH_DEL(reconcile->records, record);
		reconcile_free_record(record);
	}
	room_finish(&reconcile->room);
	free(reconcile);
}

struct record *reconcile_find_record(const struct reconcile *reconcile,
				     const struct service_key *key)
{
	struct record *record;

	HASH_FIND(hh, reconcile->records, key, sizeof(*key), record);
	return record;
}

void reconcile_take_out(struct reconcile *reconcile, struct record *record)
{
	if (reconcile->audited == record)
		reconcile->audited = record->hh.next;
	HASH_DEL(reconcile->records, record);
}

void reconcile_count_in(struct reconcile *reconcile, const struct service *service)
{
	reconcile->backends += service->backend_count;
	reconcile->source_ranges += service->source_range_count;
	reconcile->deadlines += service_count_deadlines(service);
}

void reconcile_count_out(struct reconcile *reconcile, const struct service *service)
{
	reconcile->backends -= service->backend_count;
	reconcile->source_ranges -= service->source_range_count;
	reconcile->deadlines -= service_count_deadlines(service);
}

int reconcile_insert(struct reconcile *reconcile, struct service *service,
		     struct placement *placement, bool orphan)
{
	struct record *record = calloc(1, sizeof(*record));

	if (!record)
		return -ENOMEM;
	record->key = service->key;
	record->service = service;
	record->placement = placement;
	record->orphan = orphan;
	HASH_ADD(hh, reconcile->records, key, sizeof(record->key), record);
	if (!record->hh.tbl) {
		free(record);
		return -ENOMEM;
	}
	reconcile_count_in(reconcile, service);
	return 0;
}

const struct entry *reconcile_find(const struct reconcile *reconcile, const struct service_key *key)
{
	const struct record *record = reconcile_find_record(reconcile, key);

	return record && !record->orphan ? (const struct entry *)record : NULL;
}

const struct entry *reconcile_next(const struct reconcile *reconcile, const struct entry *after)
{
	const struct record *record =
		after ? ((const struct record *)after)->hh.next : reconcile->records;

	while (record && record->orphan)
		record = record->hh.next;
	return (const struct entry *)record;
}

const struct entry *reconcile_find_any(const struct reconcile *reconcile,
				       const struct service_key *key)
{
	return (const struct entry *)reconcile_find_record(reconcile, key);
}

const struct entry *reconcile_next_orphan(const struct reconcile *reconcile,
					  const struct entry *after)
{
	const struct record *record =
		after ? ((const struct record *)after)->hh.next : reconcile->records;

	while (record && !record->orphan)
		record = record->hh.next;
	return (const struct entry *)record;
}

/* Network order makes the order of bytes the order of numbers; IPv4-mapped addresses come first. */
static int compare_keys(const struct record *a, const struct record *b)
{
	return memcmp(&a->key, &b->key, sizeof(a->key));
}

void reconcile_sort(struct reconcile *reconcile)
{
	HASH_SORT(reconcile->records, compare_keys);
}

size_t reconcile_count_services(const struct reconcile *reconcile)
{
	return HASH_COUNT(reconcile->records);
}

size_t reconcile_count_backends(const struct reconcile *reconcile)
{
	return reconcile->backends;
}

size_t reconcile_count_deadlines(const struct reconcile *reconcile)
{
	return reconcile->deadlines;
}

size_t reconcile_count_source(const struct reconcile *reconcile, enum source source)
{
	size_t count = 0;

	for (const struct entry *entry = NULL; (entry = reconcile_next(reconcile, entry));)
		count += entry->service->source == source;
	return count;
}

uint64_t reconcile_changes(const struct reconcile *reconcile)
{
	return reconcile->changes;
}

/* A record that cannot be written keeps its previous ring, and with it the range. */
static void forget_previous(struct reconcile *reconcile, const struct record *record)
{
	struct placement *placement = record->placement;
	const struct ring previous = placement->previous;
	struct service_record without;

	placement->previous = (struct ring){};
	without = encode_service(record->service, placement);
	placement->previous = previous;
	if (!datapath_set_services(reconcile->datapath, &record->key, &without, 1))
		placement_forget_previous(&reconcile->room, placement);
}

/* Rings of before a change give way to those that are to be used. */
static void make_room_for_rings(struct reconcile *reconcile)
{
	struct record *record, *next;

	reconcile->room.lacks_rings = false;
	HASH_ITER (hh, reconcile->records, record, next)
		if (record->placement->previous.length && !record->placement->previous_is_planned)
			forget_previous(reconcile, record);
}

void reconcile_settle(struct reconcile *reconcile)
{
	struct room *room = &reconcile->room;

	if (room->lacks_rings)
		make_room_for_rings(reconcile);
	if (!slots_resting(room->services) && !slots_resting(room->backends) &&
	    !slots_resting(room->rings) && !destinations_resting(room->destinations))
		return;
	datapath_settle(reconcile->datapath);
	slots_settle(room->services);
	slots_settle(room->backends);
	slots_settle(room->rings);
	destinations_settle(room->destinations);
}
