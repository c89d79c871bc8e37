/*
 * Proof that a run did what its row says: see trial.h.
 */
#pragma once

#include "test/bench/floors.h"
#include "test/bench/harness.h"
#include "test/bench/world.h"

#define STRAY_SHARE 1000 /* one of so many known flows may be evicted from a full table */

struct check {
	const struct row *row;
	struct world *world;
	const struct floors *floors;
	uint32_t service; /* id of the row's (first) service */
	uint64_t connections;
	struct counter verdicts[_VERDICT_COUNT];
};

/* 0 or -1. */
int check_init(struct check *check, const struct row *row, struct world *world,
	       const struct floors *floors);
void check_begin(struct check *check);
/* Packets since then, of so many, that did not do what known flows do: each to run again. */
uint64_t check_strays(const struct check *check, uint32_t packets);
/* Of so many packets, of which `result` has the last of `harness`. 0, or -1 and said why. */
int check_end(const struct check *check, const struct harness *harness, uint32_t packets,
	      const struct harness_result *result);
