/*
 * Makes what rows need: see setting.h.
 */
#include "test/bench/setting.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include "test/bench/harness.h"
#include "test/bench/trial.h"
#include "test/bpf/network.h"

#define CONNECTIONS 1000000
#define CONNECTIONS_FEW 300000          /* to be full of quickly, or where few are looked for */
#define CONNECTIONS_OF_MILLIONS 4000000 /* three kinds of flows, and spare */
#define MANY_SERVICES 50000
#define DENIED 10000 /* prefixes of each family */

struct place_plan {
	struct world_options options; /* but for the connections */
	bool full;
};

static const struct place_plan PLANS[_WORLD_COUNT] = {
	[WORLD_ROOMY] = {{.services = 1}, .full = false},
	[WORLD_FULL] = {{.services = 1}, .full = true},
	[WORLD_MANY] = {{.services = MANY_SERVICES}, .full = true},
	[WORLD_MILLION] = {{.services = 1}, .full = false},
	[WORLD_DENY] = {{.services = 1, .denied = DENIED}, .full = false},
	[WORLD_METADATA] = {{.services = 1, .metadata = true}, .full = false},
	[WORLD_STATELESS] = {{.services = 1, .max_new_connections = 1}, .full = false},
	[WORLD_ANSWER] = {{.services = 1, .answers = true}, .full = false},
};

int setting_pin(int cpu)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(cpu, &here);
	return sched_setaffinity(0, sizeof(here), &here) ? -errno : 0;
}

/* The last two that we may use: the first is where others like to run. */
static void choose_cpus(struct setting *setting)
{
	cpu_set_t allowed;

	setting->cpus[0] = setting->cpus[1] = -1;
	CPU_ZERO(&allowed);
	sched_getaffinity(0, sizeof(allowed), &allowed);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed))
			continue;
		setting->cpus[1] = setting->cpus[0];
		setting->cpus[0] = cpu;
	}
}

static uint32_t connections_of(const struct setting *setting, enum place place)
{
	if (place == WORLD_MILLION)
		return CONNECTIONS_OF_MILLIONS;
	if (place >= WORLD_DENY)
		return CONNECTIONS_FEW;
	return setting->quick && PLANS[place].full ? CONNECTIONS_FEW : CONNECTIONS;
}

int setting_open(struct setting *setting, bool quick)
{
	void *nothing = NULL;

	*setting = (struct setting){.quick = quick};
	choose_cpus(setting);
	if (network_make(&nothing) || mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL) ||
	    setting_pin(setting->cpus[0])) {
		fprintf(stderr, "cannot make a place to measure in: %s\n", strerror(errno));
		return -1;
	}
	setting->floors = floors_open(connections_of(setting, NO_WORLD));
	if (setting->floors && !harness_calibrate(floors_program(setting->floors, SUBJECT_NOP)))
		return 0;
	fprintf(stderr, "cannot load the floors: %s\n", strerror(errno));
	return -1;
}

void setting_close(struct setting *setting)
{
	for (int place = 0; place < _WORLD_COUNT; place++)
		world_close(setting->worlds[place]);
	floors_close(setting->floors);
}

struct world *setting_world(struct setting *setting, enum place place)
{
	struct world_options options = PLANS[place].options;

	if (place == NO_WORLD || setting->worlds[place])
		return setting->worlds[place];
	options.connections = connections_of(setting, place);
	setting->worlds[place] = world_open(&options);
	if (!setting->worlds[place] || !PLANS[place].full)
		return setting->worlds[place];
	return trial_fill(setting, place, options.connections) ? NULL : setting->worlds[place];
}
