/*
 * Measures rows: rounds over all of them, each run beside a run of floor A.
 */
#pragma once

#include <stdint.h>
#include "test/bench/setting.h"

#define MAX_ROUNDS 99

struct figure {
	const struct row *row;
	bool measured;              /* false: left out */
	double ns[MAX_ROUNDS];      /* a packet, gross */
	double ratio[MAX_ROUNDS];   /* to floor A, run just before */
	double scaling[MAX_ROUNDS]; /* of two CPUs: against one, run just before */
};

struct measurement {
	struct setting *setting;
	const char *only; /* rows whose name contains it; NULL: all */
	int rounds;
	struct figure *figures; /* of ROW_COUNT */
};

/* 0, or -1 when a row did not do what it should: said on stderr. */
int measure(struct measurement *measurement);

double median(const double *values, int count);
