/*
 * Compares what was counted and what came out with what a row promises: see check.h.
 */
#include "test/bench/check.h"

#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include "include/metadata.h"
#include "test/bench/traffic.h"

static const char *const VERDICT_NAMES[] = {
#define VERDICT_NAME(name, text, meaning) [VERDICT_##name] = text,
	VERDICTS(VERDICT_NAME)
#undef VERDICT_NAME
};

int check_init(struct check *check, const struct row *row, struct world *world,
	       const struct floors *floors)
{
	const struct service_key key = traffic_service(row);
	struct service_record record;

	*check = (struct check){.row = row, .world = world, .floors = floors};
	if (row->subject != SUBJECT_OURS)
		return 0;
	if (datapath_find_service(world_datapath(world), &key, &record)) {
		fprintf(stderr, "%s: its service is not in the tables\n", row->name);
		return -1;
	}
	check->service = record.service;
	return 0;
}

/* How many have begun at the row's service, or in floor B. */
static uint64_t connections_of(const struct check *check)
{
	struct traffic_counter counter = {};

	if (check->row->subject == SUBJECT_FLOOR_B)
		return floors_new_flows(check->floors);
	if (check->row->subject != SUBJECT_OURS)
		return 0;
	world_traffic(check->world, check->service, &counter);
	return counter.connections;
}

void check_begin(struct check *check)
{
	check->connections = connections_of(check);
	if (check->row->subject == SUBJECT_OURS)
		datapath_read_verdicts(world_datapath(check->world), check->verdicts);
}

uint64_t check_strays(const struct check *check, uint32_t packets)
{
	const enum verdict wanted = traffic_outcome(check->row).verdict;
	uint64_t strays = connections_of(check) - check->connections;
	struct counter now[_VERDICT_COUNT];

	if (check->row->subject != SUBJECT_OURS)
		return strays;
	datapath_read_verdicts(world_datapath(check->world), now);
	return strays + packets - (now[wanted].packets - check->verdicts[wanted].packets);
}

/* Of known flows, some may not be: their requests begin anew, their replies are nobody's. */
static int check_verdicts(const struct check *check, uint32_t packets)
{
	const uint64_t strays = traffic_is_answered(check->row) ? packets / STRAY_SHARE : 0;
	const enum verdict wanted = traffic_outcome(check->row).verdict;
	struct counter now[_VERDICT_COUNT];
	int error = 0;

	if (check->row->subject != SUBJECT_OURS)
		return 0;
	if (datapath_read_verdicts(world_datapath(check->world), now))
		return -1;
	for (int i = 0; i < _VERDICT_COUNT; i++) {
		const uint64_t moved = now[i].packets - check->verdicts[i].packets;

		if (i == (int)wanted ? moved + strays >= packets && moved <= packets
				     : moved <= strays)
			continue;
		fprintf(stderr, "%s: %s counts %llu of %u packets\n", check->row->name,
			VERDICT_NAMES[i], (unsigned long long)moved, packets);
		error = -1;
	}
	return error;
}

/* Of services addressed in turn only the first is looked at: it has its share, give or take one. */
static int check_began(const struct check *check, uint32_t packets)
{
	const uint64_t began = connections_of(check) - check->connections;
	const uint32_t services = check->row->services ? check->row->services : 1;
	const uint64_t share = packets / services;
	bool right = began <= packets / STRAY_SHARE;

	if (traffic_begins(check->row) && (check->floors || check->world))
		right = began >= share && began <= share + (services > 1);
	if (right)
		return 0;
	fprintf(stderr, "%s: %llu connections began in %u packets\n", check->row->name,
		(unsigned long long)began, packets);
	return -1;
}

/* With the knob on, what passes has its metadata in front: NULL where that is not right. */
static const struct frame *without_metadata(const struct check *check, const struct frame *frame)
{
	const struct outcome wanted = traffic_outcome(check->row);
	static struct frame plain; /* too long for comfort on the stack */
	struct metadata metadata;

	if (check->row->place != WORLD_METADATA || wanted.action != XDP_PASS)
		return frame;
	memcpy(&metadata, frame->bytes, sizeof(metadata));
	if (frame->length < sizeof(metadata) || metadata.magic != METADATA_MAGIC ||
	    metadata.verdict != wanted.verdict)
		return NULL;
	plain.length = frame->length - sizeof(metadata);
	memcpy(plain.bytes, frame->bytes + sizeof(metadata), plain.length);
	return &plain;
}

int check_end(const struct check *check, const struct harness *harness, uint32_t packets,
	      const struct harness_result *result)
{
	const struct outcome wanted = traffic_outcome(check->row);
	const struct frame *frame;
	struct blueprint sent = {};
	int error = 0;

	if (result->action != wanted.action) {
		fprintf(stderr, "%s: action %u, wanted %u (enum xdp_action)\n", check->row->name,
			result->action, wanted.action);
		error = -1;
	}
	if (!traffic_is_fixed(check->row))
		harness_last_packet(harness, &sent);
	frame = without_metadata(check, &result->frame);
	if (!frame)
		fprintf(stderr, "%s: no metadata, or wrong\n", check->row->name);
	if (!frame || !traffic_is_right(check->row, &sent, frame))
		error = -1;
	if (check_verdicts(check, packets) || check_began(check, packets))
		error = -1;
	return error;
}
