/*
 * The step service: which backend a new connection gets, by the service's algorithm.
 */
#include <arpa/inet.h>
#include "test/bpf/scene.h"

#define CONNECTIONS 400
#define FIRST_PORT 1024

static struct offer both_by(enum algorithm algorithm)
{
	struct offer offer = BOTH;

	offer.algorithm = algorithm;
	return offer;
}

/* How many of so many connections of one client, port after port, go to BACKEND_A. */
static uint32_t count_at_a(struct scene *scene, const struct kind *kind)
{
	struct blueprint request = request_of(kind);
	uint32_t at_a = 0;

	for (uint16_t i = 0; i < CONNECTIONS; i++) {
		request.src_port = htons((uint16_t)(FIRST_PORT + i));
		at_a += request_lands(scene, &request) == BACKEND_A;
	}
	return at_a;
}

static void maglev_and_random_spread_connections_evenly(void **state)
{
	static const enum algorithm ALGORITHMS[] = {ALGORITHM_MAGLEV, ALGORITHM_RANDOM};
	struct scene *scene = *state;

	for (size_t row = 0; row < 2; row++) {
		for (int i = 0; i < KIND_COUNT; i++) {
			const struct offer offer = both_by(ALGORITHMS[row]);
			uint32_t at_a;

			scene_offer(scene, &KINDS[i], &offer);
			at_a = count_at_a(scene, &KINDS[i]);
			/* Five standard deviations of a fair coin. */
			assert_in_range(at_a, CONNECTIONS / 2 - 50, CONNECTIONS / 2 + 50);
			scene_withdraw(scene, &KINDS[i]);
		}
	}
}

static void round_robin_takes_turns(void **state)
{
	const struct offer offer = both_by(ALGORITHM_ROUND_ROBIN);
	struct scene *scene = *state;

	scene_offer_all(scene, &offer);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		enum role last = SERVICE;

		for (uint16_t turn = 0; turn < 20; turn++) {
			enum role backend;

			request.src_port = htons((uint16_t)(FIRST_PORT + turn));
			backend = request_goes_to(scene, &request);
			assert_int_not_equal(backend, last);
			/* What is no new connection takes no turn. */
			assert_int_equal(request_goes_to(scene, &request), backend);
			last = backend;
		}
	}
}

static void source_hash_keeps_a_client_at_one_backend(void **state)
{
	const struct offer offer = both_by(ALGORITHM_SOURCE_HASH);
	struct scene *scene = *state;
	uint32_t at_a;

	scene_offer_all(scene, &offer);
	for (int i = 0; i < KIND_COUNT; i++) {
		at_a = count_at_a(scene, &KINDS[i]);
		assert_true(at_a == 0 || at_a == CONNECTIONS);
	}
}

static void source_hash_spreads_clients_evenly(void **state)
{
	const struct offer offer = both_by(ALGORITHM_SOURCE_HASH);
	struct scene *scene = *state;

	scene_offer_all(scene, &offer);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		uint32_t at_a = 0;

		for (uint32_t client = 0; client < CONNECTIONS; client++) {
			request.src.word[3] = htonl(0xc0000200 + client);
			at_a += request_goes_to(scene, &request) == BACKEND_A;
		}
		assert_in_range(at_a, CONNECTIONS / 2 - 50, CONNECTIONS / 2 + 50);
	}
}

static void maglev_sends_the_same_flow_to_the_same_backend_every_time(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &BOTH);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		enum role first[64];

		for (uint16_t turn = 0; turn < 3 * 64; turn++) {
			enum role backend;

			request.src_port = htons((uint16_t)(FIRST_PORT + turn % 64));
			backend = request_goes_to(scene, &request);
			scene_forget(scene, &request);
			if (turn < 64)
				first[turn] = backend;
			assert_int_equal(backend, first[turn % 64]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(maglev_and_random_spread_connections_evenly),
		scene_test(round_robin_takes_turns),
		scene_test(source_hash_keeps_a_client_at_one_backend),
		scene_test(source_hash_spreads_clients_evenly),
		scene_test(maglev_sends_the_same_flow_to_the_same_backend_every_time),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
