/*
 * What is put right, by name.
 */
#include "lb/repair.h"

const char *repair_name(enum repair what)
{
	static const char *const NAMES[] = {
		[REPAIR_SERVICES] = "services",   [REPAIR_RINGS] = "rings",
		[REPAIR_BACKENDS] = "backends",   [REPAIR_NEXTHOPS] = "nexthops",
		[REPAIR_ADDRESSES] = "addresses", [REPAIR_SOURCE_RANGES] = "source_ranges",
		[REPAIR_DENY] = "deny",           [REPAIR_NETWORKS] = "networks",
		[REPAIR_FILTERS] = "filters",     [REPAIR_PORTS] = "ports",
		[REPAIR_PROGRAMS] = "programs",   [REPAIR_LINKS] = "links",
		[REPAIR_PINS] = "pins",
	};

	return NAMES[what];
}
