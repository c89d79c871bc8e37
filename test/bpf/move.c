/*
 * Other limits than those of what is pinned: tables move to maps of another size, and every
 * connection is the same there. LBT_ONLY: one test of these, where each load takes seconds.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <glob.h>
#include <linux/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lb/address.h"
#include "lb/datapath_internal.h"
#include "test/bpf/alias_story.h"
#include "test/bpf/kept.h"

#define CLIENT_PORTS 60

static uint32_t many_connections = 4096; /* no bucket is ever full */

/* Maps that wait for the place of one of another size, and that links may call until they move. */
#define WAITING "*_new"
#define BRIDGES "bridge_*"

static struct datapath_options chosen;

static void keep(struct datapath_options *options)
{
	chosen = *options;
}

struct list {
	struct connection_view views[4 * 2 * CLIENT_PORTS];
	size_t count, aliases;
};

static bool collect(void *context, const struct connection_view *view)
{
	struct list *list = context;

	assert_true(list->count < sizeof(list->views) / sizeof(list->views[0]));
	list->views[list->count++] = *view;
	list->aliases += view->alias_port != 0;
	return false;
}

static void list_all(struct datapath *datapath, struct list *list)
{
	memset(list, 0, sizeof(*list));
	assert_int_equal(datapath_visit_connections(datapath, collect, list), 0);
}

static bool is_same(const struct connection_view *a, const struct connection_view *b)
{
	return a->flow.src_port == b->flow.src_port && a->flow.dst_port == b->flow.dst_port &&
	       a->flow.protocol == b->flow.protocol && a->alias_port == b->alias_port &&
	       a->backend == b->backend && a->seen == b->seen && a->client_hop == b->client_hop &&
	       address_equal(&a->flow.src, &b->flow.src) &&
	       address_equal(&a->flow.dst, &b->flow.dst);
}

static void assert_same(const struct list *before, const struct list *after)
{
	assert_int_equal(after->count, before->count);
	for (size_t i = 0; i < before->count; i++) {
		size_t found = 0;

		for (size_t j = 0; j < after->count; j++)
			found += is_same(&before->views[i], &after->views[j]);
		assert_int_equal(found, 1);
	}
}

static void catch_up(struct datapath *datapath)
{
	uint32_t missed;

	assert_int_equal(moves_catch_up(datapath, &missed), 0);
	assert_int_equal(missed, 0);
}

static void assert_moved(struct datapath *datapath, const struct list *before)
{
	static struct list after;

	list_all(datapath, &after);
	assert_same(before, &after);
}

/* Connections of both services, whose one backend tells them apart by alias ports. */
static void connect_many(struct scene *scene, uint16_t first)
{
	for (int i = 0; i < KIND_COUNT; i++) {
		for (uint16_t n = 0; n < CLIENT_PORTS / 2; n++) {
			struct blueprint request = request_of(&KINDS[i]);
			struct blueprint other = request_to_other(&KINDS[i]);

			request.src_port = other.src_port = htons((uint16_t)(first + 2 * n));
			scene_play(scene, &request, "SsA");
			scene_play(scene, &other, n % 2 ? "SsA" : "S");
		}
	}
}

/* To one service or, where both are asked for, from every second port to the other. */
static void connect_tcp(struct scene *scene, bool both, const char *letters)
{
	for (int i = 0; i < KIND_COUNT; i++) {
		for (uint16_t n = 0; KINDS[i].protocol == IPPROTO_TCP && n < CLIENT_PORTS; n++) {
			struct blueprint request =
				both && n % 2 ? request_to_other(&KINDS[i]) : request_of(&KINDS[i]);

			request.src_port = htons((uint16_t)(20000 + n));
			scene_play(scene, &request, letters);
		}
	}
}

static struct datapath *open_again(const struct datapath_options *options)
{
	struct datapath *datapath;
	struct refusal refusal;
	bool adopted;

	assert_int_equal(datapath_open(options, &datapath, &adopted, &refusal), 0);
	assert_true(adopted);
	return datapath;
}

static void assert_refused(const struct datapath_options *options, const char *name)
{
	struct datapath *datapath;
	struct refusal refusal;
	bool adopted;

	assert_int_equal(datapath_open(options, &datapath, &adopted, &refusal), -ERANGE);
	assert_non_null(strstr(refusal.text, name));
}

static int count_pins(const char *names)
{
	char pattern[128];
	glob_t found;
	int count;

	snprintf(pattern, sizeof(pattern), "%s/map/%s", chosen.pin_path, names);
	count = glob(pattern, 0, NULL, &found) ? 0 : (int)found.gl_pathc;
	globfree(&found);
	return count;
}

static int open_scene(void **state)
{
	static char path[64];
	int error;

	kept_datapath_forget();
	error = scene_open_changed(state, keep);
	snprintf(path, sizeof(path), "/sys/fs/bpf/lbt-bpf-%d", getpid());
	chosen.pin_path = path;
	return error;
}

static void connections_move_to_a_table_of_another_size(void **state)
{
	static const uint32_t SIZES[] = {3000, 100000, 700, 700};
	static struct list before;
	struct scene *scene = *state;
	struct datapath *datapath;

	offer_one_backend(scene);
	connect_many(scene, 20000);
	list_all(scene->datapath, &before);
	assert_in_range(before.aliases, before.count / 4, before.count / 2);
	for (size_t i = 0; i < sizeof(SIZES) / sizeof(SIZES[0]); i++) {
		chosen.max_connections = SIZES[i];
		datapath = open_again(&chosen);
		assert_int_equal(datapath_is_moving(datapath), i < 3);
		catch_up(datapath);
		catch_up(datapath);
		assert_int_equal(moves_commit(datapath), 0);
		assert_moved(datapath, &before);
		datapath_close(datapath);
		assert_int_equal(count_pins(WAITING), 0);
	}
}

static void what_begins_meanwhile_comes_too(void **state)
{
	static struct list before;
	struct scene *scene = *state;
	struct datapath *datapath;

	offer_one_backend(scene);
	connect_many(scene, 20000);
	chosen.max_connections = 3000;
	datapath = open_again(&chosen);
	catch_up(datapath);
	connect_many(scene, 20001);
	catch_up(datapath);
	list_all(scene->datapath, &before);
	assert_moved(datapath, &before);
	datapath_close(datapath);
}

/* A packet each of what connect_many has made, that tells nothing new of it. */
static void talk_to_all(struct scene *scene, uint16_t first)
{
	for (int i = 0; i < KIND_COUNT; i++) {
		for (uint16_t n = 0; n < CLIENT_PORTS / 2; n++) {
			struct blueprint request = request_of(&KINDS[i]);
			struct blueprint other = request_to_other(&KINDS[i]);

			request.src_port = other.src_port = htons((uint16_t)(first + 2 * n));
			scene_play(scene, &request, "A");
			scene_play(scene, &other, n % 2 ? "A" : "S");
		}
	}
}

/* In the place of our program: what brings connections, and goes on in it. */
static void run_bring(struct datapath *datapath)
{
	const int lb = bpf_program__fd(datapath->skeleton->progs.lb);
	const int bridge = bpf_map__fd(datapath->bridge->maps.bridge);
	const __u32 next = BRIDGE_LB;

	assert_int_equal(bpf_map_update_elem(bridge, &next, &lb, BPF_ANY), 0);
	datapath->skeleton->progs.lb = datapath->bridge->progs.bring;
}

static void packets_bring_their_connections(void **state)
{
	static struct list before;
	struct scene *scene = *state, moved;
	struct datapath *datapath;

	offer_one_backend(scene);
	connect_many(scene, 20000);
	list_all(scene->datapath, &before);
	chosen.max_connections = 3000;
	datapath = open_again(&chosen);
	run_bring(datapath);
	moved = *scene;
	moved.datapath = datapath;
	assert_int_equal(mapping_open(&moved.connections, datapath->skeleton->maps.connections), 0);
	talk_to_all(&moved, 20000);
	assert_moved(datapath, &before);
	catch_up(datapath);
	assert_moved(datapath, &before);
	mapping_close(&moved.connections);
	datapath_close(datapath);
}

/* The table it moves to knows the connection before, which is over: of this service, of another. */
static void a_port_that_is_used_again_meanwhile_is_of_the_newer_connection(void **state)
{
	static struct list before;
	struct scene *scene = *state;
	struct datapath *datapath;

	offer_one_backend(scene);
	connect_tcp(scene, true, "SsAFfA");
	chosen.max_connections = 3000;
	datapath = open_again(&chosen);
	catch_up(datapath);
	usleep(20000); /* some jiffies */
	connect_tcp(scene, false, "SsA");
	catch_up(datapath);
	list_all(scene->datapath, &before);
	assert_moved(datapath, &before);
	datapath_close(datapath);
}

/* The next one finds what was there; what was about to take its place ends with the one after. */
static void who_ends_before_the_end_has_changed_nothing(void **state)
{
	static struct list before;
	struct scene *scene = *state;
	const struct datapath_options first = chosen;
	struct datapath_options options = chosen;
	struct datapath *datapath;

	offer_one_backend(scene);
	connect_many(scene, 20000);
	list_all(scene->datapath, &before);
	options.max_connections = 3000;
	options.max_services = 20;
	for (int turn = 0; turn < 2; turn++) {
		datapath = open_again(&options);
		catch_up(datapath);
		assert_moved(datapath, &before);
		datapath_close(datapath);
		assert_true(count_pins(WAITING) > 0);
	}
	datapath = open_again(&first);
	assert_false(datapath_is_moving(datapath));
	assert_moved(datapath, &before);
	assert_int_equal(count_pins(BRIDGES), 2); /* of both, since either may be on links */
	datapath_end_move(datapath);
	assert_int_equal(count_pins(BRIDGES), 0);
	datapath_close(datapath);
	assert_int_equal(count_pins(WAITING), 0);
}

static void too_few_are_refused_by_name(void **state)
{
	struct scene *scene = *state;
	struct datapath_options options;

	offer_one_backend(scene);
	options = chosen;
	options.max_backends = 1;
	assert_refused(&options, "--max-backends");
	options = chosen;
	options.max_services = 1;
	assert_refused(&options, "--max-services");
}

#define MOVE(test)                                                                                 \
	cmocka_unit_test_prestate_setup_teardown(test, open_scene, scene_close, &many_connections)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MOVE(connections_move_to_a_table_of_another_size),
		MOVE(what_begins_meanwhile_comes_too),
		MOVE(packets_bring_their_connections),
		MOVE(a_port_that_is_used_again_meanwhile_is_of_the_newer_connection),
		MOVE(who_ends_before_the_end_has_changed_nothing),
		MOVE(too_few_are_refused_by_name),
	};

	cmocka_set_test_filter(getenv("LBT_ONLY"));
	return cmocka_run_group_tests(tests, network_make, NULL);
}
