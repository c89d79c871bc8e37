/*
 * Runs rows that are ready, on one CPU or on two, and fills tables: see trial.h.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "test/bench/traffic.h"
#include "test/bench/trial_internal.h"

#define OTHER_CPU_FACTOR 10 /* so many more packets there, to last longer than ours */
#define OTHER_CPU_HEAD_START_US 60000
#define OVERLAP_TRIES 4
#define FILLING(connections) ((connections) / 2 * 3) /* some displace each other */
#define FULL_PERCENT 80

struct harness *trial_timed(const struct trial *trial, int lane)
{
	const struct lane *own = &trial->lanes[lane];

	if (own->fixed)
		return own->fixed;
	return traffic_is_request(trial->row) ? own->request : own->reply;
}

int trial_run_harness(const struct trial *trial, struct harness *harness, uint32_t packets,
		      struct harness_result *result)
{
	const int error = harness_run(harness, packets, result);

	if (error)
		fprintf(stderr, "%s: cannot run: %s\n", trial->row->name, strerror(-error));
	return error;
}

int trial_run_alone(struct trial *trial, uint32_t packets, double *ns)
{
	static struct harness_result result;
	struct harness *harness = trial_timed(trial, 0);

	if (packets < trial->row->flows)
		packets = trial->row->flows;
	check_begin(&trial->check);
	if (trial_run_harness(trial, harness, packets, &result))
		return -1;
	*ns = result.ns;
	return check_end(&trial->check, harness, packets, &result);
}

/* The other CPU's share. */
struct companion {
	struct trial *trial;
	uint32_t packets;
	struct harness_result result;
	int error;
	int ended; /* read by the other thread */
};

static void *accompany(void *context)
{
	struct companion *companion = context;
	struct trial *trial = companion->trial;

	companion->error = setting_pin(trial->setting->cpus[1]);
	if (!companion->error)
		companion->error = trial_run_harness(trial, trial_timed(trial, 1),
						     companion->packets, &companion->result);
	__atomic_store_n(&companion->ended, 1, __ATOMIC_RELEASE);
	return NULL;
}

/*
 * A test run begins when the other CPU has taken note, so both never begin together: the other one
 * gets a head start and more to do, and ours is timed in between. 1: the
 * other one was done first.
 */
static int run_together(struct trial *trial, uint32_t packets, struct companion *companion,
			struct harness_result *result)
{
	pthread_t thread;
	int error, ended;

	if (pthread_create(&thread, NULL, accompany, companion))
		return -1;
	usleep(OTHER_CPU_HEAD_START_US);
	error = trial_run_harness(trial, trial_timed(trial, 0), packets, result);
	ended = __atomic_load_n(&companion->ended, __ATOMIC_ACQUIRE);
	pthread_join(thread, NULL);
	return error || companion->error ? -1 : ended;
}

int trial_run(struct trial *trial, uint32_t packets, double *ns)
{
	static struct harness_result result;
	static struct companion companion;
	uint32_t factor = OTHER_CPU_FACTOR;
	int ended = 1;

	if (trial->lane_count == 1)
		return trial_run_alone(trial, packets, ns);
	for (int i = 0; ended == 1 && i < OVERLAP_TRIES; i++, factor *= 2) {
		companion = (struct companion){.trial = trial, .packets = packets * factor};
		check_begin(&trial->check);
		ended = run_together(trial, packets, &companion, &result);
	}
	if (ended == 1)
		fprintf(stderr, "%s: the other CPU is always done first\n", trial->row->name);
	*ns = result.ns;
	return ended ? -1
		     : check_end(&trial->check, trial_timed(trial, 0), packets + companion.packets,
				 &result);
}

static bool count(void *context, const struct connection_view *view)
{
	(void)view;
	++*(uint32_t *)context;
	return false;
}

int trial_fill(struct setting *setting, enum place place, uint32_t connections)
{
	const struct row filling = {
		.name = "filling the connection table",
		.subject = SUBJECT_OURS,
		.traffic = TRAFFIC_NEW,
		.kind = UDP4,
		.place = place,
	};
	struct trial *trial = trial_open(&filling, setting);
	uint32_t held = 0;
	double ns;
	int error = trial ? trial_run_alone(trial, FILLING(connections), &ns) : -1;

	trial_close(trial);
	if (!error)
		error = datapath_visit_connections(world_datapath(setting->worlds[place]), count,
						   &held);
	if (!error && held < connections / 100 * FULL_PERCENT) {
		fprintf(stderr, "the table for %u connections is not full: %u\n", connections,
			held);
		error = -1;
	}
	return error;
}
