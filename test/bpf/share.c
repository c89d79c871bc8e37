/*
 * Services that share a backend, and a client that talks to both from one port: a reply is known by
 * backend and client alone, so it must never be taken for one of the other service. Here it need
 * not be, since there is another backend or the other connection is over; alias.c has the rest.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include <string.h>
#include "test/bpf/alias_story.h"

#define CLIENT_PORTS 2000
#define FIRST_CLIENT_PORT 1024

static const struct offer OTHER_BOTH = {
	.port = OTHER_PORT,
	.backends = {[BACKEND_A] = BACKEND_ACTIVE, [BACKEND_B] = BACKEND_ACTIVE},
};

static void expect_reply(struct scene *scene, const struct blueprint *request, enum role backend)
{
	const struct kind kind = {.family = blueprint_is_ipv6(request) ? IPV6 : IPV4,
				  .protocol = request->protocol};
	struct blueprint reply = reply_of(&kind, backend), returned;

	reply.dst_port = request->src_port;
	returned = returned_from_service(&reply, UPLINK);
	returned.src_port = request->dst_port;
	expect_packet(scene, POD, &reply, VERDICT_REDIRECT, &returned);
}

/* Old entries go as new ones come: the table has room for far fewer, but for these two always. */
static void one_client_port_reaches_two_services_through_two_backends(void **state)
{
	static const enum algorithm ALGORITHMS[] = {ALGORITHM_MAGLEV, ALGORITHM_RANDOM,
						    ALGORITHM_ROUND_ROBIN, ALGORITHM_SOURCE_HASH};
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT * 4; i++) {
		const struct kind *kind = &KINDS[i % KIND_COUNT];
		struct offer first = BOTH, second = OTHER_BOTH;

		first.algorithm = second.algorithm = ALGORITHMS[i / KIND_COUNT];
		scene_offer(scene, kind, &first);
		scene_offer(scene, kind, &second);
		for (uint16_t port = 0; port < CLIENT_PORTS; port++) {
			struct blueprint request = request_of(kind);
			struct blueprint other = request_to_other(kind);
			enum role backend, other_backend;

			request.src_port = other.src_port =
				htons((uint16_t)(FIRST_CLIENT_PORT + port));
			backend = request_goes_to(scene, &request);
			other_backend = request_goes_to(scene, &other);

			assert_int_not_equal(backend, other_backend);
			expect_reply(scene, &request, backend);
			expect_reply(scene, &other, other_backend);
		}
		scene_withdraw(scene, kind);
	}
}

static void a_port_is_free_for_the_other_service_once_its_connection_is_over(void **state)
{
	static const char *const PLAYS[] = {"SsAFf", "SsAr", "Sr"};
	struct scene *scene = *state;

	offer_one_backend(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t row = 0; row < sizeof(PLAYS) / sizeof(PLAYS[0]); row++) {
			struct blueprint request = request_of(&KINDS[i]);
			struct blueprint other = request_to_other(&KINDS[i]);

			request.src_port = other.src_port = htons((uint16_t)(2000 + row));
			scene_play(scene, &request, PLAYS[row]);
			if (KINDS[i].protocol == IPPROTO_UDP)
				scene_let_pass(scene, &request, UDP_SECONDS + 1);

			assert_int_equal(request_goes_to(scene, &other), BACKEND_A);
			expect_reply(scene, &other, BACKEND_A);
		}
	}
}

static void a_port_is_free_for_the_other_service_once_the_first_is_withdrawn(void **state)
{
	struct scene *scene = *state;

	offer_one_backend(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint other = request_to_other(&KINDS[i]);

		scene_play(scene, &request, "SsA");
		scene_withdraw(scene, &KINDS[i]);

		assert_int_equal(request_goes_to(scene, &other), BACKEND_A);
		expect_reply(scene, &other, BACKEND_A);
	}
}

/* Ids are handed out in turn: round until the other service has the first one's. */
static void a_port_is_free_for_the_service_that_takes_over_the_id(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		const uint32_t id = scene_offer(scene, &KINDS[i], &ONLY_A);
		uint32_t turns = datapath_capacity_services(scene->datapath);
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint other = request_to_other(&KINDS[i]);

		scene_play(scene, &request, "SsA");
		scene_withdraw(scene, &KINDS[i]);
		while (scene_offer(scene, &KINDS[i], &OTHER_ONLY_A) != id) {
			scene_withdraw_port(scene, &KINDS[i], OTHER_PORT);
			assert_true(turns-- > 0);
		}

		assert_int_equal(request_goes_to(scene, &other), BACKEND_A);
		expect_reply(scene, &other, BACKEND_A);
		scene_withdraw_port(scene, &KINDS[i], OTHER_PORT);
	}
}

/* The backend's own connections to what happens to be a client are not replies. */
static void a_backend_may_be_a_client_itself(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_B);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint forwarded;

		request.src = role_address(BACKEND_A, KINDS[i].family);
		request.src_port = htons(BACKEND_PORT);
		memcpy(request.to_mac, interface_mac(POD), ETH_ALEN);
		forwarded = forwarded_to(&request, BACKEND_B, POD);

		expect(scene, POD, &request, VERDICT_TX, &forwarded);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(one_client_port_reaches_two_services_through_two_backends),
		scene_test(a_port_is_free_for_the_other_service_once_its_connection_is_over),
		scene_test(a_port_is_free_for_the_other_service_once_the_first_is_withdrawn),
		scene_test(a_port_is_free_for_the_service_that_takes_over_the_id),
		scene_test(a_backend_may_be_a_client_itself),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
