/*
 * The step connection: what is remembered of a connection, that it keeps its backend, and what
 * it takes to make one.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include <string.h>
#include "test/bpf/scene.h"

static void later_packets_of_a_connection_keep_their_backend(void **state)
{
	static const struct offer ADDED_HEAVILY = {
		.algorithm = ALGORITHM_ROUND_ROBIN,
		.backends = {[BACKEND_A] = BACKEND_ACTIVE,
			     [BACKEND_B] = BACKEND_ACTIVE,
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
	assert_int_equal(scene_count_connections(scene), KIND_COUNT);
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
			assert_int_equal(scene_count_connections(scene), 0);
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

/* The flow goes by the ring again: to the same backend. */
static void a_request_whose_entry_was_lost_finds_its_backend_by_the_ring(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &BOTH);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (uint16_t port = 1024; port < 1088; port++) {
			struct blueprint request = request_of(&KINDS[i]);
			const uint8_t flags[] = {SYN, ACK};
			enum role backend[2];

			request.src_port = htons(port);
			for (int turn = 0; turn < 2; turn++) {
				request.tcp_flags = flags[turn];
				backend[turn] = request_goes_to(scene, &request);
				scene_forget(scene, &request);
			}
			assert_int_equal(backend[0], backend[1]);
		}
	}
}

static void an_entry_says_whose_it_is_and_what_was_seen(void **state)
{
	static const struct {
		const char *play;
		uint8_t seen; /* of TCP */
	} ROWS[] = {
		{"S", 0},
		{"Ss", TCP_SEEN_REPLY},
		{"SsA", TCP_SEEN_REPLY | TCP_SEEN_ESTABLISHED},
		{"SsAF", TCP_SEEN_REPLY | TCP_SEEN_ESTABLISHED | TCP_SEEN_REQUEST_FIN},
		{"SsAf", TCP_SEEN_REPLY | TCP_SEEN_ESTABLISHED | TCP_SEEN_REPLY_FIN},
		{"SsAr", TCP_SEEN_REPLY | TCP_SEEN_ESTABLISHED | TCP_SEEN_RST},
	};
	struct connection connection;
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		const uint32_t backend = scene_backend(scene, &KINDS[i], BACKEND_A);

		for (size_t row = 0; row < sizeof(ROWS) / sizeof(ROWS[0]); row++) {
			struct blueprint request = request_of(&KINDS[i]);

			request.src_port = htons((uint16_t)(CLIENT_PORT + row));
			scene_play(scene, &request, ROWS[row].play);

			assert_true(scene_find(scene, &request, &connection));
			assert_int_equal(connection.head.backend & BACKEND_INDEX_MASK, backend);
			assert_int_equal(connection.head.client_port, request.src_port);
			assert_memory_equal(&connection.client, &request.src, 16);
			assert_int_not_equal(connection.state.client_hop, 0);
			if (KINDS[i].protocol == IPPROTO_TCP)
				assert_int_equal(connection.state.seen, ROWS[row].seen);
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
		scene_test(a_request_whose_entry_was_lost_finds_its_backend_by_the_ring),
		scene_test(an_entry_says_whose_it_is_and_what_was_seen),
		scene_test(a_reply_goes_back_the_way_of_the_last_request),
		scene_test(a_router_that_changes_its_mac_is_followed_at_once),
		scene_test(a_backend_that_moves_takes_its_connections_along),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
