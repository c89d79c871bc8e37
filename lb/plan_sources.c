/*
 * Source ranges: see plan_sources.h.
 */
#include "lb/plan_sources.h"

#include <errno.h>

static bool has_range(const struct service *service, const struct prefix *range)
{
	for (size_t i = 0; service && i < service->source_range_count; i++)
		if (prefix_equal(&service->source_ranges[i], range))
			return true;
	return false;
}

/* The ranges that `from` has and `kept` (NULL: nothing) has not. */
static int remove_ranges(struct datapath *datapath, uint32_t id, const struct service *from,
			 const struct service *kept)
{
	int error = 0, failed;

	for (size_t i = 0; from && i < from->source_range_count; i++) {
		if (has_range(kept, &from->source_ranges[i]))
			continue;
		failed = datapath_remove_source_range(datapath, id, &from->source_ranges[i]);
		if (failed && failed != -ENOENT && !error)
			error = failed;
	}
	return error;
}

int plan_make_sources(struct datapath *datapath, const struct plan_step *step)
{
	const uint32_t id = step->after_placement->service;
	const struct service *after = step->after;
	int error = 0;

	for (size_t i = 0; !error && i < after->source_range_count; i++)
		if (!has_range(step->before, &after->source_ranges[i]))
			error = datapath_add_source_range(datapath, id, &after->source_ranges[i]);
	if (error)
		remove_ranges(datapath, id, after, step->before);
	return error;
}

bool plan_opens_sources(const struct plan_step *step)
{
	return step->before && step->after && !step->failed && step->before->source_range_count &&
	       !step->after->source_range_count;
}

int plan_retire_sources(struct datapath *datapath, const struct plan_step *step)
{
	const struct placement *placement =
		step->before ? step->before_placement : step->after_placement;

	if (step->failed)
		return remove_ranges(datapath, placement->service, step->after, step->before);
	return remove_ranges(datapath, placement->service, step->before, step->after);
}
