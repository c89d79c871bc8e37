/*
 * A datapath without a kernel: its tables are plain memory, small enough to be full now and then.
 * Stands in the place of lb/datapath*.c for targets that have the whole control plane behind them.
 */
#pragma once

#include "lb/datapath.h"

#define FAKE_SERVICES 24
#define FAKE_BACKENDS 96
#define FAKE_RING_SLOTS 16384
#define FAKE_PORTS 16
/* More than an input can ask for: who changes tables trusts that there is room for these. */
#define FAKE_RANGES 8192
#define FAKE_DENIED 2048

struct datapath {
	uint32_t service_count;
	struct service_key keys[FAKE_SERVICES];
	struct service_record records[FAKE_SERVICES];
	struct backend_record backends[FAKE_BACKENDS];
	uint32_t slots[FAKE_RING_SLOTS];
	struct nexthop nexthops[FAKE_BACKENDS];
	struct port ports[FAKE_PORTS];
	uint32_t range_count;
	struct source_range ranges[FAKE_RANGES];
	uint32_t denied_count;
	struct prefix denied[FAKE_DENIED];
	uint32_t denied_index[FAKE_DENIED];
	uint32_t announced; /* services */
	uint32_t served;    /* addresses, as often as was said */
};

void fake_clear(struct datapath *datapath);

/* Each service's ring names backends that are in use, and the service's own. */
void fake_must_be_whole(const struct datapath *datapath);
/* Nothing is left of services and denied prefixes. */
void fake_must_be_empty(const struct datapath *datapath);
