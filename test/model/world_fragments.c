/*
 * Forgets what first fragments have told the datapath, and what came before them: see world.h.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include "test/model/world.h"

static void forget(void *context, const struct early_fragment *early)
{
	(void)context;
	(void)early;
}

/* In the place of lbd, so that there is room for those of the next sequence. */
static void take_early(struct world *world)
{
	assert_int_equal(datapath_take_events(world->scene->datapath, UINT32_MAX, forget, NULL), 0);
}

/* Before the model has: it notes all of them. Those of an earlier sequence have the same numbers.
 */
void world_forget_fragments(struct world *world)
{
	static struct fragment_key keys[MAX_SCENE_FRAGMENTS];
	static struct fragment fragments[MAX_SCENE_FRAGMENTS];
	const int map = bpf_map__fd(world->scene->datapath->skeleton->maps.fragments);
	__u32 position, count = MAX_SCENE_FRAGMENTS;

	take_early(world);
	if (world->model.fragment_count &&
	    bpf_map_lookup_and_delete_batch(map, NULL, &position, keys, fragments, &count, NULL))
		assert_int_equal(errno, ENOENT);
}
