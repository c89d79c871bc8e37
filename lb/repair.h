/*
 * What is found otherwise than lbd has left it, by kind: put right, or not.
 */
#pragma once

#include <stdint.h>

enum repair {
	REPAIR_SERVICES,
	REPAIR_RINGS,
	REPAIR_BACKENDS,
	REPAIR_NEXTHOPS,
	REPAIR_ADDRESSES,
	REPAIR_SOURCE_RANGES,
	REPAIR_DENY,
	REPAIR_NETWORKS,
	REPAIR_FILTERS,
	REPAIR_PORTS,
	REPAIR_PROGRAMS,
	REPAIR_LINKS,
	REPAIR_PINS,
	_REPAIR_COUNT,
};

struct repairs {
	uint64_t done[_REPAIR_COUNT];
	uint64_t failed[_REPAIR_COUNT];
};

/* `services`, `rings`, … */
const char *repair_name(enum repair what);

/* `answer`: 0, it was as it should be; 1, it is again; -errno, it could not be put right. */
static inline void repairs_note(struct repairs *repairs, enum repair what, int answer)
{
	if (answer > 0)
		repairs->done[what]++;
	else if (answer < 0)
		repairs->failed[what]++;
}
