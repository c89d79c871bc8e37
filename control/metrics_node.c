/*
 * Metrics of lbd itself and of the node around it: the process, interfaces, neighbours, repairs.
 */
#include "control/metrics_internal.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static double seconds_of(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void add_real(struct metrics_text *text, const char *name, enum metric_type type,
		     const char *help, double value)
{
	metrics_describe(text, name, type, help);
	metrics_add_real(text, name, (struct metric_labels){}, value);
}

/* 0 where /proc tells nothing. */
static uint64_t resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long size = 0, resident = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%lu %lu", &size, &resident) != 2)
		resident = 0;
	fclose(file);
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void write_process(struct metrics_text *text, const struct daemon *daemon)
{
	const double uptime = seconds_of(CLOCK_MONOTONIC) - (double)daemon->started_ns / 1e9;
	const struct metric_label version = {"version", LB_VERSION};

	metrics_describe(text, "lbd_build_info", METRIC_GAUGE, "The version of lbd");
	metrics_add(text, "lbd_build_info", (struct metric_labels){&version, 1}, 1);
	add_real(text, "lbd_uptime_seconds", METRIC_GAUGE, "How long lbd has been running", uptime);
	add_real(text, "process_start_time_seconds", METRIC_GAUGE,
		 "Start time of the process since the epoch",
		 (double)daemon->started_wall_ms / 1e3);
	add_real(text, "process_cpu_seconds_total", METRIC_COUNTER, "User and system CPU time",
		 seconds_of(CLOCK_PROCESS_CPUTIME_ID));
	metrics_add_single(text, "process_resident_memory_bytes", METRIC_GAUGE,
			   "Resident memory, without that of maps", resident_bytes());
}

static void add_interface(void *context, const struct interface_status *status)
{
	const struct metric_label labels[] = {
		{"interface", status->link.name},
		{"mode", status->attached ? datapath_mode_name(status->mode) : "none"},
		{"transmit", status->redirect ? "redirect" : "stack"},
	};

	metrics_add(context, "lbd_interface_attached", (struct metric_labels){labels, 3},
		    status->attached);
}

struct neighbour_counts {
	uint64_t of[NEIGHBOUR_LOCAL + 1];
};

static void count_neighbour(void *context, const struct neighbour_entry *entry)
{
	struct neighbour_counts *counts = context;

	counts->of[entry->state]++;
}

static void write_network(struct metrics_text *text, const struct daemon *daemon)
{
	struct neighbour_counts counts = {};

	metrics_describe(text, "lbd_interface_attached", METRIC_GAUGE,
			 "Whether packets that arrive by the interface meet lbd's program");
	interfaces_visit(daemon->interfaces, add_interface, text);
	neighbours_visit(daemon->neighbours, count_neighbour, &counts);
	metrics_describe(text, "lbd_neighbours", METRIC_GAUGE,
			 "Addresses of backends, by how far their next hop is known");
	for (int state = 0; state <= NEIGHBOUR_LOCAL; state++) {
		const struct metric_label label = {
			"state", neighbour_state_name((enum neighbour_state)state)};

		metrics_add(text, "lbd_neighbours", (struct metric_labels){&label, 1},
			    counts.of[state]);
	}
}

static void write_repairs(struct metrics_text *text, const struct repairs *repairs)
{
	metrics_describe(text, "lbd_repairs_total", METRIC_COUNTER,
			 "What was not as lbd had left it and was put right");
	for (enum repair what = 0; what < _REPAIR_COUNT; what++) {
		const struct metric_label label = {"what", repair_name(what)};

		metrics_add(text, "lbd_repairs_total", (struct metric_labels){&label, 1},
			    repairs->done[what]);
	}
}

bool metrics_write_node(struct scrape *scrape)
{
	const struct daemon *daemon = scrape->daemon;

	write_process(&scrape->text, daemon);
	write_network(&scrape->text, daemon);
	write_repairs(&scrape->text, &daemon->repairs);
	metrics_add_single(&scrape->text, "lbd_changes_total", METRIC_COUNTER,
			   "Changes of the tables that were applied",
			   reconcile_changes(daemon->reconcile));
	return true;
}
