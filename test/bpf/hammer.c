/*
 * The connection table under load from every CPU: threads send random packets of callers that meet
 * in a few buckets, and each packet is judged (hammer_judge.c); whenever they pause, the table is
 * (hammer_table.c). Meanwhile time passes for some entries, and in the second test lbd changes
 * backends, flushes and sweeps. bpf/connection_table.h says why it should hold.
 *
 * $LBT_SEED: another run. $LBT_HAMMER_ROUNDS: a longer one.
 */
#include <linux/in.h>
#include <stdlib.h>
#include <unistd.h>
#include "include/connection.h"
#include "lb/traffic.h"
#include "test/bpf/hammer_lbd.h"
#include "test/bpf/hammer_table.h"
#include "test/bpf/hammer_thread.h"

#define ROUNDS 400
#define PACKETS 1000 /* of a thread in a round */
#define CONNECTIONS 8

static const uint32_t HAMMER_CONNECTIONS = CONNECTIONS; /* 32 entries: four buckets */

struct hammer {
	struct scene *scene;
	struct callers callers;
	struct hammer_thread *threads;
	uint32_t count;
	struct leftovers leftovers;
};

/* As many as the CPUs, and as many again, so that they also take turns. */
static void open_hammer(struct hammer *hammer, struct scene *scene, bool lbd)
{
	hammer->scene = scene;
	hammer->count = 2 * (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
	hammer->count = hammer->count < MAX_THREADS ? hammer->count : MAX_THREADS;
	hammer->threads = calloc(hammer->count, sizeof(*hammer->threads));
	assert_non_null(hammer->threads);
	callers_make(&hammer->callers, scene, hammer->count);
	for (uint32_t i = 0; i < hammer->count; i++) {
		struct hammer_thread *thread = &hammer->threads[i];

		thread->scene = scene;
		thread->callers = &hammer->callers;
		thread->number = i;
		thread->lbd = lbd;
		thread->packets = PACKETS;
		thread->program = bpf_program__fd(scene->datapath->skeleton->progs.lb);
		thread->chance = chance_of(100 + i);
	}
	print_message("# seed %llu, %u threads, %zu callers\n", (unsigned long long)chance_seed(),
		      hammer->count, hammer->callers.count);
}

static enum role backend_of(const struct caller *caller)
{
	for (int role = 0; role < _ROLE_COUNT; role++)
		if (caller->service_at[role][0])
			return (enum role)role;
	fail_msg("a keeper has no backend");
	return _ROLE_COUNT;
}

static void establish(struct hammer_thread *thread, struct caller *caller)
{
	caller->calling = CALLS_ALONE;
	hammer_request(thread, caller, KEEPER_SERVICE, SYN, 0);
	caller->keeper_backend = backend_of(caller);
	hammer_reply(thread, caller, (struct spot){caller->keeper_backend, 0}, SYN | ACK);
	hammer_request(thread, caller, KEEPER_SERVICE, ACK, 0);
	caller->calling = CALLS_KEEPER;
}

static void establish_keepers(struct hammer *hammer)
{
	for (size_t i = 0; i < hammer->callers.count; i++)
		if (hammer->callers.all[i].calling == CALLS_KEEPER)
			establish(&hammer->threads[0], &hammer->callers.all[i]);
}

static void expect_no_findings(const struct hammer *hammer)
{
	for (uint32_t i = 0; i < hammer->count; i++)
		if (hammer->threads[i].findings)
			fail_msg("seed %llu, thread %u, %llu findings, the first: %s",
				 (unsigned long long)chance_seed(), i,
				 (unsigned long long)hammer->threads[i].findings,
				 hammer->threads[i].finding);
}

static void run_round(struct hammer *hammer, struct hammer_lbd *lbd)
{
	for (uint32_t i = 0; i < hammer->count; i++)
		assert_int_equal(pthread_create(&hammer->threads[i].pthread, NULL,
						hammer_thread_run, &hammer->threads[i]),
				 0);
	for (uint32_t i = 0; i < hammer->count; i++)
		while (pthread_tryjoin_np(hammer->threads[i].pthread, NULL))
			hammer_lbd_act(lbd);
	expect_no_findings(hammer);
	hammer_check_table(hammer->scene, &hammer->callers, hammer->threads[0].lbd,
			   &hammer->leftovers);
}

static uint64_t sum_of_fate(const struct hammer *hammer, enum fate fate)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < hammer->count; i++)
		sum += hammer->threads[i].fates[fate];
	return sum;
}

static uint64_t sum_of_aliased(const struct hammer *hammer)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < hammer->count; i++)
		sum += hammer->threads[i].aliased;
	return sum;
}

static uint64_t counted(const struct counter *counters, enum verdict first, enum verdict last)
{
	uint64_t sum = 0;

	for (int i = first; i <= (int)last; i++)
		sum += counters[i].packets;
	return sum;
}

static void expect_exact_verdicts(const struct hammer *hammer)
{
	struct counter counters[_VERDICT_COUNT];

	assert_int_equal(datapath_read_verdicts(hammer->scene->datapath, counters), 0);
	assert_int_equal(counters[VERDICT_TX].packets, sum_of_fate(hammer, FATE_SENT_BACK));
	assert_int_equal(counters[VERDICT_REDIRECT].packets, sum_of_fate(hammer, FATE_REDIRECTED));
	assert_int_equal(counters[VERDICT_PASS_UNRESOLVED].packets,
			 sum_of_fate(hammer, FATE_UNRESOLVED));
	assert_int_equal(counters[VERDICT_PASS_NO_SERVICE].packets,
			 sum_of_fate(hammer, FATE_PASSED));
	assert_int_equal(counted(counters, VERDICT_DROP_NO_BACKEND, VERDICT_DROP_TABLE) +
				 counters[VERDICT_DROP_RATE_LIMITED].packets +
				 counters[VERDICT_DROP_NOT_SERVED].packets,
			 sum_of_fate(hammer, FATE_DROPPED));
	assert_int_equal(counters[VERDICT_ANSWER_RESET].packets +
				 counters[VERDICT_ANSWER_UNREACHABLE].packets,
			 sum_of_fate(hammer, FATE_ANSWERED));
	print_message("# %llu packets: %llu no service, %llu collisions, %llu no room, "
		      "%llu unresolved, %llu left, %llu with an alias\n",
		      (unsigned long long)counted(counters, 0, _VERDICT_COUNT - 1),
		      (unsigned long long)counters[VERDICT_PASS_NO_SERVICE].packets,
		      (unsigned long long)counters[VERDICT_DROP_COLLISION].packets,
		      (unsigned long long)counters[VERDICT_DROP_TABLE].packets,
		      (unsigned long long)counters[VERDICT_PASS_UNRESOLVED].packets,
		      (unsigned long long)counted(counters, VERDICT_TX, VERDICT_REDIRECT),
		      (unsigned long long)sum_of_aliased(hammer));
	assert_true(sum_of_aliased(hammer));
}

/* What its backends count as new is what the service does. */
static void expect_exact_service(const struct hammer *hammer, const struct offered *offered,
				 uint64_t requests, uint64_t replies)
{
	const struct placement *placement = offered->placement;
	struct datapath *datapath = hammer->scene->datapath;
	struct traffic_counter counter, backend;
	uint64_t connections = 0;

	assert_int_equal(traffic_of_service(datapath, placement, &counter), 0);
	assert_int_equal(counter.request.packets, requests);
	assert_int_equal(counter.reply.packets, replies);
	for (size_t i = 0; i < placement->count; i++) {
		datapath_read_backend(datapath, placement->places[i].backend, &backend);
		connections += backend.connections;
	}
	assert_int_equal(counter.connections, connections);
}

/* scene_offer put the kinds of one service beside each other. */
static void expect_exact_services(const struct hammer *hammer)
{
	for (int service = 0; service < SERVICES; service++) {
		for (int kind = 0; kind < KIND_COUNT; kind++) {
			uint64_t requests = 0, replies = 0;

			for (uint32_t i = 0; i < hammer->count; i++) {
				requests += hammer->threads[i].requests[kind][service];
				replies += hammer->threads[i].replies[kind][service];
			}
			expect_exact_service(hammer,
					     &hammer->scene->offered[service * KIND_COUNT + kind],
					     requests, replies);
		}
	}
}

static void expect_no_leftovers(const struct hammer *hammer)
{
	const struct leftovers *leftovers = &hammer->leftovers;

	print_message("# %llu connections twice in the pauses\n",
		      (unsigned long long)leftovers->twice);
	assert_int_equal(leftovers->ambiguous, 0);
}

static void run_hammer(struct scene *scene, bool changes)
{
	const uint32_t rounds = chance_setting("LBT_HAMMER_ROUNDS", ROUNDS);
	struct hammer *hammer = calloc(1, sizeof(*hammer));
	struct hammer_lbd lbd = {.scene = scene, .changes = changes, .chance = chance_of(2)};

	assert_non_null(hammer);
	scene_move(scene, STRANGER, POD);
	hammer_lbd_offer_all(scene);
	open_hammer(hammer, scene, changes);
	lbd.callers = &hammer->callers;
	establish_keepers(hammer);
	expect_no_findings(hammer);
	for (uint32_t round = 0; round < rounds; round++)
		run_round(hammer, &lbd);
	expect_exact_verdicts(hammer);
	if (!changes)
		expect_exact_services(hammer);
	expect_no_leftovers(hammer);
	free(hammer->threads);
	free(hammer);
}

static void packets_on_every_cpu_never_mix_connections_up(void **state)
{
	run_hammer(*state, false);
}

static void packets_never_mix_up_while_lbd_changes_the_tables(void **state)
{
	run_hammer(*state, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sized_scene_test(packets_on_every_cpu_never_mix_connections_up,
				 &HAMMER_CONNECTIONS),
		sized_scene_test(packets_never_mix_up_while_lbd_changes_the_tables,
				 &HAMMER_CONNECTIONS),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
