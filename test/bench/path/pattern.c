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
#define VERIFY_PACKETS 4096 /* and at 57 µs each still quick */
#define LEAST_SHARE 0.1	    /* of each of five backends: 0.2 are meant */
#define CALIBRATE_PACKETS 1024

static const char *const NAMES[_PATTERN_COUNT] = {
	[PATTERN_ESTABLISHED] = "established",
	[PATTERN_ROUND_TRIP] = "round trip",
	[PATTERN_NEW] = "new",
	[PATTERN_FULL] = "established, table full",
};

const char *pattern_name(enum pattern pattern)
{
	return NAMES[pattern];
}

int pattern_parse(const char *name, enum pattern *pattern)
{
	for (enum pattern i = 0; i < _PATTERN_COUNT; i++) {
		if (strcmp(NAMES[i], name))
			continue;
		*pattern = i;
		return 0;
	}
	return -EINVAL;
}

static void set_traffic(struct lane *lane, uint64_t flow_mask, bool reflect)
{
	for (uint32_t i = 0; i < MAX_CPUS; i++)
		lane->generator[i]->bss->settings.flow_mask = flow_mask;
	lane->backend->bss->settings.reflect = reflect;
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

static int judge(const struct lane *lane, const struct tally *request, const struct tally *reply)
{
	if (request->delivered != VERIFY_PACKETS || request->wrong || request->bad_checksum)
		return complain(lane, "requests", request);
	if (reply->delivered != VERIFY_PACKETS || reply->wrong || reply->bad_checksum)
		return complain(lane, "replies", reply);
	for (int i = 0; i < BACKENDS && lane->kind == LANE_BALANCER; i++) {
		if (request->backend[i] >= LEAST_SHARE * VERIFY_PACKETS)
			continue;
		complain(lane, "a backend is left out", request);
		return -EPROTO;
	}
	return 0;
}

static int verify_once(struct lane *lane)
{
	struct tally request, reply;
	struct cost cost;
	int error;

	set_traffic(lane, ~0ull, true);
	error = run_packets(lane, 0, 256, &cost); /* what is slow only once */
	forget_tallies(lane);
	lane->client->bss->settings.checksum = lane->backend->bss->settings.checksum = true;
	error = error ? error : run_packets(lane, 0, VERIFY_PACKETS, &cost);
	usleep(SETTLE_US);
	lane->client->bss->settings.checksum = lane->backend->bss->settings.checksum = false;
	read_tally(lane->backend, &request);
	read_tally(lane->client, &reply);
	error = error ? error : judge(lane, &request, &reply);
	return error;
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
	return pattern != PATTERN_FULL || !lane->skb_sink;
}

int pattern_fill(const struct bench *bench, struct lane *lane)
{
	struct cost cost;

	if (!bench->prefill || lane->kind != LANE_BALANCER || lane->skb_sink)
		return 0;
	set_traffic(lane, ~0ull, false);
	return run_packets(lane, 0, bench->prefill, &cost);
}

int pattern_warm_up(const struct bench *bench, enum pattern pattern, struct lane *lane,
		    struct cost *cost)
{
	const bool is_new = pattern == PATTERN_NEW;
	int error;

	set_traffic(lane, is_new ? ~0ull : bench->flows - 1, !is_new);
	error = run_packets(lane, 0, is_new ? CALIBRATE_PACKETS : bench->flows, cost);
	if (!error && lane->two_cores && !is_new)
		error = run_packets(lane, 1, bench->flows, cost);
	if (pattern == PATTERN_ESTABLISHED || pattern == PATTERN_FULL) {
		set_traffic(lane, bench->flows - 1, false);
		error = error ? error : run_packets(lane, 0, bench->flows, cost);
	}
	forget_tallies(lane);
	return error;
}
