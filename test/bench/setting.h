/*
 * Where rows are measured: CPUs, floors, worlds. What is dear to make is made once, when first
 * wanted.
 */
#pragma once

#include <stdbool.h>
#include "test/bench/floors.h"
#include "test/bench/row.h"
#include "test/bench/world.h"

struct setting {
	bool quick;
	int cpus[2]; /* the second: -1 where there is only one */
	struct floors *floors;
	struct world *worlds[_WORLD_COUNT];
};

/* Moves the process into namespaces of its own. 0, or -1 and said on stderr why. */
int setting_open(struct setting *setting, bool quick);
void setting_close(struct setting *setting);

/* NULL: said on stderr why. */
struct world *setting_world(struct setting *setting, enum place place);

int setting_pin(int cpu); /* the calling thread; 0 or -errno */
