/*
 * The step connection: what is remembered of a connection, that it keeps its backend, and what
 * makes or mends its two entries.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include <string.h>
#include "test/bpf/scene.h"

static void later_packets_of_a_connection_keep_their_backend(void **state)
{
	static const struct offer ADDED_HEAVILY = {
		.algorithm = ALGORITHM_ROUND_ROBIN,
		.backends = {[BACKEND_A] = BACKEND_ACTIVE, [BACKEND_B] = BACKEND_ACTIVE,
			     [STRANGER] = BACKEND_ACTIVE},
	};
	const struct offer *const CHANGES[] = {&BOTH, &ADDED_HEAVILY, &A_DRAINS_TO_B, &BOTH};
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		scene_offer(scene, &KINDS[i], &ONLY_A);
		scene_play(scene, &request, "SsA");

		for (size_t row = 0; row < sizeof(CHANGES) / sizeof(CHANGES[0]); row++) {
			scene_offer(scene, &KINDS[i], CHANGES[row]);
			scene_play(scene, &request, "AaAa");
		}
		scene_play(scene, &request, "FfA");
	}
}

static void a_retransmitted_syn_keeps_its_backend(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		scene_offer(scene, &KINDS[i], &ONLY_A);
		scene_play(scene, &request, "S");

		scene_offer(scene, &KINDS[i], &A_DRAINS_TO_B);
		scene_play(scene, &request, "SSsSsA");
	}
}

/* The middle of a connection that was made elsewhere, or that we forgot: it goes by the ring. */
static void a_packet_from_the_middle_of_a_connection_makes_one(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		scene_play(scene, &request, "Aa");
	}
	assert_int_equal(scene_count_entries(scene), 2 * KIND_COUNT);
}

static void a_lone_rst_or_fin_is_translated_and_forgotten(void **state)
{
	static const uint8_t FLAGS[] = {RST, RST | ACK, FIN, FIN | ACK, FIN | PSH | ACK};
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		if (KINDS[i].protocol != IPPROTO_TCP)
			continue;
		for (size_t row = 0; row < sizeof(FLAGS); row++) {
			struct blueprint request = request_of(&KINDS[i]);
			struct blueprint forwarded;

			request.tcp_flags = FLAGS[row];
			forwarded = forwarded_to(&request, BACKEND_A, POD);

			expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
			assert_int_equal(scene_count_entries(scene), 0);
		}
	}
}

static void a_reply_without_a_connection_passes_untouched(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A);

		scene_play(scene, &request, "S");
		reply.dst_port = htons(CLIENT_PORT + 1);
		expect(scene, POD, &reply, VERDICT_PASS_NO_SERVICE, NULL);

		reply = reply_of(&KINDS[i], BACKEND_A);
		reply.src_port = htons(BACKEND_PORT + 1);
		expect(scene, POD, &reply, VERDICT_PASS_NO_SERVICE, NULL);

		reply = reply_of(&KINDS[i], BACKEND_A);
		reply.dst = role_address(STRANGER, KINDS[i].family);
		expect(scene, POD, &reply, VERDICT_PASS_NO_SERVICE, NULL);
	}
}

static struct flow reply_flow(const struct kind *kind)
{
	struct blueprint reply = reply_of(kind, BACKEND_A);

	return blueprint_flow(&reply);
}

/* An LRU table may evict one entry of the two. Shared lines are written once a second at most. */
static void the_request_restores_the_reply_entry_that_was_lost(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A);
		const struct flow flow = reply_flow(&KINDS[i]);

		scene_play(scene, &request, "SsA");
		scene_forget(scene, &flow);
		expect(scene, POD, &reply, VERDICT_PASS_NO_SERVICE, NULL);

		scene_let_pass(scene, &request, 2);
		scene_play(scene, &request, "Aa");
	}
}

static void the_reply_restores_the_request_entry_that_was_lost(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		const struct flow flow = blueprint_flow(&request);

		scene_offer(scene, &KINDS[i], &ONLY_A);
		scene_play(scene, &request, "SsA");
		scene_let_pass(scene, &request, 2);
		scene_forget(scene, &flow);

		scene_offer(scene, &KINDS[i], &A_DRAINS_TO_B);
		scene_play(scene, &request, "aA");
	}
}

/* Lost without a reply in between, the flow goes by the ring again: to the same backend. */
static void a_request_whose_entry_was_lost_finds_its_backend_by_the_ring(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &BOTH);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (uint16_t port = 1024; port < 1088; port++) {
			struct blueprint request = request_of(&KINDS[i]);
			const uint8_t flags[] = {SYN, ACK};
			enum role backend[2];
			struct flow flow;

			request.src_port = htons(port);
			flow = blueprint_flow(&request);
			for (int turn = 0; turn < 2; turn++) {
				request.tcp_flags = flags[turn];
				backend[turn] = request_goes_to(scene, &request);
				scene_forget(scene, &flow);
			}
			assert_int_equal(backend[0], backend[1]);
		}
	}
}

static void both_entries_say_the_same_of_a_connection(void **state)
{
	static const char *const PLAYS[] = {"S", "Ss", "SsA", "SsAFf", "SsAr"};
	struct connection there, back;
	struct scene *scene = *state;
	struct flow flow, reverse;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t row = 0; row < sizeof(PLAYS) / sizeof(PLAYS[0]); row++) {
			struct blueprint request = request_of(&KINDS[i]);

			request.src_port = htons((uint16_t)(CLIENT_PORT + row));
			scene_play(scene, &request, PLAYS[row]);
			flow = blueprint_flow(&request);
			reverse = reply_flow(&KINDS[i]);
			reverse.dst_port = request.src_port;

			assert_true(scene_find(scene, &flow, &there));
			assert_true(scene_find(scene, &reverse, &back));
			assert_int_equal(there.seen, back.seen);
			assert_int_equal(there.backend, back.backend);
			assert_int_equal(there.generation, back.generation);
			assert_int_equal(there.service, back.service);
			assert_memory_equal(&there.client, &back.client, sizeof(back.client));
			assert_int_equal(there.direction, DIRECTION_REQUEST);
			assert_int_equal(back.direction, DIRECTION_REPLY);
			assert_memory_equal(&there.translation, &reverse.src, 16);
			assert_memory_equal(&back.translation, &flow.dst, 16);
		}
	}
}

/* The request as another router hands it to us, by the other interface. */
static struct blueprint by_another_way(const struct kind *kind)
{
	struct blueprint request = request_of(kind);

	request.tcp_flags = ACK;
	memcpy(request.from_mac, role_mac(STRANGER), ETH_ALEN);
	memcpy(request.to_mac, interface_mac(POD), ETH_ALEN);
	return request;
}

static void a_reply_goes_back_the_way_of_the_last_request(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint moved = by_another_way(&KINDS[i]);
		struct blueprint forwarded = forwarded_to(&moved, BACKEND_A, POD);
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A);
		struct blueprint returned = returned_from_service(&reply, POD);

		scene_play(scene, &request, "SsA");
		expect(scene, POD, &moved, VERDICT_TX, &forwarded);
		memcpy(returned.to_mac, role_mac(STRANGER), ETH_ALEN);
		expect(scene, POD, &reply, VERDICT_TX, &returned);
		scene_play(scene, &request, "Aa");
	}
}

static void a_router_that_changes_its_mac_is_followed_at_once(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A);
		struct blueprint returned = returned_from_service(&reply, UPLINK);
		struct blueprint forwarded;

		scene_play(scene, &request, "SsA");
		for (size_t byte = 0; byte < ETH_ALEN; byte++) {
			request.from_mac[byte] ^= 0x10;
			forwarded = forwarded_to(&request, BACKEND_A, POD);
			expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
			memcpy(returned.to_mac, request.from_mac, ETH_ALEN);
			expect(scene, POD, &reply, VERDICT_REDIRECT, &returned);
		}
	}
}

static void a_backend_that_moves_takes_its_connections_along(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint forwarded = forwarded_to(&request, BACKEND_A, UPLINK);

		scene_play(scene, &request, "SsA");
		scene_move(scene, BACKEND_A, UPLINK);
		expect(scene, UPLINK, &request, VERDICT_TX, &forwarded);
		scene_move(scene, BACKEND_A, POD);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(later_packets_of_a_connection_keep_their_backend),
		scene_test(a_retransmitted_syn_keeps_its_backend),
		scene_test(a_packet_from_the_middle_of_a_connection_makes_one),
		scene_test(a_lone_rst_or_fin_is_translated_and_forgotten),
		scene_test(a_reply_without_a_connection_passes_untouched),
		scene_test(the_request_restores_the_reply_entry_that_was_lost),
		scene_test(the_reply_restores_the_request_entry_that_was_lost),
		scene_test(a_request_whose_entry_was_lost_finds_its_backend_by_the_ring),
		scene_test(both_entries_say_the_same_of_a_connection),
		scene_test(a_reply_goes_back_the_way_of_the_last_request),
		scene_test(a_router_that_changes_its_mac_is_followed_at_once),
		scene_test(a_backend_that_moves_takes_its_connections_along),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
