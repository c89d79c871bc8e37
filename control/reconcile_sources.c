/*
 * Adopting the source ranges of an earlier lbd: each finds its service again, and what has none is
 * removed.
 */
#include <errno.h>
#include <stdlib.h>
#include "control/reconcile_internal.h"

/* Only where the service's record asks for ranges: others were never in force, or are no more. */
static bool asks_for_ranges(const struct reconcile *reconcile, const struct record *record)
{
	struct service_record found;

	return !datapath_find_service(reconcile->datapath, &record->key, &found) &&
	       (found.flags & SERVICE_HAS_SOURCE_RANGES);
}

static bool adopt_range(struct reconcile *reconcile, struct record *record,
			const struct prefix *range)
{
	struct refusal ignored;

	if (!record || !asks_for_ranges(reconcile, record) ||
	    service_add_source_range(record->service, range, &ignored))
		return false;
	reconcile->source_ranges++;
	return true;
}

int reconcile_adopt_sources(struct reconcile *reconcile)
{
	const uint32_t services = datapath_capacity_services(reconcile->datapath);
	struct source_range *ranges = NULL;
	struct record **owners = NULL;
	struct record *record, *next;
	uint32_t count = 0;
	int error = datapath_list_source_ranges(reconcile->datapath, &ranges, &count);

	if (!error && count) {
		owners = calloc(services, sizeof(struct record *));
		error = owners ? 0 : -ENOMEM;
	}
	if (owners)
		HASH_ITER (hh, reconcile->records, record, next)
			owners[record->placement->service] = record;
	for (uint32_t i = 0; !error && i < count; i++) {
		record = ranges[i].service < services ? owners[ranges[i].service] : NULL;
		if (!adopt_range(reconcile, record, &ranges[i].range))
			datapath_remove_source_range(reconcile->datapath, ranges[i].service,
						     &ranges[i].range);
	}
	free(owners);
	free(ranges);
	return error;
}
