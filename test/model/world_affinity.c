/*
 * Time for the notes of where clients went: see world.h.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include "test/model/world.h"

/* Of a service that is gone it may be another's by now, or nobody's. */
static struct affinity_key key_of(const struct world *world, const struct model_note *note)
{
	const struct world_service *held = &world->services[note->service];

	return (struct affinity_key){
		.client = note->client,
		.service = held->placement ? held->placement->service : 0,
	};
}

void world_pass_affinity(struct world *world, uint32_t seconds)
{
	const struct datapath *datapath = world->scene->datapath;
	const int map = bpf_map__fd(datapath->skeleton->maps.affinity);

	for (uint32_t i = 0; i < world->model.note_count; i++) {
		const struct affinity_key key = key_of(world, &world->model.notes[i]);
		union affinity note;

		if (bpf_map_lookup_elem(map, &key, &note))
			continue;
		note.last -= seconds * datapath->jiffies_per_second;
		assert_int_equal(bpf_map_update_elem(map, &key, &note, BPF_EXIST), 0);
	}
}

/* Notes of an earlier sequence may lead somewhere when a handle comes again (include/abi.h). */
void world_forget_affinity(struct world *world)
{
	static struct affinity_key keys[MAX_SCENE_AFFINITY];
	static union affinity notes[MAX_SCENE_AFFINITY];
	const int map = bpf_map__fd(world->scene->datapath->skeleton->maps.affinity);
	__u32 position, count = MAX_SCENE_AFFINITY;

	if (!world->has_affinity)
		return;
	world->has_affinity = false;
	if (bpf_map_lookup_and_delete_batch(map, NULL, &position, keys, notes, &count, NULL))
		assert_int_equal(errno, ENOENT);
}
