/*
 * Duels: see duel.h.
 */
#include "test/bpf/duel.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#define DUELS 40000
#define MOST_DELAY 600 /* turns of an empty loop: about as long as a system call */

static void run_side(struct duel *duel, int side)
{
	struct xdp_md context = {.ingress_ifindex = network_ifindex(duel->in[side])};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = duel->frames[side].bytes,
		    .data_size_in = (__u32)duel->frames[side].length,
		    .data_out = duel->left[side].bytes, .data_size_out = FRAME_MAX,
		    .ctx_in = &context, .ctx_size_in = sizeof(context));

	context.data_end = options.data_size_in;
	for (volatile unsigned int i = 0; i < duel->delay[side]; i++)
		continue;
	bpf_prog_test_run_opts(bpf_program__fd(duel->scene->datapath->skeleton->progs.lb),
			       &options);
	duel->action[side] = options.retval;
	duel->left[side].length = options.data_size_out;
}

static void *wait_for_turns(void *context)
{
	struct duel *duel = context;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu() ? 0 : 1, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	for (unsigned int turn = 1;; turn++) {
		while (atomic_load(&duel->turn) < turn)
			if (atomic_load(&duel->over))
				return NULL;
		run_side(duel, 1);
		atomic_store(&duel->done, turn);
	}
}

struct duel *duel_new(struct scene *scene)
{
	struct duel *duel;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip();
	duel = test_calloc(1, sizeof(*duel));
	duel->scene = scene;
	duel->in[0] = duel->in[1] = UPLINK;
	duel->chance = chance_of(3);
	assert_int_equal(pthread_create(&duel->other, NULL, wait_for_turns, duel), 0);
	return duel;
}

void duel_free(struct duel *duel)
{
	atomic_store(&duel->over, true);
	pthread_join(duel->other, NULL);
	test_free(duel);
}

void duel_fight(struct duel *duel, const struct blueprint *one, const struct blueprint *other)
{
	const unsigned int turn = atomic_load(&duel->turn) + 1;

	frame_build(one, &duel->frames[0]);
	frame_build(other, &duel->frames[1]);
	for (int side = 0; side < 2; side++)
		duel->delay[side] = chance_below(&duel->chance, MOST_DELAY);
	atomic_store(&duel->turn, turn);
	run_side(duel, 0);
	while (atomic_load(&duel->done) < turn)
		continue;
}

void duel_start(struct duel *duel, const struct blueprint *request)
{
	frame_build(request, &duel->frames[0]);
	run_side(duel, 0);
}

bool duel_sent(const struct duel *duel, int side)
{
	return duel->action[side] == XDP_REDIRECT || duel->action[side] == XDP_TX;
}

bool duel_left_for(const struct duel *duel, int side, enum role next)
{
	return duel_sent(duel, side) && !memcmp(duel->left[side].bytes, role_mac(next), ETH_ALEN);
}

__be16 duel_source_port(const struct duel *duel, int side)
{
	const uint8_t *bytes = duel->left[side].bytes;
	const bool is_ipv6 = bytes[12] == 0x86;
	__be16 port;

	memcpy(&port, bytes + ETH_HLEN + (is_ipv6 ? 40 : 20), sizeof(port));
	return port;
}

void duel_clear(const struct duel *duel)
{
	struct connection *entries = duel->scene->connections.memory;

	for (size_t i = 0; i < duel->scene->connections.size / sizeof(*entries); i++)
		entries[i].head.word = 0;
}

uint32_t duel_count(void)
{
	return chance_setting("LBT_DUELS", DUELS);
}
