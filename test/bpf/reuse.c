/*
 * A scene that gets the datapath of the one before has it as it was loaded: whatever was written to
 * any of its maps. See kept.h.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include "test/bpf/fragment_builder.h"
#include "test/bpf/kept.h"
#include "test/bpf/map_image.h"
#include "test/bpf/scene.h"

#define MAX_VALUE (1u << 20)
#define SEED 4711

static void choose_seed(struct datapath_options *options)
{
	options->seed = SEED;
}

static void choose_another_knob(struct datapath_options *options)
{
	choose_seed(options);
	options->icmp_errors = 3;
}

static struct scene *open_scene(void (*change)(struct datapath_options *options))
{
	void *state = NULL;

	assert_int_equal(scene_open_changed(&state, change), 0);
	return state;
}

static void close_scene(struct scene *scene)
{
	void *state = scene;

	assert_int_equal(scene_close(&state), 0);
}

static bool is_array(const struct bpf_map *map)
{
	return bpf_map__type(map) == BPF_MAP_TYPE_ARRAY ||
	       bpf_map__type(map) == BPF_MAP_TYPE_PERCPU_ARRAY;
}

/* Its length as a prefix, where it is of a trie; where it is of devices, one that is there. */
static void write_key(const struct bpf_map *map)
{
	static uint8_t key[64], value[MAX_VALUE];
	const uint32_t device = network_ifindex(UPLINK);

	memset(key, 0, sizeof(key));
	memset(value, 0, sizeof(value));
	memcpy(key, &(uint32_t){8}, sizeof(uint32_t));
	if (bpf_map__type(map) == BPF_MAP_TYPE_DEVMAP_HASH)
		memcpy(value, &device, sizeof(device));
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY), 0);
}

/* The first and the last value of an array. */
static void write_value(const struct bpf_map *map, uint32_t index)
{
	static uint8_t value[MAX_VALUE];

	memset(value, 0x5a, sizeof(value));
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(map), &index, value, BPF_ANY), 0);
}

/* Constants nobody can write, and into the ring of events only packets do. */
static void write_to(const struct bpf_map *map)
{
	const uint32_t first = 0, last = bpf_map__max_entries(map) - 1;

	if (!bpf_map__autocreate(map) || bpf_map__type(map) == BPF_MAP_TYPE_RINGBUF ||
	    (is_array(map) && bpf_map__map_flags(map) & BPF_F_RDONLY_PROG))
		return;
	if (bpf_map__type(map) == BPF_MAP_TYPE_PROG_ARRAY) {
		assert_int_equal(bpf_map_delete_elem(bpf_map__fd(map), &first), 0);
	} else if (is_array(map)) {
		write_value(map, first);
		write_value(map, last);
	} else {
		write_key(map);
	}
}

static void expect_as_before(const struct bpf_map *map, const struct map_image *before)
{
	struct map_image now;

	assert_int_equal(map_image_take(&now, map), 0);
	if (!map_image_equal(&now, before))
		fail_msg("the map %s is not as that of a datapath that was just loaded",
			 bpf_map__name(map));
	map_image_free(&now);
}

static void take_images(const struct scene *scene, struct map_image *images)
{
	const struct bpf_map *map;

	bpf_object__for_each_map (map, scene->datapath->skeleton->obj) {
		assert_int_equal(map_image_take(images++, map), 0);
	}
}

static void expect_images(const struct scene *scene, struct map_image *images)
{
	const struct bpf_map *map;

	bpf_object__for_each_map (map, scene->datapath->skeleton->obj) {
		expect_as_before(map, images);
		map_image_free(images++);
	}
}

/* A piece whose first does not come: lbd would have been handed it. */
static void send_early_piece(struct scene *scene)
{
	const struct cut cut = {.offset = 64, .length = CUT_REST, .identification = 1};
	struct blueprint request = request_of(&KINDS[0]);
	static struct frame whole, piece;

	request.payload_length = 128;
	frame_build(&request, &whole);
	frame_cut(&whole, &cut, &piece);
	expect_bytes(scene, UPLINK, &piece, VERDICT_DROP_FRAGMENT_HELD, NULL);
}

/* What lbd and packets write, and what user space knows of it. */
static void live(struct scene *scene)
{
	const struct offer offer = {.affinity_seconds = 60,
				    .backends = {[BACKEND_A] = BACKEND_ACTIVE},
				    .source_ranges = {"0.0.0.0/0", "::/0"}};
	struct refusal refusal;
	struct prefix denied;

	assert_true(datapath_open_events(scene->datapath) >= 0);
	assert_int_equal(prefix_parse("203.0.113.0/24", &denied, &refusal), 0);
	assert_int_equal(datapath_deny(scene->datapath, &denied, 1), 0);
	scene_offer_all(scene, &offer);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);

		scene_play(scene, &request, "SsA");
	}
	send_early_piece(scene);
	scene_own_service(scene);
}

static bool is_filter_empty(const struct filter *filter)
{
	for (uint32_t bit = 0; bit <= filter->mask; bit++)
		if (filter->counts[bit])
			return false;
	return true;
}

static void expect_nothing_known(const struct datapath *datapath)
{
	assert_null(datapath->events);
	assert_null(datapath->addresses);
	assert_null(datapath->rings.memory);
	assert_true(is_filter_empty(&datapath->service_filter));
	assert_true(is_filter_empty(&datapath->backend_filter));
	assert_true(is_filter_empty(&datapath->address_filter));
}

static void what_a_scene_wrote_is_gone_for_the_next(void **state)
{
	struct map_image loaded[64];
	const struct bpf_map *map;
	struct scene *scene;
	uint32_t program;

	(void)state;
	kept_datapath_forget();
	scene = open_scene(choose_seed);
	program = scene->datapath->program_id;
	take_images(scene, loaded);

	live(scene);
	bpf_object__for_each_map (map, scene->datapath->skeleton->obj) {
		write_to(map);
	}
	close_scene(scene);
	scene = open_scene(choose_seed);

	assert_int_equal(scene->datapath->program_id, program);
	expect_nothing_known(scene->datapath);
	expect_images(scene, loaded);
	close_scene(scene);
}

static void a_scene_with_other_options_loads(void **state)
{
	struct scene *scene = open_scene(choose_seed);
	const uint32_t program = scene->datapath->program_id;

	(void)state;
	close_scene(scene);

	scene = open_scene(choose_another_knob);

	assert_int_not_equal(scene->datapath->program_id, program);
	assert_int_equal(scene->datapath->skeleton->rodata->icmp_errors, 3);
	close_scene(scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_scene_wrote_is_gone_for_the_next),
		cmocka_unit_test(a_scene_with_other_options_loads),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
