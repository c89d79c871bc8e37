/*
 * The counters: each packet once by its verdict (which every test checks by the way), and by
 * service and backend. And the names that verdicts go by.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <linux/in.h>
#include <string.h>
#include "test/bpf/answer_story.h"

struct verdict_words {
	const char *constant;
	const char *name;
	const char *meaning;
};

static const struct verdict_words WORDS[] = {
#define VERDICT_WORDS(constant, name, meaning) [VERDICT_##constant] = {#constant, name, meaning},
	VERDICTS(VERDICT_WORDS)
#undef VERDICT_WORDS
};

static void every_verdict_has_the_name_of_its_constant_and_a_meaning(void **state)
{
	(void)state;
	assert_int_equal(sizeof(WORDS) / sizeof(WORDS[0]), _VERDICT_COUNT);
	for (int i = 0; i < _VERDICT_COUNT; i++) {
		const struct verdict_words *words = &WORDS[i];

		assert_non_null(words->name);
		assert_true(strlen(words->meaning) > 10);
		assert_int_equal(strlen(words->name), strlen(words->constant));
		for (size_t at = 0; words->name[at]; at++) {
			const char wanted = (char)tolower((unsigned char)words->constant[at]);

			assert_int_equal(words->name[at], wanted == '_' ? '-' : wanted);
		}
	}
}

static size_t length_of(const struct blueprint *packet)
{
	static struct frame frame;

	frame_build(packet, &frame);
	return frame.length;
}

static void expect_traffic(const struct traffic_counter *got, const struct traffic_counter *wanted)
{
	assert_int_equal(got->request.packets, wanted->request.packets);
	assert_int_equal(got->request.bytes, wanted->request.bytes);
	assert_int_equal(got->reply.packets, wanted->reply.packets);
	assert_int_equal(got->reply.bytes, wanted->reply.bytes);
	assert_int_equal(got->connections, wanted->connections);
}

/* Of the service and of its only backend, which must agree. */
static void expect_both_count(struct scene *scene, const struct kind *kind,
			      const struct traffic_counter *wanted)
{
	struct traffic_counter got = scene_traffic(scene, kind);

	expect_traffic(&got, wanted);
	assert_int_equal(
		datapath_read_backend(scene->datapath, scene_backend(scene, kind, BACKEND_A), &got),
		0);
	expect_traffic(&got, wanted);
}

static void requests_replies_and_connections_are_counted_by_service_and_backend(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct traffic_counter wanted = {};

		scene_offer(scene, &KINDS[i], &ONLY_A);
		expect_both_count(scene, &KINDS[i], &wanted);
		for (uint16_t connection = 0; connection < 3; connection++) {
			request.src_port = htons((uint16_t)(CLIENT_PORT + connection));
			request.payload_length = 100u * connection;
			scene_play(scene, &request, "SsAaa");
			wanted.connections++;
			wanted.request.packets += 2;
			wanted.request.bytes += 2 * length_of(&request);
			request.payload_length = 33; /* as replies have it */
			wanted.reply.packets += 3;
			wanted.reply.bytes += 3 * length_of(&request);

			expect_both_count(scene, &KINDS[i], &wanted);
		}
	}
}

static void what_is_no_new_connection_is_not_counted_as_one(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct traffic_counter got;

		scene_offer(scene, &KINDS[i], &ONLY_A);
		if (KINDS[i].protocol != IPPROTO_TCP)
			continue;
		scene_play(scene, &request, "RF");
		got = scene_traffic(scene, &KINDS[i]);
		assert_int_equal(got.connections, 0);
		assert_int_equal(got.request.packets, 2);

		scene_play(scene, &request, "SSsAFfRS");
		got = scene_traffic(scene, &KINDS[i]);
		assert_int_equal(got.connections, 2);
	}
}

static void requests_that_find_no_backend_count_for_the_service(void **state)
{
	static const struct offer NONE = {};
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct traffic_counter got;
		const struct traffic_counter wanted = {
			.request = {.packets = 1, .bytes = length_of(&request)},
		};

		scene_offer(scene, &KINDS[i], &NONE);
		expect_answer(scene, UPLINK, &request, refusal_of(&KINDS[i]));
		got = scene_traffic(scene, &KINDS[i]);
		expect_traffic(&got, &wanted);
	}
}

/* A service's sum is over the backends that it has had, not those it has. */
static void what_a_removed_backend_carried_stays_with_its_service(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct traffic_counter before, after;

		scene_offer(scene, &KINDS[i], &ONLY_A);
		scene_play(scene, &request, "SsAaa");
		before = scene_traffic(scene, &KINDS[i]);
		assert_int_equal(before.reply.packets, 3);
		scene_offer(scene, &KINDS[i], &ONLY_B);
		after = scene_traffic(scene, &KINDS[i]);
		expect_traffic(&after, &before);
	}
}

static void what_is_of_no_service_counts_for_none(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		const struct traffic_counter nothing = {};

		scene_offer(scene, &KINDS[i], &ONLY_A);
		request.dst = role_address(STRANGER, KINDS[i].family);
		expect(scene, UPLINK, &request, VERDICT_PASS_NO_SERVICE, NULL);
		expect_both_count(scene, &KINDS[i], &nothing);
	}
}

static void a_new_owner_of_an_index_counts_from_zero(void **state)
{
	uint32_t turns = datapath_capacity_services(((struct scene *)*state)->datapath);
	struct blueprint request = request_of(&KINDS[0]);
	const struct traffic_counter nothing = {};
	struct scene *scene = *state;
	uint32_t service, first = scene_offer(scene, &KINDS[0], &ONLY_A);

	scene_play(scene, &request, "SsA");
	do {
		scene_withdraw(scene, &KINDS[0]);
		service = scene_offer(scene, &KINDS[0], &ONLY_A);
		expect_both_count(scene, &KINDS[0], &nothing);
		assert_true(turns-- > 0);
	} while (service != first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_verdict_has_the_name_of_its_constant_and_a_meaning),
		scene_test(requests_replies_and_connections_are_counted_by_service_and_backend),
		scene_test(what_is_no_new_connection_is_not_counted_as_one),
		scene_test(requests_that_find_no_backend_count_for_the_service),
		scene_test(what_a_removed_backend_carried_stays_with_its_service),
		scene_test(what_is_of_no_service_counts_for_none),
		scene_test(a_new_owner_of_an_index_counts_from_zero),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
