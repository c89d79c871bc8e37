/*
 * Rounds: see measure.h.
 */
#include "test/bench/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "test/bench/trial.h"

#define RUN_NS 30e6 /* that a run lasts at least, but for --quick */
#define RUN_NS_QUICK 8e6
#define RUN_NS_TOGETHER 50e6 /* of two CPUs */
#define FIRST_PACKETS 20000  /* run to learn how many make up that time */
#define MIN_PACKETS 20000
#define MAX_PACKETS 4000000
#define FLOOR_PACKETS 300000 /* of floor A beside every run */

struct series {
	struct trial *trial; /* NULL: left out */
	uint32_t packets;
};

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(const double *values, int count)
{
	double sorted[MAX_ROUNDS];

	memcpy(sorted, values, (size_t)count * sizeof(*values));
	qsort(sorted, (size_t)count, sizeof(*sorted), compare);
	return (sorted[count / 2] + sorted[(count - 1) / 2]) / 2;
}

static bool is_wanted(const struct measurement *measurement, const struct row *row)
{
	const struct setting *setting = measurement->setting;

	if ((row->slow && setting->quick) || (row->cpus == 2 && setting->cpus[1] < 0))
		return false;
	if (!measurement->only || row->subject != SUBJECT_OURS)
		return true;
	return strstr(row->name, measurement->only) != NULL;
}

static uint32_t packets_for(const struct measurement *measurement, const struct row *row, double ns)
{
	const double quick = measurement->setting->quick ? RUN_NS_QUICK : RUN_NS;
	const double packets = (row->cpus == 2 ? RUN_NS_TOGETHER : quick) / ns;

	if (packets < MIN_PACKETS)
		return MIN_PACKETS;
	return packets > MAX_PACKETS ? MAX_PACKETS : (uint32_t)packets;
}

static int begin(const struct measurement *measurement, const struct row *row,
		 struct series *series)
{
	double ns;

	*series = (struct series){.trial = trial_open(row, measurement->setting)};
	if (!series->trial || trial_prepare(series->trial) ||
	    trial_run_alone(series->trial, FIRST_PACKETS, &ns))
		return -1;
	series->packets = packets_for(measurement, row, ns);
	return 0;
}

static int run(struct series *series, struct series *floor, struct figure *figure, int round)
{
	double floor_ns, alone;

	if (trial_prepare(series->trial) || trial_run_alone(floor->trial, FLOOR_PACKETS, &floor_ns))
		return -1;
	if (figure->row->cpus == 2 && trial_run_alone(series->trial, series->packets, &alone))
		return -1;
	if (trial_run(series->trial, series->packets, &figure->ns[round]))
		return -1;
	figure->ratio[round] = figure->ns[round] / floor_ns;
	if (figure->row->cpus == 2)
		figure->scaling[round] = 2 * alone / figure->ns[round];
	return 0;
}

static int run_rounds(struct measurement *measurement, struct series *all)
{
	int error = 0;

	for (int round = 0; !error && round < measurement->rounds; round++) {
		fprintf(stderr, "round %d of %d\n", round + 1, measurement->rounds);
		for (size_t i = 0; !error && i < ROW_COUNT; i++)
			if (all[i].trial)
				error = run(&all[i], &all[0], &measurement->figures[i], round);
	}
	return error;
}

int measure(struct measurement *measurement)
{
	struct series *all = calloc(ROW_COUNT, sizeof(*all));
	int error = all ? 0 : -1;

	for (size_t i = 0; !error && i < ROW_COUNT; i++) {
		measurement->figures[i].row = &ROWS[i];
		if (!is_wanted(measurement, &ROWS[i]))
			continue;
		measurement->figures[i].measured = true;
		error = begin(measurement, &ROWS[i], &all[i]);
	}
	if (!error)
		error = run_rounds(measurement, all);
	for (size_t i = 0; all && i < ROW_COUNT; i++)
		trial_close(all[i].trial);
	free(all);
	return error;
}
