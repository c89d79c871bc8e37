/*
 * What the files of the trial share. Nobody else includes this.
 */
#pragma once

#include "test/bench/check.h"
#include "test/bench/harness.h"
#include "test/bench/trial.h"

#define MAX_LANES 2

/* What runs on one CPU. */
struct lane {
	struct harness *request;
	struct harness *reply; /* NULL where nobody answers */
	struct harness *fixed; /* NULL where flows are what is timed */
};

struct trial {
	const struct row *row;
	struct setting *setting;
	struct check check;
	struct lane lanes[MAX_LANES];
	int lane_count;
	bool known[MAX_LANES]; /* its connections were in the table when it was last looked */
};

/* The harness whose packets are timed. */
struct harness *trial_timed(const struct trial *trial, int lane);
/* Unchecked. 0, or -errno and said on stderr. */
int trial_run_harness(const struct trial *trial, struct harness *harness, uint32_t packets,
		      struct harness_result *result);
