/*
 * Fragments: what has come in pieces leaves in the same pieces, each translated as the whole would
 * have been. Only the first has ports; addresses are all that changes in the others.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/in.h>
#include <string.h>
#include "include/fragment.h"
#include "test/bpf/fragment_story.h"

static struct crossing crossing; /* of the test that runs: too long for comfort on the stack */

static void send_whole(struct scene *scene, uint32_t identification, enum cut_place place)
{
	for (size_t number = 0; number < PIECE_COUNT; number++) {
		struct cut cut = piece_of(number, identification);

		cut.place = place;
		expect_piece(scene, &crossing, &cut, VERDICT_REDIRECT);
	}
}

static void a_datagram_in_pieces_reaches_one_backend_and_its_answer_returns(void **state)
{
	struct scene *scene = *state;
	struct traffic_counter traffic;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		cross_request(&KINDS[i], SYN, &crossing);
		send_whole(scene, FIRST_IDENTIFICATION, CUT_PLAIN);
		cross_reply(&KINDS[i], SYN | ACK, &crossing);
		send_whole(scene, FIRST_IDENTIFICATION, CUT_PLAIN);
		cross_request(&KINDS[i], ACK, &crossing);
		send_whole(scene, FIRST_IDENTIFICATION + 1, CUT_PLAIN);

		traffic = scene_traffic(scene, &KINDS[i]);
		assert_int_equal(traffic.connections, 1);
		assert_int_equal(traffic.request.packets, 2 * PIECE_COUNT);
		assert_int_equal(traffic.reply.packets, PIECE_COUNT);
	}
	assert_int_equal(scene_count_connections(scene), KIND_COUNT);
}

/* Random: each new connection may go to the other one, pieces of one datagram may not. */
static void all_pieces_go_to_the_backend_of_the_first(void **state)
{
	const struct offer random = {
		.algorithm = ALGORITHM_RANDOM,
		.backends = {[BACKEND_A] = BACKEND_ACTIVE, [BACKEND_B] = BACKEND_ACTIVE},
	};
	struct scene *scene = *state;

	scene_offer_all(scene, &random);
	for (int i = 0; i < KIND_COUNT * 8; i++) {
		struct blueprint request = request_of(&KINDS[i % KIND_COUNT]), forwarded;
		enum role backend;

		request.src_port = htons((uint16_t)(CLIENT_PORT + i));
		backend = request_goes_to(scene, &request);
		request.payload_length = DATAGRAM_BYTES;
		request.tcp_flags = ACK;
		forwarded = forwarded_to(&request, backend, POD);
		cross(&request, UPLINK, &forwarded, &crossing);
		send_whole(scene, (uint32_t)i, CUT_PLAIN);
	}
}

static void pieces_behind_and_before_ipv6_options_are_translated(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		if (KINDS[i].family != IPV6)
			continue;
		cross_request(&KINDS[i], SYN, &crossing);
		send_whole(scene, 1, CUT_BEHIND_OPTIONS);
		send_whole(scene, 2, CUT_BEFORE_OPTIONS);
		cross_reply(&KINDS[i], SYN | ACK, &crossing);
		send_whole(scene, 1, CUT_BEHIND_OPTIONS);
		send_whole(scene, 2, CUT_BEFORE_OPTIONS);
	}
}

/* RFC 6946: a fragment header, but nothing is missing. It is told from no datagram of that id. */
static void an_atomic_fragment_is_a_packet_like_others(void **state)
{
	const struct cut all = {.length = CUT_REST, .identification = 1};
	struct scene *scene = *state;
	struct cut later = piece_of(1, 1);

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		if (KINDS[i].family != IPV6)
			continue;
		cross_request(&KINDS[i], SYN, &crossing);
		expect_piece(scene, &crossing, &all, VERDICT_REDIRECT);
		expect_piece(scene, &crossing, &later, VERDICT_DROP_FRAGMENT_HELD);
		cross_reply(&KINDS[i], SYN | ACK, &crossing);
		expect_piece(scene, &crossing, &all, VERDICT_REDIRECT);
	}
}

static void options_and_udp_without_checksum_survive_in_pieces(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]), forwarded;

		request.payload_length = DATAGRAM_BYTES;
		request.udp_checksum = CHECKSUM_NONE;
		request.options_length = IPV4_OPTIONS_MAX;
		forwarded = forwarded_to(&request, BACKEND_A, POD);
		cross(&request, UPLINK, &forwarded, &crossing);
		send_whole(scene, FIRST_IDENTIFICATION, CUT_PLAIN);
	}
}

static void what_the_stack_forwards_is_translated_in_pieces(void **state)
{
	struct scene *scene = *state;
	struct frame frame, wanted;

	scene->location[BACKEND_A] = NOWHERE;
	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]), translated;

		request.payload_length = DATAGRAM_BYTES;
		translated = translated_to(&request, BACKEND_A);
		cross(&request, UPLINK, &translated, &crossing);
		for (size_t number = 0; number < PIECE_COUNT; number++) {
			const struct cut cut = piece_of(number, FIRST_IDENTIFICATION);

			frame_cut(&crossing.comes, &cut, &frame);
			frame_cut(&crossing.leaves, &cut, &wanted);
			expect_bytes(scene, UPLINK, &frame, VERDICT_PASS_UNRESOLVED, &wanted);
		}
	}
}

static void a_backend_that_is_its_own_client_gets_its_pieces_back(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]), turned;

		request.src = role_address(BACKEND_A, KINDS[i].family);
		request.payload_length = DATAGRAM_BYTES;
		memcpy(request.to_mac, interface_mac(POD), ETH_ALEN);
		turned = forwarded_to(&request, BACKEND_A, POD);
		turned.src = hairpin_address(KINDS[i].family);
		cross(&request, POD, &turned, &crossing);
		for (size_t number = 0; number < PIECE_COUNT; number++) {
			const struct cut cut = piece_of(number, FIRST_IDENTIFICATION);

			expect_piece(scene, &crossing, &cut, VERDICT_TX);
		}
	}
}

/* The program sees the first buffer alone; of a later piece it needs IP's header and no more. */
static void pieces_that_lie_in_several_buffers_are_translated(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	scene->linear = 128;
	for (int i = 0; i < KIND_COUNT; i++) {
		cross_request(&KINDS[i], SYN, &crossing);
		send_whole(scene, FIRST_IDENTIFICATION, CUT_PLAIN);
	}
}

/* Whatever a piece holds where flags would be, the first has said it. */
static void later_pieces_say_what_the_first_has_said(void **state)
{
	const struct cut first = piece_of(0, 1), second = piece_of(1, 1);
	struct scene *scene = *state;
	struct connection before, after;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		scene_play(scene, &request, "SsA");
		cross_request(&KINDS[i], ACK, &crossing);
		expect_piece(scene, &crossing, &first, VERDICT_REDIRECT);
		assert_true(scene_find(scene, &request, &before));
		memset(&crossing.comes.bytes[ETH_HLEN + 40 + PIECE_BYTES], 0xff, 64);
		memset(&crossing.leaves.bytes[ETH_HLEN + 40 + PIECE_BYTES], 0xff, 64);
		expect_piece(scene, &crossing, &second, VERDICT_REDIRECT);
		assert_true(scene_find(scene, &request, &after));
		assert_int_equal(before.state.seen, after.state.seen);
	}
}

/* As a RST makes none where it knows no connection, the rest of it does not, either. */
static void later_pieces_make_no_connection_where_the_first_has_made_none(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		if (KINDS[i].protocol != IPPROTO_TCP)
			continue;
		cross_request(&KINDS[i], RST, &crossing);
		send_whole(scene, FIRST_IDENTIFICATION, CUT_PLAIN);
	}
	assert_int_equal(scene_count_connections(scene), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(a_datagram_in_pieces_reaches_one_backend_and_its_answer_returns),
		scene_test(all_pieces_go_to_the_backend_of_the_first),
		scene_test(pieces_behind_and_before_ipv6_options_are_translated),
		scene_test(an_atomic_fragment_is_a_packet_like_others),
		scene_test(options_and_udp_without_checksum_survive_in_pieces),
		scene_test(what_the_stack_forwards_is_translated_in_pieces),
		scene_test(a_backend_that_is_its_own_client_gets_its_pieces_back),
		scene_test(pieces_that_lie_in_several_buffers_are_translated),
		scene_test(later_pieces_say_what_the_first_has_said),
		scene_test(later_pieces_make_no_connection_where_the_first_has_made_none),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
