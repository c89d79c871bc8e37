/*
 * The previous ring: what comes from the middle of a connection that nobody remembers goes where
 * the ring before the present one sent its SYN, as long as that backend serves.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include "lb/slots.h"
#include "test/bpf/answer_story.h"
#include "test/bpf/scene.h"

#define FIRST_PORT 1024
#define PORTS 40
#define OTHER_PORT 81 /* of a second service */

static const struct offer NONE = {};
static const struct offer A_DRAINING = {.backends = {[BACKEND_A] = BACKEND_DRAINING}};
static const struct offer B_AND_A_DRAINING = {
	.backends = {[BACKEND_A] = BACKEND_DRAINING, [BACKEND_B] = BACKEND_ACTIVE},
};

static struct blueprint packet_from(const struct kind *kind, uint16_t port, uint8_t flags)
{
	struct blueprint request = request_of(kind);

	request.src_port = htons(port);
	request.tcp_flags = flags;
	return request;
}

/* How many of PORTS flows go to BACKEND_A by a packet with such flags that nobody expects. */
static uint32_t count_at_a(struct scene *scene, const struct kind *kind, uint8_t flags)
{
	uint32_t at_a = 0;

	for (uint16_t port = FIRST_PORT; port < FIRST_PORT + PORTS; port++) {
		const struct blueprint packet = packet_from(kind, port, flags);
		struct connection connection;

		at_a += request_goes_to(scene, &packet) == BACKEND_A;
		if (scene_find(scene, &packet, &connection))
			scene_forget(scene, &packet);
	}
	return at_a;
}

static bool is_tcp(const struct kind *kind)
{
	return kind->protocol == IPPROTO_TCP;
}

static void the_middle_of_a_connection_goes_where_it_began(void **state)
{
	static const uint8_t FLAGS[] = {ACK, PSH | ACK, FIN | ACK, RST, RST | ACK, 0};
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		const uint32_t wanted = is_tcp(&KINDS[i]) ? PORTS : 0;

		scene_offer(scene, &KINDS[i], &ONLY_A);
		scene_offer(scene, &KINDS[i], &B_AND_A_DRAINING);
		for (size_t row = 0; row < sizeof(FLAGS); row++)
			assert_int_equal(count_at_a(scene, &KINDS[i], FLAGS[row]), wanted);
	}
}

static void what_begins_goes_by_the_ring(void **state)
{
	static const uint8_t FLAGS[] = {SYN, SYN | ACK, SYN | PSH};
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		scene_offer(scene, &KINDS[i], &ONLY_A);
		scene_offer(scene, &KINDS[i], &B_AND_A_DRAINING);
		for (size_t row = 0; row < sizeof(FLAGS); row++)
			assert_int_equal(count_at_a(scene, &KINDS[i], FLAGS[row]), 0);
	}
}

/* The rings of A, of both and again of A: flow by flow the middle one's backend. */
static void each_flow_goes_where_its_own_slot_led(void **state)
{
	static const enum algorithm ALGORITHMS[] = {ALGORITHM_MAGLEV, ALGORITHM_SOURCE_HASH};
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT * 2; i++) {
		const struct kind *kind = &KINDS[i / 2];
		struct offer both = BOTH, b_drains = BOTH;

		if (!is_tcp(kind))
			continue;
		both.algorithm = b_drains.algorithm = ALGORITHMS[i % 2];
		b_drains.backends[BACKEND_B] = BACKEND_DRAINING;
		for (uint32_t client = 0; client < PORTS; client++) {
			struct blueprint packet =
				packet_from(kind, (uint16_t)(FIRST_PORT + i), SYN);
			enum role began;

			packet.src.word[3] ^= htonl(client << 8);
			scene_offer(scene, kind, &both);
			began = request_goes_to(scene, &packet);
			scene_forget(scene, &packet);
			scene_offer(scene, kind, &b_drains);
			packet.tcp_flags = ACK;
			assert_int_equal(request_goes_to(scene, &packet), began);
			/* And is remembered from there on. */
			scene_offer(scene, kind, &both);
			scene_offer(scene, kind, &BOTH);
			assert_int_equal(request_goes_to(scene, &packet), began);
		}
	}
}

/* It is found by chance or by turn where it was, but not by a ring. */
static void chance_and_turns_leave_no_trace(void **state)
{
	static const enum algorithm ALGORITHMS[] = {ALGORITHM_RANDOM, ALGORITHM_ROUND_ROBIN};
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT * 2; i++) {
		struct offer before = ONLY_A, after = B_AND_A_DRAINING;

		before.algorithm = after.algorithm = ALGORITHMS[i % 2];
		scene_offer(scene, &KINDS[i / 2], &before);
		scene_offer(scene, &KINDS[i / 2], &after);
		assert_int_equal(count_at_a(scene, &KINDS[i / 2], ACK), 0);
	}
}

static void a_backend_that_serves_no_more_gets_nothing(void **state)
{
	static const enum backend_state STATES[] = {BACKEND_NONE, BACKEND_DOWN};
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT * 2; i++) {
		struct offer after = ONLY_B;

		after.backends[BACKEND_A] = STATES[i % 2];
		scene_offer(scene, &KINDS[i / 2], &ONLY_A);
		scene_offer(scene, &KINDS[i / 2], &after);
		assert_int_equal(count_at_a(scene, &KINDS[i / 2], ACK), 0);
	}
}

static void an_index_that_became_another_services_leads_nowhere(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		struct backend_record record;
		uint32_t index;

		scene_offer(scene, &KINDS[i], &ONLY_A);
		scene_offer(scene, &KINDS[i], &B_AND_A_DRAINING);
		index = scene_backend(scene, &KINDS[i], BACKEND_A);
		datapath_get_backend(scene->datapath, index, &record);
		record.service++;
		datapath_set_backend(scene->datapath, index, &record);
		assert_int_equal(count_at_a(scene, &KINDS[i], ACK), 0);
	}
}

/* Also from the time when there was none: a service whose backends all drain. */
static void without_a_ring_the_previous_one_still_leads(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint syn = packet_from(&KINDS[i], FIRST_PORT, SYN);

		scene_offer(scene, &KINDS[i], &ONLY_A);
		scene_offer(scene, &KINDS[i], &A_DRAINING);
		expect_answer(scene, UPLINK, &syn, refusal_of(&KINDS[i]));
		if (!is_tcp(&KINDS[i]))
			continue;
		assert_int_equal(count_at_a(scene, &KINDS[i], ACK), PORTS);
		scene_offer(scene, &KINDS[i], &B_AND_A_DRAINING);
		assert_int_equal(count_at_a(scene, &KINDS[i], ACK), PORTS);
	}
}

static void only_one_ring_is_kept(void **state)
{
	struct offer with_c = B_AND_A_DRAINING;
	struct scene *scene = *state;

	with_c.backends[STRANGER] = BACKEND_ACTIVE;
	for (int i = 0; i < KIND_COUNT; i++) {
		scene_offer(scene, &KINDS[i], &ONLY_A);
		scene_offer(scene, &KINDS[i], &with_c);
		scene_offer(scene, &KINDS[i], &B_AND_A_DRAINING);
		assert_int_equal(count_at_a(scene, &KINDS[i], ACK), 0);
	}
}

/* What is of no interest to the ring does not use up what is kept. */
static void a_change_that_leaves_the_ring_alone_leaves_the_previous_one_too(void **state)
{
	struct offer after = B_AND_A_DRAINING;
	struct scene *scene = *state;

	after.affinity_seconds = 60;
	after.source_ranges[0] = "0.0.0.0/0";
	after.source_ranges[1] = "::/0";
	for (int i = 0; i < KIND_COUNT; i++) {
		struct ring ring;

		scene_offer(scene, &KINDS[i], &ONLY_A);
		scene_offer(scene, &KINDS[i], &B_AND_A_DRAINING);
		ring = scene_ring(scene, &KINDS[i]);
		for (int turn = 0; turn < 3; turn++)
			scene_offer(scene, &KINDS[i], turn % 2 ? &B_AND_A_DRAINING : &after);
		assert_int_equal(scene_ring(scene, &KINDS[i]).offset, ring.offset);
		scene_offer(scene, &KINDS[i], &B_AND_A_DRAINING);
		if (is_tcp(&KINDS[i]))
			assert_int_equal(count_at_a(scene, &KINDS[i], ACK), PORTS);
		scene_withdraw(scene, &KINDS[i]);
	}
}

/* One client port reaches a backend by one service only. */
static void where_its_replies_would_collide_the_ring_leads(void **state)
{
	struct offer other = ONLY_A;
	struct scene *scene = *state;

	other.port = OTHER_PORT;
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint packet = packet_from(&KINDS[i], FIRST_PORT, ACK);
		struct blueprint theirs = packet_from(&KINDS[i], FIRST_PORT, SYN);

		if (!is_tcp(&KINDS[i]))
			continue;
		theirs.dst_port = htons(OTHER_PORT);
		scene_offer(scene, &KINDS[i], &other);
		assert_int_equal(request_goes_to(scene, &theirs), BACKEND_A);
		scene_offer(scene, &KINDS[i], &ONLY_A);
		scene_offer(scene, &KINDS[i], &B_AND_A_DRAINING);
		assert_int_equal(request_goes_to(scene, &packet), BACKEND_B);
	}
}

/* All that a service had is another's after it: nothing is lost, nothing is taken twice. */
static void rings_come_and_go_without_loss(void **state)
{
	const struct offer *const OFFERS[] = {&ONLY_A, &BOTH, &NONE, &ONLY_B, &B_AND_A_DRAINING};
	struct scene *scene = *state;
	const uint32_t before = slots_taken(scene->room.rings);

	for (int turn = 0; turn < 2000; turn++)
		scene_offer(scene, &KINDS[turn % KIND_COUNT], OFFERS[turn % 5]);
	assert_in_range(slots_taken(scene->room.rings), before, before + 2 * KIND_COUNT);
	for (int i = 0; i < KIND_COUNT; i++)
		scene_withdraw(scene, &KINDS[i]);
	assert_int_equal(slots_taken(scene->room.rings), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(the_middle_of_a_connection_goes_where_it_began),
		scene_test(what_begins_goes_by_the_ring),
		scene_test(each_flow_goes_where_its_own_slot_led),
		scene_test(chance_and_turns_leave_no_trace),
		scene_test(a_backend_that_serves_no_more_gets_nothing),
		scene_test(an_index_that_became_another_services_leads_nowhere),
		scene_test(without_a_ring_the_previous_one_still_leads),
		scene_test(only_one_ring_is_kept),
		scene_test(a_change_that_leaves_the_ring_alone_leaves_the_previous_one_too),
		scene_test(where_its_replies_would_collide_the_ring_leads),
		scene_test(rings_come_and_go_without_loss),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
