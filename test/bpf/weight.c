/*
 * Weights: a backend's share of new connections, by each algorithm, and what none means.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include "test/bpf/answer_story.h"

#define CONNECTIONS 400
#define FIRST_PORT 1024

static struct offer weighted(enum algorithm algorithm, uint16_t a, uint16_t b)
{
	return (struct offer){
		.algorithm = algorithm,
		.backends = {[BACKEND_A] = BACKEND_ACTIVE, [BACKEND_B] = BACKEND_ACTIVE},
		.weights = {[BACKEND_A] = a, [BACKEND_B] = b},
		.has_weights = true,
	};
}

/* Ports differ, and for source-hash the clients. */
static struct blueprint request_number(const struct kind *kind, uint32_t number)
{
	struct blueprint request = request_of(kind);

	request.src_port = htons((uint16_t)(FIRST_PORT + number));
	request.src.word[3] ^= htonl(number << 8);
	return request;
}

static uint32_t count_at_a(struct scene *scene, const struct kind *kind)
{
	uint32_t at_a = 0;

	for (uint32_t i = 0; i < CONNECTIONS; i++) {
		const struct blueprint request = request_number(kind, i);

		at_a += request_goes_to(scene, &request) == BACKEND_A;
	}
	return at_a;
}

static void shares_follow_weights_by_every_algorithm(void **state)
{
	static const struct {
		uint16_t a, b;
		uint32_t least, most; /* at A; five standard deviations, and a slot's error */
	} rows[] = {
		{3, 1, 253, 347},
		{1, 3, 53, 147},
		{30000, 10000, 253, 347},
		{7, 7, 150, 250},
	};
	struct scene *scene = *state;

	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		for (int i = 0; i < KIND_COUNT * _ALGORITHM_COUNT; i++) {
			const struct kind *kind = &KINDS[i / _ALGORITHM_COUNT];
			const struct offer offer = weighted((enum algorithm)(i % _ALGORITHM_COUNT),
							    rows[row].a, rows[row].b);

			scene_offer(scene, kind, &offer);
			assert_in_range(count_at_a(scene, kind), rows[row].least, rows[row].most);
			scene_withdraw(scene, kind);
		}
	}
}

static void turns_are_exact(void **state)
{
	const struct offer offer = weighted(ALGORITHM_ROUND_ROBIN, 3, 1);
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		scene_offer(scene, &KINDS[i], &offer);
		assert_int_equal(count_at_a(scene, &KINDS[i]), CONNECTIONS * 3 / 4);
	}
}

static void without_weight_a_backend_gets_no_new_connection(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT * _ALGORITHM_COUNT; i++) {
		const struct kind *kind = &KINDS[i / _ALGORITHM_COUNT];
		const struct offer offer = weighted((enum algorithm)(i % _ALGORITHM_COUNT), 0, 1);

		scene_offer(scene, kind, &offer);
		assert_int_equal(count_at_a(scene, kind), 0);
		scene_withdraw(scene, kind);
	}
}

static void it_keeps_its_connections_also_forgotten_ones(void **state)
{
	const struct offer offer = weighted(ALGORITHM_MAGLEV, 0, 1);
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		scene_offer(scene, &KINDS[i], &ONLY_A);
		scene_play(scene, &request, "SsA");
		scene_offer(scene, &KINDS[i], &offer);
		scene_play(scene, &request, "AaA");
		if (request.protocol != IPPROTO_TCP)
			continue;
		scene_forget(scene, &request);
		scene_play(scene, &request, "AaA");
	}
}

static void affinity_does_not_lead_to_it(void **state)
{
	struct offer before = ONLY_A, after = weighted(ALGORITHM_MAGLEV, 0, 1);
	struct scene *scene = *state;

	before.affinity_seconds = after.affinity_seconds = 3600;
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		scene_offer(scene, &KINDS[i], &before);
		assert_int_equal(request_goes_to(scene, &request), BACKEND_A);
		scene_offer(scene, &KINDS[i], &after);
		request.src_port = htons(FIRST_PORT);
		assert_int_equal(request_goes_to(scene, &request), BACKEND_B);
	}
}

static void where_nobody_has_weight_there_is_no_backend(void **state)
{
	const struct offer offer = weighted(ALGORITHM_MAGLEV, 0, 0);
	struct scene *scene = *state;

	scene_offer_all(scene, &offer);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);

		expect_answer(scene, UPLINK, &request, refusal_of(&KINDS[i]));
	}
}

static void weight_that_comes_back_counts_at_once(void **state)
{
	const struct offer none = weighted(ALGORITHM_ROUND_ROBIN, 0, 1);
	const struct offer some = weighted(ALGORITHM_ROUND_ROBIN, 65535, 65535);
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		scene_offer(scene, &KINDS[i], &none);
		scene_offer(scene, &KINDS[i], &some);
		assert_int_equal(count_at_a(scene, &KINDS[i]), CONNECTIONS / 2);
	}
}

int main(void)
{
	static const uint32_t MANY_CONNECTIONS = 4 * CONNECTIONS;
	const struct CMUnitTest tests[] = {
		sized_scene_test(shares_follow_weights_by_every_algorithm, &MANY_CONNECTIONS),
		sized_scene_test(turns_are_exact, &MANY_CONNECTIONS),
		sized_scene_test(without_weight_a_backend_gets_no_new_connection,
				 &MANY_CONNECTIONS),
		scene_test(it_keeps_its_connections_also_forgotten_ones),
		scene_test(affinity_does_not_lead_to_it),
		scene_test(where_nobody_has_weight_there_is_no_backend),
		scene_test(weight_that_comes_back_counts_at_once),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
