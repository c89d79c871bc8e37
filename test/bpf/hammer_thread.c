/*
 * What a thread of the hammer sends: see hammer_thread.h.
 */
#include "test/bpf/hammer_thread.h"

#include <linux/in.h>
#include <sched.h>

static const enum role BACKENDS[] = {BACKEND_A, BACKEND_B, STRANGER};

#define BACKEND_COUNT (sizeof(BACKENDS) / sizeof(BACKENDS[0]))

/* More threads than CPUs: they take turns between packets. */
static void stay_on_cpu(uint32_t number)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(number, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

static struct caller *choose_caller(struct hammer_thread *thread)
{
	struct callers *callers = thread->callers;
	struct caller *caller;

	do {
		caller = &callers->all[chance_below(&thread->chance, (uint32_t)callers->count)];
	} while (caller->calling != CALLS_SHARED && caller->owner != thread->number);
	return caller;
}

/* Mostly first packets, and enough ends that not everything is established. */
static uint8_t choose_request_flags(struct chance *chance)
{
	const uint32_t draw = chance_below(chance, 100);

	if (draw < 55)
		return SYN;
	if (draw < 70)
		return ACK;
	if (draw < 85)
		return FIN | ACK;
	return RST | ACK;
}

static uint8_t choose_reply_flags(struct chance *chance)
{
	const uint32_t draw = chance_below(chance, 100);

	if (draw < 40)
		return SYN | ACK;
	if (draw < 70)
		return ACK;
	return draw < 90 ? FIN | ACK : RST | ACK;
}

static struct spot spot_of(uint32_t number)
{
	return (struct spot){BACKENDS[number % BACKEND_COUNT], number / BACKEND_COUNT % PORTS};
}

/* Where a request went, mostly. */
static struct spot choose_spot(struct hammer_thread *thread, const struct caller *caller)
{
	const uint32_t first = chance_below(&thread->chance, BACKEND_COUNT * PORTS);
	const bool own = chance_percent(&thread->chance, 50);

	for (uint32_t i = 0; i < BACKEND_COUNT * PORTS && chance_percent(&thread->chance, 99);
	     i++) {
		const struct spot spot = spot_of(first + i);

		if (caller->service_at[spot.backend][spot.port])
			return spot;
	}
	return spot_of(own ? first % BACKEND_COUNT : first);
}

static void send_for_keeper(struct hammer_thread *thread, struct caller *caller)
{
	if (chance_percent(&thread->chance, 50))
		hammer_request(thread, caller, KEEPER_SERVICE, ACK,
			       chance_below(&thread->chance, MACS));
	else
		hammer_reply(thread, caller, (struct spot){caller->keeper_backend, 0}, ACK);
}

static void send_one(struct hammer_thread *thread)
{
	struct caller *caller = choose_caller(thread);
	struct chance *chance = &thread->chance;

	if (caller->calling == CALLS_KEEPER) {
		send_for_keeper(thread, caller);
		return;
	}
	if (caller->calling == CALLS_NEVER || chance_percent(chance, 35)) {
		hammer_reply(thread, caller, choose_spot(thread, caller),
			     choose_reply_flags(chance));
		return;
	}
	hammer_request(thread, caller, chance_below(chance, SERVICES), choose_request_flags(chance),
		       chance_below(chance, MACS));
}

void *hammer_thread_run(void *context)
{
	struct hammer_thread *thread = context;

	stay_on_cpu(thread->number % thread->scene->datapath->cpus);
	for (uint32_t i = 0; i < thread->packets; i++)
		send_one(thread);
	return NULL;
}
