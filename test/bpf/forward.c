/*
 * The step forward: by which interface a translated packet leaves, to whom, and when the stack has
 * to take it from here.
 */
#include <linux/in.h>
#include <string.h>
#include "test/bpf/answer_story.h"

static void a_request_is_redirected_to_a_backend_behind_another_interface(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint forwarded = forwarded_to(&request, BACKEND_A, POD);

		expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
	}
}

static void a_request_is_sent_back_out_to_a_backend_behind_the_same_interface(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	scene_move(scene, BACKEND_A, UPLINK);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint forwarded = forwarded_to(&request, BACKEND_A, UPLINK);

		expect(scene, UPLINK, &request, VERDICT_TX, &forwarded);
	}
}

/* A veth whose peer has no program loses XDP_TX: there, and only there, it is a redirect. */
static void sending_back_out_is_a_redirect_where_tx_would_vanish(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	scene_move(scene, BACKEND_A, UPLINK);
	scene_flag_port(scene, UPLINK, PORT_TX_BY_REDIRECT);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint forwarded = forwarded_to(&request, BACKEND_A, UPLINK);

		expect(scene, UPLINK, &request, VERDICT_TX, &forwarded);
	}
}

static void a_reply_comes_from_the_service_and_goes_the_way_its_request_came(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint forwarded = forwarded_to(&request, BACKEND_A, POD);
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A);
		struct blueprint returned = returned_from_service(&reply, UPLINK);

		expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
		expect(scene, POD, &reply, VERDICT_REDIRECT, &returned);
	}
}

static void a_reply_is_sent_back_out_to_a_client_behind_the_same_interface(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	scene_move(scene, BACKEND_A, UPLINK);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint forwarded = forwarded_to(&request, BACKEND_A, UPLINK);
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A);
		struct blueprint returned = returned_from_service(&reply, UPLINK);

		expect(scene, UPLINK, &request, VERDICT_TX, &forwarded);
		expect(scene, UPLINK, &reply, VERDICT_TX, &returned);
	}
}

/* The stack routes what it gets: a hop taken off here would be taken off twice. */
static void a_request_to_an_unresolved_backend_is_translated_for_the_stack(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	scene_move(scene, BACKEND_A, NOWHERE);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint translated = translated_to(&request, BACKEND_A);
		struct blueprint forwarded = forwarded_to(&request, BACKEND_A, POD);

		expect(scene, UPLINK, &request, VERDICT_PASS_UNRESOLVED, &translated);
		scene_move(scene, BACKEND_A, POD);
		expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
		scene_move(scene, BACKEND_A, NOWHERE);
	}
}

static void a_reply_to_a_client_behind_an_unknown_interface_is_left_to_the_stack(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint forwarded = forwarded_to(&request, BACKEND_A, POD);
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A);
		struct blueprint translated = translated_from_service(&reply);

		expect(scene, NOWHERE, &request, VERDICT_REDIRECT, &forwarded);
		expect(scene, POD, &reply, VERDICT_PASS_UNRESOLVED, &translated);
	}
}

static void both_ways_are_left_to_the_stack_where_an_interface_takes_no_frames(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	scene_flag_port(scene, POD, PORT_BY_STACK);
	scene_flag_port(scene, UPLINK, PORT_BY_STACK);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint to_backend = translated_to(&request, BACKEND_A);
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A);
		struct blueprint to_client = translated_from_service(&reply);

		expect(scene, UPLINK, &request, VERDICT_PASS_BY_STACK, &to_backend);
		expect(scene, POD, &reply, VERDICT_PASS_BY_STACK, &to_client);
	}
}

static void an_interface_that_has_gone_gets_nothing(void **state)
{
	struct scene *scene = *state;
	const struct port gone = {};

	scene_offer_all(scene, &ONLY_A);
	assert_int_equal(datapath_set_port(scene->datapath, POD, &gone), 0);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint translated = translated_to(&request, BACKEND_A);

		expect(scene, UPLINK, &request, VERDICT_PASS_BY_STACK, &translated);
	}
}

static void a_packet_on_its_last_hop_is_left_to_the_stack_as_it_was_sent(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (uint8_t hops = 0; hops <= 1; hops++) {
			struct blueprint request = request_of(&KINDS[i]);
			struct blueprint reply = reply_of(&KINDS[i], BACKEND_A);

			scene_play(scene, &request, "S");
			request.hop_limit = hops;
			reply.hop_limit = hops;

			expect(scene, UPLINK, &request, VERDICT_PASS_HOP_LIMIT, NULL);
			expect(scene, POD, &reply, VERDICT_PASS_HOP_LIMIT, NULL);
		}
	}
}

static void a_packet_may_spend_its_last_hop_but_one(void **state)
{
	static const uint8_t HOPS[] = {2, 3, 128, 255};
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t row = 0; row < sizeof(HOPS); row++) {
			struct blueprint request = request_of(&KINDS[i]);
			struct blueprint forwarded;

			request.hop_limit = HOPS[row];
			forwarded = forwarded_to(&request, BACKEND_A, POD);

			expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
		}
	}
}

#define SMALL_MTU 1500

/* A packet of the network layer's `length`. */
static struct blueprint of_length(struct blueprint packet, size_t length)
{
	const size_t ip = blueprint_is_ipv6(&packet) ? 40 : 20;

	packet.payload_length = length - ip - (packet.protocol == IPPROTO_TCP ? 20 : 8);
	return packet;
}

#define DONT_FRAGMENT 0x4000

/* Each way towards an interface of SMALL_MTU, from one that takes more. */
static void expect_both_ways(struct scene *scene, const struct kind *kind, size_t length)
{
	struct blueprint request = of_length(request_of(kind), length);
	struct blueprint forwarded = forwarded_to(&request, BACKEND_A, POD);
	struct blueprint reply = of_length(reply_of(kind, BACKEND_A), length);
	struct blueprint returned = returned_from_service(&reply, UPLINK);

	scene_set_mtu(scene, POD, SMALL_MTU);
	scene_set_mtu(scene, UPLINK, SCENE_MTU);
	expect_packet(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
	scene_set_mtu(scene, POD, SCENE_MTU);
	scene_set_mtu(scene, UPLINK, SMALL_MTU);
	expect_packet(scene, POD, &reply, VERDICT_REDIRECT, &returned);
}

static void a_packet_as_large_as_the_mtu_of_its_way_out_is_forwarded(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++)
		expect_both_ways(scene, &KINDS[i], SMALL_MTU);
}

static const size_t LARGE[] = {SMALL_MTU + 1, SMALL_MTU + 4, 2000, 4096, 9000};
#define LARGE_COUNT (sizeof(LARGE) / sizeof(LARGE[0]))

/* From the address that it was for, as if that had a narrow link: the sender sends less. */
static void the_sender_of_a_packet_too_large_for_its_way_out_is_told_the_mtu(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		scene_play(scene, &request, "S");
		for (size_t row = 0; row < LARGE_COUNT; row++) {
			struct blueprint large = of_length(request, LARGE[row]);
			struct blueprint reply =
				of_length(reply_of(&KINDS[i], BACKEND_A), LARGE[row]);

			large.fragment = reply.fragment = DONT_FRAGMENT;
			scene_set_mtu(scene, POD, SMALL_MTU);
			scene_set_mtu(scene, UPLINK, SCENE_MTU);
			expect_too_big(scene, UPLINK, &large, SMALL_MTU);
			scene_set_mtu(scene, POD, SCENE_MTU);
			scene_set_mtu(scene, UPLINK, SMALL_MTU - 100);
			expect_too_big(scene, POD, &reply, SMALL_MTU - 100);
		}
	}
}

static void an_ipv4_packet_that_may_be_fragmented_is_translated_for_the_stack(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	scene_set_mtu(scene, POD, SMALL_MTU);
	scene_set_mtu(scene, UPLINK, SMALL_MTU);
	for (size_t row = 0; row < 2 * LARGE_COUNT; row++) {
		const struct kind *kind = &KINDS[row % 2];
		struct blueprint request = of_length(request_of(kind), LARGE[row / 2]);
		struct blueprint reply = of_length(reply_of(kind, BACKEND_A), LARGE[row / 2]);
		struct blueprint to_backend = translated_to(&request, BACKEND_A);
		struct blueprint to_client = translated_from_service(&reply);

		assert_int_equal(kind->family, IPV4);
		expect(scene, UPLINK, &request, VERDICT_PASS_BY_STACK, &to_backend);
		expect(scene, POD, &reply, VERDICT_PASS_BY_STACK, &to_client);
	}
}

static void a_frame_to_another_host_is_not_answered_though_it_is_too_large(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	scene_set_mtu(scene, UPLINK, SMALL_MTU);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint reply = of_length(reply_of(&KINDS[i], BACKEND_A), SMALL_MTU + 1);

		scene_play(scene, &request, "S");
		reply.fragment = DONT_FRAGMENT;
		memcpy(reply.to_mac, role_mac(STRANGER), ETH_ALEN);

		expect(scene, POD, &reply, VERDICT_PASS_OTHER_HOST, NULL);
	}
}

/* What is too large for its way out is of its connection all the same. */
static void a_packet_that_is_too_large_counts_for_its_backend(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	scene_set_mtu(scene, POD, SMALL_MTU);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = of_length(request_of(&KINDS[i]), SMALL_MTU + 1);
		struct traffic_counter got;

		request.fragment = DONT_FRAGMENT;
		expect_too_big(scene, UPLINK, &request, SMALL_MTU);
		got = scene_traffic(scene, &KINDS[i]);
		assert_int_equal(got.request.packets, 1);
		assert_int_equal(got.request.bytes, ETH_HLEN + SMALL_MTU + 1);
		assert_int_equal(got.connections, 1);
	}
}

/* GRO has put segments together there; whoever sends them out cuts them up again. */
static void what_comes_in_by_a_generic_port_may_be_larger_than_the_mtu(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	scene_flag_port(scene, UPLINK, PORT_GENERIC);
	scene_flag_port(scene, POD, PORT_GENERIC);
	for (int i = 0; i < KIND_COUNT; i++) {
		expect_both_ways(scene, &KINDS[i], SMALL_MTU + 1);
		expect_both_ways(scene, &KINDS[i], SCENE_MTU);
	}
}

static void a_generic_port_on_the_way_out_alone_takes_no_more_than_its_mtu(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	scene_set_mtu(scene, POD, SMALL_MTU);
	scene_flag_port(scene, POD, PORT_GENERIC);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = of_length(request_of(&KINDS[i]), SMALL_MTU + 1);

		request.fragment = DONT_FRAGMENT;
		expect_too_big(scene, UPLINK, &request, SMALL_MTU);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(a_request_is_redirected_to_a_backend_behind_another_interface),
		scene_test(a_request_is_sent_back_out_to_a_backend_behind_the_same_interface),
		scene_test(sending_back_out_is_a_redirect_where_tx_would_vanish),
		scene_test(a_reply_comes_from_the_service_and_goes_the_way_its_request_came),
		scene_test(a_reply_is_sent_back_out_to_a_client_behind_the_same_interface),
		scene_test(a_request_to_an_unresolved_backend_is_translated_for_the_stack),
		scene_test(a_reply_to_a_client_behind_an_unknown_interface_is_left_to_the_stack),
		scene_test(both_ways_are_left_to_the_stack_where_an_interface_takes_no_frames),
		scene_test(an_interface_that_has_gone_gets_nothing),
		scene_test(a_packet_on_its_last_hop_is_left_to_the_stack_as_it_was_sent),
		scene_test(a_packet_may_spend_its_last_hop_but_one),
		scene_test(a_packet_as_large_as_the_mtu_of_its_way_out_is_forwarded),
		scene_test(the_sender_of_a_packet_too_large_for_its_way_out_is_told_the_mtu),
		scene_test(an_ipv4_packet_that_may_be_fragmented_is_translated_for_the_stack),
		scene_test(a_frame_to_another_host_is_not_answered_though_it_is_too_large),
		scene_test(a_packet_that_is_too_large_counts_for_its_backend),
		scene_test(what_comes_in_by_a_generic_port_may_be_larger_than_the_mtu),
		scene_test(a_generic_port_on_the_way_out_alone_takes_no_more_than_its_mtu),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
