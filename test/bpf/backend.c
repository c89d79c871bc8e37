/*
 * Backends that come, drain, go down and go: what becomes of their connections, and that nobody
 * gets what is another's.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include "test/bpf/answer_story.h"

static const struct offer NONE = {};
static const struct offer A_DOWN_B_ACTIVE = {
	.backends = {[BACKEND_A] = BACKEND_DOWN, [BACKEND_B] = BACKEND_ACTIVE},
};
static const struct offer A_DRAINING = {.backends = {[BACKEND_A] = BACKEND_DRAINING}};
static const struct offer A_DOWN = {.backends = {[BACKEND_A] = BACKEND_DOWN}};

static void a_request_to_a_service_without_backends_is_refused(void **state)
{
	const struct offer *const OFFERS[] = {&NONE, &A_DRAINING, &A_DOWN};
	struct scene *scene = *state;

	for (size_t row = 0; row < sizeof(OFFERS) / sizeof(OFFERS[0]); row++) {
		scene_offer_all(scene, OFFERS[row]);
		for (int i = 0; i < KIND_COUNT; i++) {
			struct blueprint request = request_of(&KINDS[i]);

			expect_answer(scene, UPLINK, &request, refusal_of(&KINDS[i]));
		}
	}
	assert_int_equal(scene_count_connections(scene), 0);
}

/* What becomes of what a backend that is gone still has to say. */
static void expect_stale(struct scene *scene, const struct kind *kind)
{
	const struct blueprint stale = reply_of(kind, BACKEND_A);
	struct blueprint returned = returned_from_service(&stale, UPLINK);

	returned.tcp_flags = RST | ACK;
	if (kind->protocol == IPPROTO_TCP)
		expect_packet(scene, POD, &stale, VERDICT_REDIRECT, &returned);
	else
		expect_packet(scene, POD, &stale, VERDICT_DROP_BACKEND_GONE, NULL);
}

/* What the removed one still has to say is refused until its connection is another's. */
static void new_connections_of_a_port_that_a_removed_backend_had_go_to_another(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint forwarded = forwarded_to(&request, BACKEND_B, POD);
		struct blueprint stale = reply_of(&KINDS[i], BACKEND_A);
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_B);
		struct blueprint returned = returned_from_service(&reply, UPLINK);

		scene_offer(scene, &KINDS[i], &ONLY_A);
		scene_play(scene, &request, "SsA");
		scene_offer(scene, &KINDS[i], &BOTH);
		scene_offer(scene, &KINDS[i], &ONLY_B);

		expect_stale(scene, &KINDS[i]);
		expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
		expect(scene, POD, &reply, VERDICT_REDIRECT, &returned);
		expect(scene, POD, &stale, VERDICT_PASS_NO_SERVICE, NULL);
	}
}

/* Free indexes are handed out in turn: round until BACKEND_B has this one. */
static void give_b_the_index(struct scene *scene, const struct kind *kind, uint32_t wanted)
{
	uint32_t turns = datapath_capacity_backends(scene->datapath);

	do {
		scene_offer(scene, kind, &NONE);
		scene_offer(scene, kind, &ONLY_B);
		assert_true(turns-- > 0);
	} while (scene_backend(scene, kind, BACKEND_B) != wanted);
}

static void a_backend_that_takes_over_an_index_gets_no_connection_of_its_predecessor(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint stale = reply_of(&KINDS[i], BACKEND_A);
		struct blueprint forwarded = forwarded_to(&request, BACKEND_B, POD);
		uint32_t index;

		scene_offer(scene, &KINDS[i], &ONLY_A);
		index = scene_backend(scene, &KINDS[i], BACKEND_A);
		scene_play(scene, &request, "SsA");
		give_b_the_index(scene, &KINDS[i], index);

		expect(scene, POD, &stale, VERDICT_PASS_NO_SERVICE, NULL);
		expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
	}
}

static void an_index_handed_out_again_has_a_handle_that_nobody_has_seen(void **state)
{
	struct backend_record before, after;
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		uint32_t index;

		scene_offer(scene, &KINDS[i], &ONLY_A);
		index = scene_backend(scene, &KINDS[i], BACKEND_A);
		datapath_get_backend(scene->datapath, index, &before);
		scene_offer(scene, &KINDS[i], &NONE);
		datapath_get_backend(scene->datapath, index, &after);
		assert_int_equal(after.state, BACKEND_NONE);
		assert_int_equal(after.handle, before.handle);

		give_b_the_index(scene, &KINDS[i], index);
		datapath_get_backend(scene->datapath, index, &after);
		assert_int_equal(after.state, BACKEND_ACTIVE);
		assert_int_equal(after.handle & BACKEND_INDEX_MASK, index);
		assert_int_not_equal(after.handle, before.handle);
		scene_withdraw(scene, &KINDS[i]);
	}
}

#define LIVING_SLOT 16 /* one slot in so many names BACKEND_B: as many as are tried */

/* As a packet finds the ring that read its slot just before the backend there went. */
static void name_in_ring(struct scene *scene, const struct kind *kind, uint32_t dead)
{
	const struct ring ring = scene_ring(scene, kind);
	const uint32_t alive = scene_backend(scene, kind, BACKEND_B);
	uint32_t slots[RING_GRANULE];

	assert_in_range(ring.length, LIVING_SLOT, RING_GRANULE);
	for (uint32_t slot = 0; slot < ring.length; slot++)
		slots[slot] = slot % LIVING_SLOT ? dead : alive;
	datapath_set_ring(scene->datapath, ring.offset, slots, ring.length);
}

static void a_slot_that_names_a_backend_that_is_gone_is_skipped_for_the_next(void **state)
{
	static const enum backend_state STATES[] = {BACKEND_NONE, BACKEND_DOWN};
	struct backend_record record;
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT * 2; i++) {
		const struct kind *kind = &KINDS[i / 2];
		struct blueprint request = request_of(kind);
		uint32_t dead;

		scene_offer(scene, kind, &BOTH);
		dead = scene_backend(scene, kind, BACKEND_A);
		datapath_get_backend(scene->datapath, dead, &record);
		record.state = STATES[i % 2];
		datapath_set_backend(scene->datapath, dead, &record);
		name_in_ring(scene, kind, dead);

		for (uint16_t port = 1024; port < 1088; port++) {
			request.src_port = htons(port);
			assert_int_equal(request_goes_to(scene, &request), BACKEND_B);
		}
		scene_withdraw(scene, kind);
	}
}

static void a_draining_backend_keeps_its_connections_and_gets_no_new_one(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		scene_offer(scene, &KINDS[i], &ONLY_A);
		scene_play(scene, &request, "SsA");
		scene_offer(scene, &KINDS[i], &A_DRAINS_TO_B);

		scene_play(scene, &request, "AaA");
		for (uint16_t port = 1024; port < 1064; port++) {
			request.src_port = htons(port);
			assert_int_equal(request_goes_to(scene, &request), BACKEND_B);
		}
	}
}

static void a_backend_that_is_down_gets_no_new_connection(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint forwarded = forwarded_to(&request, BACKEND_B, POD);

		scene_offer(scene, &KINDS[i], &ONLY_A);
		scene_play(scene, &request, "SsA");
		scene_offer(scene, &KINDS[i], &A_DOWN_B_ACTIVE);

		expect_stale(scene, &KINDS[i]);
		expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
	}
}

/* Nobody else took its connections meanwhile: they go on. */
static void a_backend_that_comes_up_again_still_has_its_connections(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		scene_offer(scene, &KINDS[i], &ONLY_A);
		scene_play(scene, &request, "SsA");
		scene_offer(scene, &KINDS[i], &A_DOWN);
		expect_answer(scene, UPLINK, &request, refusal_of(&KINDS[i]));

		scene_offer(scene, &KINDS[i], &ONLY_A);
		scene_play(scene, &request, "AaA");
	}
}

static void an_added_backend_gets_new_connections(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		uint32_t at_b = 0;

		scene_offer(scene, &KINDS[i], &ONLY_A);
		scene_offer(scene, &KINDS[i], &BOTH);
		for (uint16_t port = 1024; port < 1064; port++) {
			request.src_port = htons(port);
			at_b += request_goes_to(scene, &request) == BACKEND_B;
		}
		assert_in_range(at_b, 10, 30);
	}
}

static void a_withdrawn_service_leaves_nothing_behind(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		scene_offer(scene, &KINDS[i], &ONLY_A);
		scene_play(scene, &request, "SsA");
		scene_withdraw(scene, &KINDS[i]);

		expect(scene, UPLINK, &request, VERDICT_PASS_NO_SERVICE, NULL);
		expect_stale(scene, &KINDS[i]);
	}
}

/* Its backends are others than before, though at the same places: TCP knows of none of them. */
static void a_service_that_is_offered_again_begins_anew(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]), segment = request;

		scene_offer(scene, &KINDS[i], &ONLY_A);
		scene_play(scene, &request, "SsA");
		scene_withdraw(scene, &KINDS[i]);
		scene_offer(scene, &KINDS[i], &ONLY_A);

		segment.tcp_flags = ACK;
		if (KINDS[i].protocol == IPPROTO_TCP)
			expect_answer(scene, UPLINK, &segment, VERDICT_ANSWER_RESET);
		scene_play(scene, &request, "SsA");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(a_request_to_a_service_without_backends_is_refused),
		scene_test(new_connections_of_a_port_that_a_removed_backend_had_go_to_another),
		scene_test(
			a_backend_that_takes_over_an_index_gets_no_connection_of_its_predecessor),
		scene_test(an_index_handed_out_again_has_a_handle_that_nobody_has_seen),
		scene_test(a_slot_that_names_a_backend_that_is_gone_is_skipped_for_the_next),
		scene_test(a_draining_backend_keeps_its_connections_and_gets_no_new_one),
		scene_test(a_backend_that_is_down_gets_no_new_connection),
		scene_test(a_backend_that_comes_up_again_still_has_its_connections),
		scene_test(an_added_backend_gets_new_connections),
		scene_test(a_withdrawn_service_leaves_nothing_behind),
		scene_test(a_service_that_is_offered_again_begins_anew),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
