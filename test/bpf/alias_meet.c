/*
 * Packets that meet where aliases are given: at whatever instruction the one is stopped while the
 * other goes its way, a backend's answer to either goes back as from the service that the packet
 * was for, to the port that it came from. bpf/alias.h and bpf/claim.h say why.
 */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <string.h>
#include "test/bpf/alias_story.h"
#include "test/bpf/frame_diff.h"
#include "test/bpf/interleave.h"

#define THIRD_PORT 82
#define STEP (KIND_COUNT - 1) /* the first kind and the last: both families and protocols */

static const uint32_t MEETING_CONNECTIONS = 4; /* two buckets */

struct meeting {
	struct interleaving *interleaving;
	const struct kind *kind;
	/* What is there before the two come: packets that have left. */
	struct blueprint before[2];
	uint32_t before_count;
	struct blueprint packets[_SIDE_COUNT];
	bool is_over; /* the last of those before */
};

static const struct offer THIRD_ONLY_A = {
	.port = THIRD_PORT,
	.backends = {[BACKEND_A] = BACKEND_ACTIVE},
};

static struct meeting open_meeting(struct scene *scene, const struct kind *kind)
{
	scene_offer(scene, kind, &ONLY_A);
	scene_offer(scene, kind, &OTHER_ONLY_A);
	scene_offer(scene, kind, &THIRD_ONLY_A);
	return (struct meeting){.interleaving = interleaving_new(scene), .kind = kind};
}

static struct blueprint request_to(const struct meeting *meeting, uint16_t service)
{
	struct blueprint request = request_of(meeting->kind);

	request.dst_port = htons(service);
	return request;
}

static struct blueprint request_from_alias(const struct meeting *meeting, uint16_t service)
{
	struct blueprint request = request_to(meeting, service);

	request.src_port = alias_port(meeting->interleaving->scene, request.src_port, 1);
	return request;
}

static __be16 port_left_with(const struct meeting *meeting, enum side side)
{
	const struct frame *frame = &meeting->interleaving->frames[side];
	__be16 port;

	memcpy(&port, &frame->bytes[ETH_HLEN + (meeting->kind->family == IPV4 ? 20 : 40)],
	       sizeof(port));
	return port;
}

static void expire(const struct meeting *meeting)
{
	const struct scene *scene = meeting->interleaving->scene;
	struct connection *entries = scene->connections.memory;
	struct connection wanted;

	assert_true(scene_find(scene, &meeting->before[meeting->before_count - 1], &wanted));
	for (size_t i = 0; i < scene->connections.size / sizeof(*entries); i++)
		if (entries[i].head.word == wanted.head.word)
			entries[i].state.last_seen -= (TCP_OPENING_SECONDS + UDP_SECONDS) *
						      scene->datapath->jiffies_per_second;
}

static void prepare(const struct meeting *meeting)
{
	interleaving_clear(meeting->interleaving);
	for (uint32_t i = 0; i < meeting->before_count; i++)
		interleaving_send(meeting->interleaving, UPLINK, &meeting->before[i]);
	if (meeting->is_over)
		expire(meeting);
}

/* What BACKEND_A answers to this port is the answer to that request. */
static void expect_answer(const struct meeting *meeting, const struct blueprint *request,
			  __be16 port)
{
	struct blueprint reply = reply_of(meeting->kind, BACKEND_A), returned;
	static struct frame wanted;

	reply.dst_port = port;
	returned = returned_from_service(&reply, UPLINK);
	returned.src_port = request->dst_port;
	returned.dst_port = request->src_port;
	frame_build(&returned, &wanted);
	interleaving_send(meeting->interleaving, POD, &reply);
	assert_true(frame_equal(&meeting->interleaving->frames[MEANWHILE], &wanted));
}

/* Each has left, and is answered; so it is after another packet of it. */
static void expect_both_answered(const struct meeting *meeting,
				 const struct blueprint *packets[_SIDE_COUNT])
{
	const struct interleaving *interleaving = meeting->interleaving;
	__be16 ports[_SIDE_COUNT];

	for (int side = 0; side < _SIDE_COUNT; side++) {
		assert_true(interleaving_left_for(interleaving, (enum side)side, BACKEND_A));
		ports[side] = port_left_with(meeting, (enum side)side);
	}
	for (int turn = 0; turn < 2; turn++) {
		for (int side = 0; side < _SIDE_COUNT; side++)
			expect_answer(meeting, packets[side], ports[side]);
		for (int side = 0; side < _SIDE_COUNT; side++) {
			interleaving_send(meeting->interleaving, UPLINK, packets[side]);
			ports[side] = port_left_with(meeting, MEANWHILE);
		}
	}
}

static void meet(const struct meeting *meeting, enum side first)
{
	const struct blueprint *packets[] = {&meeting->packets[first], &meeting->packets[!first]};
	struct interleaving *interleaving = meeting->interleaving;
	bool has_stopped = true;

	for (uint64_t stop = 0; has_stopped; stop++) {
		prepare(meeting);
		interleaving->in[STOPPED] = interleaving->in[MEANWHILE] = UPLINK;
		has_stopped = interleave(interleaving, packets[0], packets[1], stop);
		if (has_stopped)
			expect_both_answered(meeting, packets);
	}
}

static void meet_everywhere(struct meeting *meeting)
{
	meet(meeting, STOPPED);
	meet(meeting, MEANWHILE);
	interleaving_free(meeting->interleaving);
}

/* The client's port has the backend by a third service already. */
static void two_that_need_an_alias_get_two(void **state)
{
	for (int kind = 0; kind < KIND_COUNT; kind += STEP) {
		struct meeting meeting = open_meeting(*state, &KINDS[kind]);

		meeting.before[meeting.before_count++] = request_to(&meeting, THIRD_PORT);
		meeting.packets[0] = request_to(&meeting, SERVICE_PORT);
		meeting.packets[1] = request_to(&meeting, OTHER_PORT);
		meet_everywhere(&meeting);
	}
}

/* Neither has met anybody when it looks for the first time. */
static void one_of_two_first_packets_gets_an_alias(void **state)
{
	for (int kind = 0; kind < KIND_COUNT; kind += STEP) {
		struct meeting meeting = open_meeting(*state, &KINDS[kind]);

		meeting.packets[0] = request_to(&meeting, SERVICE_PORT);
		meeting.packets[1] = request_to(&meeting, OTHER_PORT);
		meet_everywhere(&meeting);
	}
}

/* One client that comes from the alias port itself, to any service. */
static void whose_port_an_alias_is_keeps_its_answers(void **state)
{
	static const uint16_t SERVICES[] = {SERVICE_PORT, OTHER_PORT, THIRD_PORT};

	for (int i = 0; i < 2 * 3; i++) {
		struct meeting meeting = open_meeting(*state, &KINDS[i / 3 * STEP]);

		meeting.before[meeting.before_count++] = request_to(&meeting, SERVICE_PORT);
		meeting.packets[0] = request_to(&meeting, OTHER_PORT);
		meeting.packets[1] = request_from_alias(&meeting, SERVICES[i % 3]);
		meet_everywhere(&meeting);
	}
}

static void two_packets_of_one_connection_are_both_answered(void **state)
{
	for (int kind = 0; kind < KIND_COUNT; kind += STEP) {
		struct meeting meeting = open_meeting(*state, &KINDS[kind]);

		meeting.before[meeting.before_count++] = request_to(&meeting, SERVICE_PORT);
		meeting.packets[0] = meeting.packets[1] = request_to(&meeting, OTHER_PORT);
		meet_everywhere(&meeting);
	}
}

/* It may begin again while another takes its port. */
static void what_is_over_gives_its_alias_to_one_of_two(void **state)
{
	for (int i = 0; i < 2 * 2; i++) {
		struct meeting meeting = open_meeting(*state, &KINDS[i / 2 * STEP]);

		meeting.before[meeting.before_count++] = request_to(&meeting, THIRD_PORT);
		meeting.before[meeting.before_count++] = request_to(&meeting, SERVICE_PORT);
		meeting.is_over = true;
		meeting.packets[0] = request_to(&meeting, SERVICE_PORT);
		meeting.packets[1] = i % 2 ? request_to(&meeting, OTHER_PORT)
					   : request_from_alias(&meeting, OTHER_PORT);
		meet_everywhere(&meeting);
	}
}

/* A known connection with an alias, and one that is answered from the port beside it. */
static void a_known_connection_keeps_its_alias(void **state)
{
	for (int i = 0; i < 2 * 2; i++) {
		struct meeting meeting = open_meeting(*state, &KINDS[i / 2 * STEP]);

		meeting.before[meeting.before_count++] = request_to(&meeting, THIRD_PORT);
		meeting.before[meeting.before_count++] = request_to(&meeting, SERVICE_PORT);
		meeting.packets[0] = request_to(&meeting, SERVICE_PORT);
		meeting.packets[1] = i % 2 ? request_to(&meeting, OTHER_PORT)
					   : request_from_alias(&meeting, OTHER_PORT);
		meet_everywhere(&meeting);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sized_scene_test(two_that_need_an_alias_get_two, &MEETING_CONNECTIONS),
		sized_scene_test(one_of_two_first_packets_gets_an_alias, &MEETING_CONNECTIONS),
		sized_scene_test(whose_port_an_alias_is_keeps_its_answers, &MEETING_CONNECTIONS),
		sized_scene_test(two_packets_of_one_connection_are_both_answered,
				 &MEETING_CONNECTIONS),
		sized_scene_test(what_is_over_gives_its_alias_to_one_of_two, &MEETING_CONNECTIONS),
		sized_scene_test(a_known_connection_keeps_its_alias, &MEETING_CONNECTIONS),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
