/*
 * The kinds of traffic: how a lane is shown to do what it should, and made ready for each of them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "test/bench/path/bench_path.h"
#include "test/bench/path/generator.skel.h"
#include "test/bench/path/sink.skel.h"

#define VERIFY_TRIES 3
#define VERIFY_PACKETS 4096 /* at least */
#define LEAST_SHARE 0.1     /* of each of five backends: 0.2 are meant */
#define CALIBRATE_PACKETS 1024
#define GROWTH_SERVICES 1000 /* at least, of the lanes in which only frames grow */
#define GROWTH_MOST 2000

struct traffic {
	const char *name;
	bool is_new;
	bool reflect;
	bool to_socket;
	uint32_t frame_bytes;
};

static const struct traffic TRAFFIC[_PATTERN_COUNT] = {
	[PATTERN_ESTABLISHED] = {"established", .frame_bytes = FRAME_BYTES},
	[PATTERN_ROUND_TRIP] = {"round trip", .reflect = true, .frame_bytes = FRAME_BYTES},
	[PATTERN_SOCKET] = {"established, into sockets", .to_socket = true,
			    .frame_bytes = FRAME_BYTES},
	[PATTERN_512] = {"established, 512 bytes", .frame_bytes = 512},
	[PATTERN_1514] = {"established, 1,514 bytes", .frame_bytes = MAX_FRAME_BYTES},
	[PATTERN_NEW] = {"new", .is_new = true, .frame_bytes = FRAME_BYTES},
	[PATTERN_FULL] = {"established, table full", .frame_bytes = FRAME_BYTES},
};

const char *pattern_name(enum pattern pattern)
{
	return TRAFFIC[pattern].name;
}

int pattern_parse(const char *name, enum pattern *pattern)
{
	for (enum pattern i = 0; i < _PATTERN_COUNT; i++) {
		if (strcmp(TRAFFIC[i].name, name))
			continue;
		*pattern = i;
		return 0;
	}
	return -EINVAL;
}

/* All ones as the mask: each packet is of a new flow. */
static void set_traffic(struct lane *lane, uint64_t flow_mask, bool reflect, uint32_t frame_bytes)
{
	for (uint32_t i = 0; i < MAX_CPUS; i++) {
		lane->generator[i]->bss->settings.flow_mask = flow_mask;
		lane->generator[i]->bss->settings.frame_bytes = frame_bytes;
	}
	lane->backend->bss->settings.reflect = reflect;
	lane->backend->bss->settings.to_socket = false;
}

static void forget_tallies(struct lane *lane)
{
	struct tally tally;

	usleep(SETTLE_US);
	read_tally(lane->client, &tally);
	read_tally(lane->backend, &tally);
}

static int complain(const struct lane *lane, const char *what, const struct tally *tally)
{
	fprintf(stderr, "lane %s: %s: %llu right, %llu wrong, %llu with a bad checksum\n",
		lane->name, what, tally->delivered, tally->wrong, tally->bad_checksum);
	return tally->wrong || tally->bad_checksum ? -EPROTO : -EAGAIN;
}

static int judge(const struct lane *lane, uint64_t sent, const struct tally *request,
		 const struct tally *reply)
{
	if (request->delivered != sent || request->wrong || request->bad_checksum)
		return complain(lane, "requests", request);
	if (reply->delivered != sent || reply->wrong || reply->bad_checksum)
		return complain(lane, "replies", reply);
	for (int i = 0; i < BACKENDS && lane->kind == LANE_BALANCER; i++) {
		if (request->backend[i] >= LEAST_SHARE * sent)
			continue;
		complain(lane, "a backend is left out", request);
		return -EPROTO;
	}
	return 0;
}

/*
 * Twice as many as there are services: the generator spreads so evenly that none is left out (the
 * largest gap between n multiples of the golden ratio, modulo 1, is less than 2 / n).
 */
static uint64_t verify_packets(const struct lane *lane)
{
	return lane->services > VERIFY_PACKETS / 2 ? 2ul * lane->services : VERIFY_PACKETS;
}

static int verify_once(struct lane *lane)
{
	struct tally request, reply;
	struct cost cost;
	int error;

	set_traffic(lane, ~0ull, true, FRAME_BYTES);
	error = run_packets(lane, 0, 256, &cost); /* what is slow only once */
	forget_tallies(lane);
	lane->client->bss->settings.checksum = lane->backend->bss->settings.checksum = true;
	error = error ? error : run_packets(lane, 0, verify_packets(lane), &cost);
	usleep(SETTLE_US);
	lane->client->bss->settings.checksum = lane->backend->bss->settings.checksum = false;
	read_tally(lane->backend, &request);
	read_tally(lane->client, &reply);
	return error ? error : judge(lane, cost.packets, &request, &reply);
}

/* Again where packets were lost: a machine with other things to do lets a ring overflow. */
int pattern_verify(struct lane *lane)
{
	int error = -EAGAIN;

	for (int i = 0; i < VERIFY_TRIES && error == -EAGAIN; i++)
		error = verify_once(lane);
	return error;
}

bool pattern_wants(enum pattern pattern, const struct lane *lane)
{
	if (pattern == PATTERN_SOCKET)
		return lane->skb_sink;
	if (pattern == PATTERN_FULL) /* only tables of a fixed size are ever full */
		return !lane->skb_sink;
	if (pattern == PATTERN_512 || pattern == PATTERN_1514) /* one lane of each contender */
		return lane->services >= GROWTH_SERVICES && lane->services <= GROWTH_MOST;
	return true;
}

int pattern_fill(const struct bench *bench, struct lane *lane)
{
	struct cost cost;

	if (!bench->prefill || lane->kind != LANE_BALANCER || lane->skb_sink)
		return 0;
	set_traffic(lane, ~0ull, false, FRAME_BYTES);
	return run_packets(lane, 0, bench->prefill, &cost);
}

int pattern_warm_up(const struct bench *bench, enum pattern pattern, struct lane *lane,
		    struct cost *cost)
{
	const struct traffic *traffic = &TRAFFIC[pattern];
	int error;

	if (traffic->is_new) {
		set_traffic(lane, ~0ull, false, traffic->frame_bytes);
		error = run_packets(lane, 0, CALIBRATE_PACKETS, cost);
		forget_tallies(lane);
		return error;
	}
	set_traffic(lane, bench->flows - 1, true, traffic->frame_bytes);
	error = run_packets(lane, 0, bench->flows, cost);
	if (!error && lane->two_cores)
		error = run_packets(lane, 1, bench->flows, cost);
	lane->backend->bss->settings.reflect = traffic->reflect;
	lane->backend->bss->settings.to_socket = traffic->to_socket;
	if (!error && !traffic->reflect)
		error = run_packets(lane, 0, bench->flows, cost);
	forget_tallies(lane);
	return error;
}
