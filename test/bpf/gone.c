/*
 * Connections whose backend is gone, removed or down: of TCP both sides are told at their next
 * packet, of UDP the requests go to another one.
 */
#include <linux/in.h>
#include <string.h>
#include "test/bpf/answer_story.h"

static const struct offer A_DOWN_B_ACTIVE = {
	.backends = {[BACKEND_A] = BACKEND_DOWN, [BACKEND_B] = BACKEND_ACTIVE},
};

/* After a handshake with BACKEND_A that is gone now, while BACKEND_B serves. */
static struct blueprint lose_backend(struct scene *scene, const struct kind *kind,
				     const struct offer *after)
{
	struct blueprint request = request_of(kind);

	scene_offer(scene, kind, &ONLY_A);
	scene_play(scene, &request, "SsA");
	scene_offer(scene, kind, &BOTH);
	scene_offer(scene, kind, after);
	request.tcp_flags = ACK;
	return request;
}

static const uint8_t FLAGS[] = {ACK, PSH | ACK, FIN | ACK, SYN | ACK, 0};
static const struct offer *const GONE[] = {&ONLY_B, &A_DOWN_B_ACTIVE};

static void expect_ended(struct scene *scene, const struct blueprint *request)
{
	struct connection connection;

	assert_true(scene_find(scene, request, &connection));
	assert_true(connection.state.seen & TCP_SEEN_RST);
	scene_forget(scene, request);
}

static void a_client_whose_backend_is_gone_is_reset_when_it_speaks(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i += 2) {
		for (size_t row = 0; row < 2 * sizeof(FLAGS); row++) {
			struct blueprint request = lose_backend(scene, &KINDS[i], GONE[row % 2]);
			struct blueprint reply = reply_of(&KINDS[i], BACKEND_A);

			request.tcp_flags = reply.tcp_flags = FLAGS[row / 2];
			expect_answer(scene, UPLINK, &request, VERDICT_ANSWER_RESET);
			expect_answer(scene, POD, &reply, VERDICT_ANSWER_RESET);

			expect_ended(scene, &request);
			scene_withdraw(scene, &KINDS[i]);
		}
	}
}

/* The client may only wait: what it gets from the backend is a reset, and then the backend is. */
static void a_client_that_says_nothing_gets_what_the_backend_says_as_a_reset(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i += 2) {
		for (size_t row = 0; row < 2 * sizeof(FLAGS); row++) {
			struct blueprint request = lose_backend(scene, &KINDS[i], GONE[row % 2]);
			struct blueprint reply = reply_of(&KINDS[i], BACKEND_A), returned;

			reply.tcp_flags = FLAGS[row / 2];
			returned = returned_from_service(&reply, UPLINK);
			returned.tcp_flags = RST | (reply.tcp_flags & ACK);
			expect(scene, POD, &reply, VERDICT_REDIRECT, &returned);
			expect_answer(scene, POD, &reply, VERDICT_ANSWER_RESET);
			expect_answer(scene, UPLINK, &request, VERDICT_ANSWER_RESET);

			expect_ended(scene, &request);
			scene_withdraw(scene, &KINDS[i]);
		}
	}
}

static void a_reset_by_a_backend_that_is_gone_reaches_the_client(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i += 2) {
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A), returned;

		lose_backend(scene, &KINDS[i], &ONLY_B);
		reply.tcp_flags = RST | ACK;
		returned = returned_from_service(&reply, UPLINK);
		expect(scene, POD, &reply, VERDICT_REDIRECT, &returned);
		expect(scene, POD, &reply, VERDICT_DROP_BACKEND_GONE, NULL);
	}
}

/* As any reply does: it is left to the stack where its client's way is not known. */
static void a_reset_goes_the_way_of_replies(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i += 2) {
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A), returned;

		lose_backend(scene, &KINDS[i], &ONLY_B);
		scene_flag_port(scene, UPLINK, PORT_BY_STACK);
		returned = translated_from_service(&reply);
		returned.tcp_flags = RST | ACK;
		expect(scene, POD, &reply, VERDICT_PASS_BY_STACK, &returned);
		scene_flag_port(scene, UPLINK, 0);
	}
}

/* Only a SYN begins anew: nobody else knows of what was said before. A reset is not answered. */
static void no_request_brings_a_reset_connection_back(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i += 2) {
		struct blueprint request = lose_backend(scene, &KINDS[i], &ONLY_B);
		struct blueprint reset = request, opening = request, forwarded;

		for (int again = 0; again < 3; again++)
			expect_answer(scene, UPLINK, &request, VERDICT_ANSWER_RESET);
		reset.tcp_flags = RST | ACK;
		expect(scene, UPLINK, &reset, VERDICT_DROP_BACKEND_GONE, NULL);

		opening.tcp_flags = SYN;
		forwarded = forwarded_to(&opening, BACKEND_B, POD);
		expect(scene, UPLINK, &opening, VERDICT_REDIRECT, &forwarded);
		forwarded = forwarded_to(&request, BACKEND_B, POD);
		expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
	}
}

/* Each packet that is refused keeps it in mind. */
static void a_reset_connection_expires_as_one_that_is_closed(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i += 2) {
		struct blueprint request = lose_backend(scene, &KINDS[i], &ONLY_B), forwarded;

		scene_let_pass(scene, &request, TCP_ESTABLISHED_SECONDS - 1);
		expect_answer(scene, UPLINK, &request, VERDICT_ANSWER_RESET);
		scene_let_pass(scene, &request, TCP_CLOSED_SECONDS - 1);
		expect_answer(scene, UPLINK, &request, VERDICT_ANSWER_RESET);
		scene_let_pass(scene, &request, TCP_CLOSED_SECONDS - 1);
		expect_answer(scene, UPLINK, &request, VERDICT_ANSWER_RESET);

		scene_let_pass(scene, &request, TCP_CLOSED_SECONDS + 1);
		forwarded = forwarded_to(&request, BACKEND_B, POD);
		expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
	}
}

/* It would be a connection of the backend's own, from the port that it served. */
static void a_syn_of_a_backend_that_is_gone_opens_nothing(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i += 2) {
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A);

		lose_backend(scene, &KINDS[i], &ONLY_B);
		reply.tcp_flags = SYN;
		expect(scene, POD, &reply, VERDICT_DROP_BACKEND_GONE, NULL);
	}
}

static void a_frame_to_another_host_ends_no_connection(void **state)
{
	struct connection before, after;
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i += 2) {
		struct blueprint request = lose_backend(scene, &KINDS[i], &A_DOWN_B_ACTIVE);
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A);

		assert_true(scene_find(scene, &request, &before));
		memcpy(request.to_mac, role_mac(STRANGER), ETH_ALEN);
		memcpy(reply.to_mac, role_mac(STRANGER), ETH_ALEN);
		expect(scene, UPLINK, &request, VERDICT_PASS_OTHER_HOST, NULL);
		expect(scene, POD, &reply, VERDICT_PASS_OTHER_HOST, NULL);

		assert_true(scene_find(scene, &request, &after));
		assert_memory_equal(&before, &after, sizeof(before));
	}
}

static void udp_whose_backend_is_gone_goes_to_another(void **state)
{
	struct scene *scene = *state;

	for (int i = 1; i < KIND_COUNT; i += 2) {
		struct blueprint request = lose_backend(scene, &KINDS[i], &ONLY_B);
		struct blueprint stale = reply_of(&KINDS[i], BACKEND_A);
		struct blueprint forwarded = forwarded_to(&request, BACKEND_B, POD);

		expect(scene, POD, &stale, VERDICT_DROP_BACKEND_GONE, NULL);
		expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(a_client_whose_backend_is_gone_is_reset_when_it_speaks),
		scene_test(a_client_that_says_nothing_gets_what_the_backend_says_as_a_reset),
		scene_test(a_reset_by_a_backend_that_is_gone_reaches_the_client),
		scene_test(a_reset_goes_the_way_of_replies),
		scene_test(no_request_brings_a_reset_connection_back),
		scene_test(a_reset_connection_expires_as_one_that_is_closed),
		scene_test(a_syn_of_a_backend_that_is_gone_opens_nothing),
		scene_test(a_frame_to_another_host_ends_no_connection),
		scene_test(udp_whose_backend_is_gone_goes_to_another),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
