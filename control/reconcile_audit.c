/*
 * The audit of services: what the tables hold of each is what was written, or is written again. A
 * ring is told by the sum of its slots, since filling it takes longer than reading it.
 */
#include <errno.h>
#include <string.h>
#include "control/reconcile_internal.h"
#include "lb/datapath_audit.h"
#include "lb/encode.h"
#include "lb/plan.h"

static int audit_service(struct datapath *datapath, const struct record *record)
{
	const struct service_record wanted = encode_service(record->service, record->placement);
	struct service_record found;
	int error;

	if (!datapath_find_service(datapath, &record->key, &found) &&
	    !memcmp(&wanted, &found, sizeof(wanted)))
		return 0;
	error = datapath_set_services(datapath, &record->key, &wanted, 1);
	return error ? error : 1;
}

static int audit_ring(struct datapath *datapath, const struct record *record)
{
	const struct ring *ring = &record->placement->ring;
	const uint32_t *slots;
	int error;

	if (!ring->length)
		return 0;
	slots = datapath_view_ring(datapath, ring->offset, ring->length);
	if (!slots)
		return -ENOMEM;
	if (encode_ring_sum(slots, ring->length) == record->placement->ring_sum)
		return 0;
	error = plan_write_ring(datapath, record->service, record->placement);
	return error ? error : 1;
}

static int audit_backend(struct datapath *datapath, const struct record *record, size_t i)
{
	const struct place *place = &record->placement->places[i];
	const struct backend_record wanted =
		encode_backend(record->service, record->placement, i, place->handle);
	struct backend_record found;

	datapath_get_backend(datapath, place->backend, &found);
	if (!memcmp(&wanted, &found, sizeof(wanted)))
		return datapath_audit_end(datapath, place->backend, &wanted);
	datapath_restore_backend(datapath, place->backend, &wanted);
	return 1;
}

/* What packets look at first comes last. */
static void audit_record(struct datapath *datapath, const struct record *record,
			 struct repairs *repairs)
{
	const struct service *service = record->service;

	for (size_t i = 0; i < service->backend_count; i++)
		repairs_note(repairs, REPAIR_BACKENDS, audit_backend(datapath, record, i));
	for (size_t i = 0; i < service->source_range_count; i++)
		repairs_note(repairs, REPAIR_SOURCE_RANGES,
			     datapath_audit_source_range(datapath, record->placement->service,
							 &service->source_ranges[i]));
	repairs_note(repairs, REPAIR_RINGS, audit_ring(datapath, record));
	repairs_note(repairs, REPAIR_SERVICES, audit_service(datapath, record));
}

void reconcile_audit(struct reconcile *reconcile, size_t parts, struct repairs *repairs)
{
	struct record *record = reconcile->audited;

	for (size_t i = HASH_COUNT(reconcile->records) / parts + 1; i; i--) {
		if (!record)
			record = reconcile->records;
		if (!record)
			break;
		if (!record->orphan)
			audit_record(reconcile->datapath, record, repairs);
		record = record->hh.next;
	}
	reconcile->audited = record;
}
