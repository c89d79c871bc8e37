/*
 * What the tables of the target `program` are written by.
 */
#pragma once

#include "test/bpf/cast.h"
#include "test/fuzz/program.h"

#define MAX_SERVICES 4
#define MAX_BACKENDS 3 /* of one: BACKEND_A, BACKEND_B and CLIENT itself */
#define BACKEND_COUNT (1 + MAX_SERVICES * MAX_BACKENDS)

/* In a map whose keys are numbers. */
void table_put(const char *map, uint32_t index, const void *value);
/* The index of the next hop towards whoever has this role; 0 is none's. */
uint32_t table_nexthop(enum role role, enum family family);

/* There are none. */
void services_clear(void);
/* What the input says, in the place of what has this id (1 to MAX_SERVICES). */
void service_put(struct input *input, uint32_t id);
