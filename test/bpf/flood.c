/*
 * A flood of half-open connections from random sources against established ones, from every CPU: a
 * million packets, $LBT_FLOOD for another number. Nobody who was there before loses an entry, and
 * what was made is counted exactly.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/in.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "test/bpf/chance.h"
#include "test/bpf/scene.h"

#define PACKETS 1000000
#define ESTABLISHED 10000
#define MAX_CPUS 64

static const uint32_t FLOOD_CONNECTIONS = 131072; /* enough that ESTABLISHED fit their buckets */

struct flood {
	struct scene *scene;
	pthread_t pthread;
	uint32_t cpu;
	uint32_t packets;
	uint64_t redirected;
	uint64_t dropped;
};

/* TCP over IPv4 from anywhere, and each packet another source. */
static void send_flood(struct flood *flood)
{
	struct blueprint syn = request_of(&KINDS[0]);
	struct xdp_md context = {.ingress_ifindex = network_ifindex(UPLINK)};
	struct chance chance = chance_of(1000 + flood->cpu);
	struct frame frame;
	uint8_t left[256];
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.bytes, .data_out = left,
		    .ctx_in = &context, .ctx_size_in = sizeof(context));

	syn.payload_length = 0;
	for (uint32_t i = 0; i < flood->packets; i++) {
		syn.src.word[3] = htonl((flood->cpu << 24 | i) ^ 0x80000000);
		syn.src_port = (__be16)chance_word(&chance);
		frame_build(&syn, &frame);
		options.data_size_in = context.data_end = (__u32)frame.length;
		options.data_size_out = sizeof(left);
		if (bpf_prog_test_run_opts(
			    bpf_program__fd(flood->scene->datapath->skeleton->progs.lb), &options))
			return;
		flood->redirected += options.retval == XDP_REDIRECT;
		flood->dropped += options.retval == XDP_DROP;
	}
}

static void *run_flood(void *context)
{
	struct flood *flood = context;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(flood->cpu, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	send_flood(flood);
	return NULL;
}

static struct blueprint established_request(uint32_t i)
{
	struct blueprint request = request_of(&KINDS[i % KIND_COUNT]);

	request.src_port = htons((uint16_t)(1024 + i));
	return request;
}

static uint32_t flood_from_every_cpu(struct scene *scene, uint64_t *redirected)
{
	const uint32_t packets = chance_setting("LBT_FLOOD", PACKETS);
	const long online = sysconf(_SC_NPROCESSORS_ONLN);
	const uint32_t cpus = online < MAX_CPUS ? (uint32_t)online : MAX_CPUS;
	struct flood floods[MAX_CPUS] = {};
	uint64_t dropped = 0;

	for (uint32_t cpu = 0; cpu < cpus; cpu++) {
		floods[cpu] = (struct flood){.scene = scene, .cpu = cpu, .packets = packets / cpus};
		assert_int_equal(
			pthread_create(&floods[cpu].pthread, NULL, run_flood, &floods[cpu]), 0);
	}
	for (uint32_t cpu = 0; cpu < cpus; cpu++) {
		pthread_join(floods[cpu].pthread, NULL);
		*redirected += floods[cpu].redirected;
		dropped += floods[cpu].dropped;
	}
	assert_int_equal(*redirected + dropped, packets / cpus * cpus);
	print_message("# %u packets, %llu without an entry\n", packets,
		      (unsigned long long)dropped);
	return packets;
}

/* Handshakes at A; whoever is forgotten would go to B. */
static void a_flood_takes_no_established_connection(void **state)
{
	struct scene *scene = *state;
	struct timespec started, ended;
	struct connection connection;
	struct traffic_counter traffic;
	uint64_t redirected = 0;

	scene_offer_all(scene, &ONLY_A);
	for (uint32_t i = 0; i < ESTABLISHED; i++) {
		const struct blueprint request = established_request(i);

		scene_play(scene, &request, "SsA");
	}
	scene_offer_all(scene, &A_DRAINS_TO_B);

	clock_gettime(CLOCK_MONOTONIC, &started);
	flood_from_every_cpu(scene, &redirected);
	clock_gettime(CLOCK_MONOTONIC, &ended);
	print_message("# %ld s\n", (long)(ended.tv_sec - started.tv_sec));

	assert_int_equal(datapath_read_verdicts(scene->datapath, scene->counters), 0);
	traffic = scene_traffic(scene, &KINDS[0]);
	assert_int_equal(traffic.connections, redirected + ESTABLISHED / KIND_COUNT);
	for (uint32_t i = 0; i < ESTABLISHED; i++) {
		const struct blueprint request = established_request(i);

		assert_true(scene_find(scene, &request, &connection));
		assert_int_equal(connection.state.seen & TCP_SEEN_ESTABLISHED,
				 TCP_SEEN_ESTABLISHED);
		scene_play(scene, &request, "Aa");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sized_scene_test(a_flood_takes_no_established_connection, &FLOOD_CONNECTIONS),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
