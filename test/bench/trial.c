/*
 * Makes rows ready: see trial.h.
 */
#include "test/bench/trial.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lb/address.h"
#include "test/bench/traffic.h"
#include "test/bench/trial_internal.h"
#include "test/bench/wrapper.h"
#include "test/bpf/network.h"

#define WARM_PACKETS 2000
#define WRAPPER_NAME 48
#define PRIMINGS 4 /* a full table may evict some of the first; they then come again */

/*
 * Flow numbers: 0 on for known flows; of new ones a range for each row; longer ones for what a
 * second CPU does of some row; the filling.
 */
#define FLOWS_OF_LANE (1u << 21)
#define NEW_FLOWS_OF_ROW (1u << 24)
#define OTHER_CPU_FLOWS (1u << 31)
#define OTHER_CPU_FLOWS_OF_ROW (1u << 28)
#define FILLING_FLOWS (3u << 30)

static uint32_t first_flow(const struct row *row, int lane)
{
	if (row->flows)
		return (uint32_t)lane * FLOWS_OF_LANE;
	if (row < ROWS || row >= ROWS + ROW_COUNT)
		return FILLING_FLOWS;
	if (lane)
		return OTHER_CPU_FLOWS + (uint32_t)(row - ROWS) % 4 * OTHER_CPU_FLOWS_OF_ROW;
	return (uint32_t)(row - ROWS + 1) * NEW_FLOWS_OF_ROW;
}

static void name_wrapper(const struct row *row, bool request, char name[WRAPPER_NAME])
{
	const struct kind *kind = row_kind(row);
	const char *suffix = row->clients ? "_suspects" : "";

	if (row->options && request)
		suffix = "_options";
	if (row->place == WORLD_METADATA && request)
		suffix = "_metadata";
	if (request && row->subject == SUBJECT_OURS && traffic_outcome(row).action == XDP_TX)
		suffix = "_resized";
	snprintf(name, WRAPPER_NAME, "%s_%s_%s%s", kind->family == IPV6 ? "ipv6" : "ipv4",
		 protocol_name(kind->protocol), request ? "request" : "reply", suffix);
}

/* 0: none are. */
static uint32_t first_suspect(const struct row *row)
{
	if (row->clients == CLIENTS_FEW)
		return 0;
	return row->clients == CLIENTS_DENIED ? SUSPECT(0) : BESIDE_SUSPECT(0);
}

static int open_harness(struct trial *trial, int lane, bool request, const char *wrapper,
			struct harness **harness)
{
	const struct row *row = trial->row;
	const struct harness_options options = {
		.wrapper = wrapper,
		.subject = row->subject == SUBJECT_OURS
				   ? world_program(trial->setting->worlds[row->place])
				   : floors_program(trial->setting->floors, row->subject),
		.ifindex = network_ifindex(request ? UPLINK : POD),
		.first_flow = first_flow(row, lane),
		.flows = row->flows,
		.service_count = request ? row->services : 0,
		.first_service = ntohl(traffic_service(row).address.word[3]),
		.first_suspect = first_suspect(row),
	};
	int error = harness_open(&options, harness);

	if (error)
		fprintf(stderr, "%s: cannot load the wrapper %s: %s\n", row->name, wrapper,
			strerror(-error));
	return error;
}

static void set_request(struct trial *trial, int lane, uint8_t tcp_flags)
{
	const struct blueprint request = traffic_request(trial->row, tcp_flags);

	harness_set_packet(trial->lanes[lane].request, &request, true);
}

static void set_reply(struct trial *trial, int lane, uint32_t backend, uint8_t tcp_flags)
{
	const struct blueprint reply = traffic_reply(trial->row, backend, tcp_flags);

	harness_set_packet(trial->lanes[lane].reply, &reply, false);
}

static int open_fixed(struct trial *trial, int lane)
{
	static struct frame frame; /* too long for comfort on the stack */
	struct harness **harness = &trial->lanes[lane].fixed;
	const char *wrapper =
		trial->row->traffic == TRAFFIC_TAGGED ? "as_it_is_resized" : "as_it_is";
	int error = open_harness(trial, lane, traffic_is_request(trial->row), wrapper, harness);

	if (error)
		return error;
	traffic_fixed(trial->row, &frame);
	harness_set_fixed(*harness, &frame);
	return 0;
}

static int open_lane(struct trial *trial, int lane)
{
	const struct row *row = trial->row;
	char wrapper[WRAPPER_NAME];
	int error = traffic_is_fixed(row) ? open_fixed(trial, lane) : 0;

	if (error || (traffic_is_fixed(row) && !traffic_is_answered(row)))
		return error;
	name_wrapper(row, true, wrapper);
	error = open_harness(trial, lane, true, wrapper, &trial->lanes[lane].request);
	if (error)
		return error;
	set_request(trial, lane, traffic_flags(row));
	if (!traffic_is_answered(row))
		return 0;
	name_wrapper(row, false, wrapper);
	error = open_harness(trial, lane, false, wrapper, &trial->lanes[lane].reply);
	if (!error)
		set_reply(trial, lane, 0, ACK);
	return error;
}

struct trial *trial_open(const struct row *row, struct setting *setting)
{
	struct trial *trial = calloc(1, sizeof(*trial));
	struct world *world = setting_world(setting, row->place);
	int error = !trial || (row->place && !world);

	if (!error) {
		trial->row = row;
		trial->setting = setting;
		trial->lane_count = row->cpus == 2 ? 2 : 1;
		error = check_init(&trial->check, row, world, setting->floors);
	}
	for (int lane = 0; !error && lane < trial->lane_count; lane++)
		error = open_lane(trial, lane);
	if (!error)
		return trial;
	trial_close(trial);
	return NULL;
}

void trial_close(struct trial *trial)
{
	if (!trial)
		return;
	for (int lane = 0; lane < trial->lane_count; lane++) {
		harness_close(trial->lanes[lane].request);
		harness_close(trial->lanes[lane].reply);
		harness_close(trial->lanes[lane].fixed);
	}
	free(trial);
}

/* Many backends or services cannot all be let answer: for every flow only one of them would. */
static bool is_answered_by_all(const struct row *row)
{
	return !row->services && traffic_backends(row) <= BACKENDS_PER_SERVICE;
}

/* Each flow: a SYN, the answer (from every backend it may have gone to), the answer to that. */
static int shake_hands(struct trial *trial, int lane)
{
	const struct row *row = trial->row;
	const uint32_t backends = is_answered_by_all(row) ? traffic_backends(row) : 0;
	static struct harness_result unchecked;
	int error;

	set_request(trial, lane, SYN);
	error = trial_run_harness(trial, trial->lanes[lane].request, row->flows, &unchecked);
	for (uint32_t i = 0; !error && i < backends; i++) {
		set_reply(trial, lane, i, SYN | ACK);
		error = trial_run_harness(trial, trial->lanes[lane].reply, row->flows, &unchecked);
	}
	set_request(trial, lane, ACK);
	if (!error)
		error = trial_run_harness(trial, trial->lanes[lane].request, row->flows,
					  &unchecked);
	set_reply(trial, lane, 0, ACK);
	return error;
}

/* Once, whatever must have gone before a fixed frame. */
static int send_rival(struct trial *trial, int lane)
{
	static struct harness_result unchecked;
	static struct frame frame; /* too long for comfort on the stack */
	struct harness *harness = trial->lanes[lane].fixed;
	int error;

	if (!harness || !traffic_fixed_rival(trial->row, &frame))
		return 0;
	harness_set_fixed(harness, &frame);
	error = trial_run_harness(trial, harness, 1, &unchecked);
	traffic_fixed(trial->row, &frame);
	harness_set_fixed(harness, &frame);
	return error;
}

static int set_backends(struct trial *trial, enum backend_state state)
{
	const struct row *row = trial->row;
	const int error = world_set_backends(trial->setting->worlds[row->place], row_kind(row),
					     traffic_shape(row), state);

	if (error)
		fprintf(stderr, "%s: cannot change backends: %s\n", row->name, strerror(-error));
	return error;
}

/* What the row's packets find. */
static int make_known(struct trial *trial, int lane)
{
	const struct row *row = trial->row;
	int error = send_rival(trial, lane);

	if (!error && traffic_is_lost(row))
		error = set_backends(trial, BACKEND_ACTIVE); /* another row may have lost them */
	if (!error && traffic_is_answered(row))
		error = shake_hands(trial, lane);
	if (!error && traffic_is_lost(row))
		error = set_backends(trial, BACKEND_DOWN);
	return error;
}

/* Every flow once more: *strays are not known, and what is written once a second is written. */
static int warm(struct trial *trial, int lane, uint64_t *strays)
{
	const uint32_t flows = trial->row->flows;
	const uint32_t packets = flows > WARM_PACKETS ? flows : WARM_PACKETS;
	static struct harness_result unchecked;
	int error;

	check_begin(&trial->check);
	error = trial_run_harness(trial, trial_timed(trial, lane), packets, &unchecked);
	*strays = check_strays(&trial->check, packets);
	return error;
}

static int prepare_lane(struct trial *trial, int lane)
{
	const struct row *row = trial->row;
	bool *known = &trial->known[lane];
	uint64_t strays = 0;
	int error = 0;

	for (int i = 0; !error && i < PRIMINGS; i++) {
		if (!*known)
			error = make_known(trial, lane);
		if (!error)
			error = warm(trial, lane, &strays);
		*known = strays <= row->flows / STRAY_SHARE;
		if (!error && (*known || traffic_begins(row)))
			return 0;
	}
	if (!error)
		fprintf(stderr, "%s: its connections do not stay in the table\n", row->name);
	return -1;
}

int trial_prepare(struct trial *trial)
{
	int error = 0;

	for (int lane = 0; !error && lane < trial->lane_count; lane++)
		error = prepare_lane(trial, lane);
	return error;
}
