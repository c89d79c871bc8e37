/*
 * The ways back to clients: which packets take a place in client_hops, and when lbd gives it free.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include "test/bpf/answer_story.h"

static struct nexthop hop_at(const struct scene *scene, __u32 index)
{
	struct nexthop hop;

	assert_int_equal(
		bpf_map_lookup_elem(bpf_map__fd(scene->datapath->skeleton->maps.client_hops),
				    &index, &hop),
		0);
	return hop;
}

static uint32_t count_hops(const struct scene *scene)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < CLIENT_HOPS; i++)
		count += hop_at(scene, i).word != 0;
	return count;
}

static bool keep(void *context, const struct connection_view *view)
{
	(void)context;
	(void)view;
	return false;
}

/* A whole pass: the scene's table is one window. */
static void sweep(const struct scene *scene)
{
	static struct connection_cursor cursor;

	assert_int_equal(datapath_sweep_some(scene->datapath, &cursor, keep, NULL), 0);
}

static void clients_that_come_the_same_way_take_one_place(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		for (uint16_t port = 1024; port < 1034; port++) {
			request.src_port = htons(port);
			scene_play(scene, &request, "SsA");
		}
	}
	assert_int_equal(count_hops(scene), 1);
}

static void what_makes_no_connection_takes_no_place(void **state)
{
	static const struct offer NONE = {};
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		scene_offer(scene, &KINDS[i], &NONE);
		expect_answer(scene, UPLINK, &request, refusal_of(&KINDS[i]));
		scene_offer(scene, &KINDS[i], &ONLY_A);
		if (KINDS[i].protocol == IPPROTO_TCP)
			scene_play(scene, &request, "RF");
	}
	assert_int_equal(count_hops(scene), 0);
}

static void a_place_that_no_connection_names_is_free_after_three_sweeps(void **state)
{
	struct blueprint request = request_of(&KINDS[0]);
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	scene_play(scene, &request, "SsA");
	for (int i = 0; i < 4; i++)
		sweep(scene);
	assert_int_equal(count_hops(scene), 1);

	scene_forget(scene, &request);
	for (int i = 0; i < 2; i++) {
		sweep(scene);
		assert_int_equal(count_hops(scene), 1);
	}
	sweep(scene);
	assert_int_equal(count_hops(scene), 0);
}

/* A connection that was made behind the sweep is not seen by it. */
static void a_connection_that_a_sweep_missed_keeps_its_way_back(void **state)
{
	struct blueprint request = request_of(&KINDS[0]);
	struct scene *scene = *state;
	struct connection *entries = scene->connections.memory, *entry = NULL;
	__u64 head;

	scene_offer_all(scene, &ONLY_A);
	scene_play(scene, &request, "SsA");
	for (size_t i = 0; i < scene->connections.size / sizeof(*entries); i++)
		entry = entries[i].head.word ? &entries[i] : entry;
	assert_non_null(entry);
	head = entry->head.word;
	entry->head.word = 0;
	sweep(scene);
	entry->head.word = head;

	scene_play(scene, &request, "aA");
	for (int i = 0; i < 4; i++) {
		sweep(scene);
		scene_play(scene, &request, "aA");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(clients_that_come_the_same_way_take_one_place),
		scene_test(what_makes_no_connection_takes_no_place),
		scene_test(a_place_that_no_connection_names_is_free_after_three_sweeps),
		scene_test(a_connection_that_a_sweep_missed_keeps_its_way_back),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
