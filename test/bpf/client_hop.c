/*
 * The ways back to clients: which packets take a place in client_hops, and when lbd gives it free.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include "test/bpf/answer_story.h"
#include "test/bpf/tags.h"

static struct way_back way_at(const struct scene *scene, __u32 index)
{
	struct way_back way;

	assert_int_equal(
		bpf_map_lookup_elem(bpf_map__fd(scene->datapath->skeleton->maps.client_hops),
				    &index, &way),
		0);
	return way;
}

/* Every connection, as a flush does it. */
static void forget_all(const struct scene *scene)
{
	struct connection *entries = scene->connections.memory;

	for (size_t i = 0; i < scene->connections.size / sizeof(*entries); i++)
		entries[i].head.word = 0;
}

static uint32_t count_hops(const struct scene *scene)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < CLIENT_HOPS; i++)
		count += way_at(scene, i).hop.word != 0;
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

static void expect_way(struct scene *scene, const struct kind *kind, uint16_t port, union tags tags)
{
	struct blueprint packet = request_of(kind), leaves;

	packet.src_port = htons(port);
	leaves = forwarded_to(&packet, BACKEND_A, POD);
	packet.tags = tags;
	expect_packet(scene, UPLINK, &packet, VERDICT_REDIRECT, &leaves);
	packet = reply_of(kind, BACKEND_A);
	packet.dst_port = htons(port);
	leaves = returned_from_service(&packet, UPLINK);
	leaves.tags = tags;
	expect_packet(scene, POD, &packet, VERDICT_REDIRECT, &leaves);
}

#define way_with(scene, ...) ((scene)->line = __LINE__, expect_way((scene), __VA_ARGS__))

static void each_vlan_and_priority_takes_a_place_of_its_own(void **state)
{
	const union tags tags[] = {NO_TAGS, VLAN(10), VLAN(20), VLAN(PRIORITY(5) | 10),
				   VLAN_IN_VLAN(10, 20)};
	const size_t count = sizeof(tags) / sizeof(tags[0]);
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++)
		for (uint16_t port = 1024; port < 1024 + 3 * count; port++)
			way_with(scene, &KINDS[i], port, tags[port % count]);
	assert_int_equal(count_hops(scene), count);
}

/* A router's MAC address is the same in all of them. */
static void all_vlans_of_one_neighbour_find_places(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (uint16_t vlan = 0; vlan < 64; vlan++) {
		way_with(scene, &KINDS[0], (uint16_t)(1024 + vlan), VLAN_IN_VLAN(100, vlan));
		way_with(scene, &KINDS[0], (uint16_t)(2024 + vlan), VLAN_IN_VLAN(vlan, 100));
		forget_all(scene);
	}
	assert_int_equal(count_hops(scene), 128);
}

static void a_place_that_had_tags_has_none_for_its_next_owner(void **state)
{
	static const struct way_back EMPTY = {};
	struct scene *scene = *state;
	struct way_back way;

	scene_offer_all(scene, &ONLY_A);
	way_with(scene, &KINDS[0], CLIENT_PORT, VLAN(10));
	forget_all(scene);
	for (int i = 0; i < 3; i++)
		sweep(scene);
	for (uint32_t i = 0; i < CLIENT_HOPS; i++) {
		way = way_at(scene, i);
		assert_memory_equal(&way, &EMPTY, sizeof(way));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(clients_that_come_the_same_way_take_one_place),
		scene_test(what_makes_no_connection_takes_no_place),
		scene_test(a_place_that_no_connection_names_is_free_after_three_sweeps),
		scene_test(a_connection_that_a_sweep_missed_keeps_its_way_back),
		scene_test(each_vlan_and_priority_takes_a_place_of_its_own),
		scene_test(all_vlans_of_one_neighbour_find_places),
		scene_test(a_place_that_had_tags_has_none_for_its_next_owner),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
