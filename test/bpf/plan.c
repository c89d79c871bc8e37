/*
 * A change that fails when its ring is written: what was in force is so still. Brings its own
 * bpf_map_update_elem, to fail where source ranges are added.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include "lb/datapath_audit.h"
#include "lb/maglev.h"
#include "lb/slots.h"
#include "test/bpf/scene.h"

static int failing_map = -1;

int bpf_map_update_elem(int map, const void *key, const void *value, __u64 flags)
{
	int (*real)(int map, const void *key, const void *value, __u64 flags);

	if (map == failing_map) {
		errno = ENOSPC;
		return -ENOSPC;
	}
	*(void **)&real = dlsym(RTLD_NEXT, "bpf_map_update_elem");
	return real(map, key, value, flags);
}

/* The one service that is offered, with BACKEND_B alone and for few. */
static struct service *wanted_of(const struct scene *scene, const struct kind *kind)
{
	struct service *service = service_new(&scene->offered[0].service->key);
	const struct backend backend = {
		.address = role_address(BACKEND_B, kind->family),
		.port = scene->offered[0].service->backends[0].port,
		.weight = 1,
		.state = BACKEND_ACTIVE,
	};
	struct refusal refusal;
	struct prefix range;

	assert_non_null(service);
	assert_int_equal(service_add_backend(service, &backend, &refusal), 0);
	assert_int_equal(prefix_parse(kind->family == IPV6 ? "2001:db8::/32" : "192.0.2.0/24",
				      &range, &refusal),
			 0);
	assert_int_equal(service_add_source_range(service, &range, &refusal), 0);
	return service;
}

/* in_place: as where there is no room for two rings. */
static void change_in_vain(struct scene *scene, const struct kind *kind, bool in_place)
{
	const struct offered *offered = &scene->offered[0];
	struct service *after = wanted_of(scene, kind);
	struct refusal refusal;
	struct plan plan;

	plan_init(&plan, &scene->room);
	assert_int_equal(plan_add(&plan, offered->service, offered->placement, after, &refusal), 0);
	if (in_place)
		plan_make_do(&plan);
	failing_map = bpf_map__fd(scene->datapath->skeleton->maps.source_ranges);
	assert_int_equal(plan_apply(&plan, scene->datapath), -ENOSPC);
	failing_map = -1;
	assert_true(plan.steps[0].failed);
	plan_finish(&plan);
	slots_settle(scene->room.rings);
	service_free(after);
}

static struct service_record record_of(struct scene *scene)
{
	struct service_record record;

	assert_int_equal(
		datapath_find_service(scene->datapath, &scene->offered[0].service->key, &record),
		0);
	return record;
}

static void a_previous_ring_that_was_written_over_is_forgotten(void **state)
{
	struct scene *scene = *state;
	const uint32_t taken = slots_taken(scene->room.rings);
	struct service_record before, after;

	for (int i = 0; i < KIND_COUNT; i++) {
		scene_offer(scene, &KINDS[i], &ONLY_A);
		scene_offer(scene, &KINDS[i], &BOTH);
		before = record_of(scene);
		assert_true(before.previous.length);
		change_in_vain(scene, &KINDS[i], false);
		after = record_of(scene);
		assert_int_equal(after.previous.length, 0);
		assert_int_equal(scene->offered[0].placement->previous.length, 0);
		assert_memory_equal(&after.ring, &before.ring, sizeof(before.ring));
		assert_int_equal(slots_taken(scene->room.rings), taken + 1);
		scene_withdraw(scene, &KINDS[i]);
		assert_int_equal(slots_taken(scene->room.rings), taken);
	}
}

static void a_previous_ring_elsewhere_is_kept(void **state)
{
	struct scene *scene = *state;
	struct service_record before, after;

	scene_offer(scene, &KINDS[0], &BOTH);
	before = record_of(scene);
	change_in_vain(scene, &KINDS[0], false);
	after = record_of(scene);
	assert_memory_equal(&after, &before, sizeof(before));
}

static void a_ring_that_was_written_in_place_is_written_again(void **state)
{
	static uint32_t slots[RING_LENGTH_MAX];
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		const uint32_t *found;
		struct ring ring;

		scene_offer(scene, &KINDS[i], &BOTH);
		ring = record_of(scene).ring;
		found = datapath_view_ring(scene->datapath, ring.offset, ring.length);
		assert_non_null(found);
		memcpy(slots, found, ring.length * sizeof(*slots));
		change_in_vain(scene, &KINDS[i], true);
		found = datapath_view_ring(scene->datapath, ring.offset, ring.length);
		assert_memory_equal(slots, found, ring.length * sizeof(*slots));
		scene_withdraw(scene, &KINDS[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(a_previous_ring_that_was_written_over_is_forgotten),
		scene_test(a_previous_ring_elsewhere_is_kept),
		scene_test(a_ring_that_was_written_in_place_is_written_again),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
