/*
 * How patterns are measured: in rounds, one slice of each lane after the other, so that whatever
 * else the machine does meets all contenders alike. A row of JSON for each lane and pattern has
 * the cost of every round; what to make of them is the reader's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "test/bench/path/bench_path.h"
#include "test/bench/path/sink.skel.h"

#define MOST_CONNTRACK 150000 /* new flows in all rounds: nf_conntrack_max is 262,144 */

/* A lane under one pattern; ns has room for every round. */
struct row {
	double *ns;
	double *ns_two_cores; /* a packet of both at once, by the sum of both rates */
	double *ns_one_core;  /* of one alone, the mean rate of both: CPUs are not always equal */
	uint64_t sent;
	uint64_t delivered;
};

static uint64_t slice_packets(const struct bench *bench, enum pattern pattern,
			      const struct lane *lane, const struct cost *cost)
{
	uint64_t packets = bench->slice_ms * 1e6 * cost->packets / cost->kernel_ns;

	if (pattern == PATTERN_NEW && lane->skb_sink && packets > MOST_CONNTRACK / bench->rounds)
		packets = MOST_CONNTRACK / bench->rounds;
	return packets;
}

static void add_delivered(struct lane *lane, struct row *row)
{
	const bool reflect = lane->backend->bss->settings.reflect;
	struct tally tally;

	usleep(SETTLE_US);
	read_tally(reflect ? lane->client : lane->backend, &tally);
	row->delivered += tally.delivered;
	read_tally(reflect ? lane->backend : lane->client, &tally);
}

/* Each CPU alone; leaves the thread on the bench's. */
static int measure_each_core(const struct bench *bench, struct lane *lane, uint64_t packets,
			     double *ns)
{
	struct cost cost;
	double rate = 0;
	int error = 0;

	for (uint32_t i = 0; i < MAX_CPUS && !error; i++) {
		error = pin_to_cpu(i);
		error = error ? error : run_packets(lane, i, packets, &cost);
		rate += error ? 0 : 1 / cost_per_packet(&cost);
	}
	*ns = MAX_CPUS / rate;
	return error ? error : pin_to_cpu(bench->cpu);
}

static int measure_two_cores(const struct bench *bench, struct lane *lane, uint64_t packets,
			     struct row *row, uint32_t round)
{
	struct cost cost[MAX_CPUS];
	struct tally tally;
	double rate = 0;
	int error = measure_each_core(bench, lane, packets, &row->ns_one_core[round]);

	usleep(SETTLE_US);
	read_tally(lane->backend, &tally);
	read_tally(lane->client, &tally);
	error = error ? error : run_on_cpus(lane, packets, cost);
	if (error)
		return error;
	for (uint32_t i = 0; i < MAX_CPUS; i++) {
		rate += 1 / cost_per_packet(&cost[i]);
		row->sent += cost[i].packets;
	}
	row->ns_two_cores[round] = 1 / rate;
	add_delivered(lane, row);
	return 0;
}

static int measure_slice(const struct bench *bench, enum pattern pattern, struct lane *lane,
			 struct row *row, uint32_t round)
{
	struct cost cost;
	uint64_t packets;
	int error = pattern_warm_up(bench, pattern, lane, &cost);

	if (error)
		return error;
	packets = slice_packets(bench, pattern, lane, &cost);
	error = run_packets(lane, 0, packets, &cost);
	if (error)
		return error;
	row->sent += cost.packets;
	row->ns[round] = cost_per_packet(&cost);
	add_delivered(lane, row);
	if (!lane->two_cores)
		return 0;
	return measure_two_cores(bench, lane, packets, row, round);
}

static void print_ns(const double *ns, uint32_t rounds)
{
	for (uint32_t i = 0; i < rounds; i++)
		printf("%s%.1f", i ? ", " : "", ns[i]);
}

static void print_row(const struct bench *bench, enum pattern pattern, const struct lane *lane,
		      const struct row *row)
{
	printf("{\"lane\": \"%s\", \"pattern\": \"%s\", \"services\": %u, \"sent\": %llu, "
	       "\"delivered\": %llu, \"ns\": [",
	       lane->name, pattern_name(pattern), lane->services, (unsigned long long)row->sent,
	       (unsigned long long)row->delivered);
	print_ns(row->ns, bench->rounds);
	if (lane->two_cores) {
		printf("], \"ns_two_cores\": [");
		print_ns(row->ns_two_cores, bench->rounds);
		printf("], \"ns_one_core\": [");
		print_ns(row->ns_one_core, bench->rounds);
	}
	printf("]}\n");
	fflush(stdout);
}

/* The rows' room for samples, one piece of memory for all. */
static double *give_room(const struct bench *bench, struct row *rows)
{
	double *samples = calloc(3ul * bench->lane_count * bench->rounds, sizeof(*samples));

	for (uint32_t i = 0; i < bench->lane_count && samples; i++) {
		rows[i].ns = samples + 3ul * i * bench->rounds;
		rows[i].ns_two_cores = rows[i].ns + bench->rounds;
		rows[i].ns_one_core = rows[i].ns_two_cores + bench->rounds;
	}
	return samples;
}

int measure_pattern(const struct bench *bench, enum pattern pattern)
{
	struct row *rows = calloc(bench->lane_count, sizeof(*rows));
	double *samples = rows ? give_room(bench, rows) : NULL;
	int error = samples ? 0 : -ENOMEM;

	for (uint32_t round = 0; round < bench->rounds && !error; round++) {
		for (uint32_t i = 0; i < bench->lane_count && !error; i++)
			if (pattern_wants(pattern, &bench->lanes[i]))
				error = measure_slice(bench, pattern, &bench->lanes[i], &rows[i],
						      round);
	}
	for (uint32_t i = 0; i < bench->lane_count && !error; i++)
		if (pattern_wants(pattern, &bench->lanes[i]))
			print_row(bench, pattern, &bench->lanes[i], &rows[i]);
	free(samples);
	free(rows);
	return error;
}
