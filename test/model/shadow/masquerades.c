/*
 * What the datapath knows of masqueraded connections, as the model has it: see shadow.h.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include "test/model/shadow/shadow.h"

static void read_sources(const struct datapath *datapath, struct model *model)
{
	const int map = bpf_map__fd(datapath->skeleton->maps.masquerade_sources);

	for (uint32_t i = 0; i < MODEL_PORTS; i++)
		bpf_map_lookup_elem(map, &i, &model->sources[i]);
}

static uint32_t index_of(const struct datapath *datapath, uint32_t handle)
{
	const uint32_t index = handle & BACKEND_INDEX_MASK;
	struct backend_record record;

	datapath_get_backend(datapath, index, &record);
	return record.handle == handle ? index : MODEL_NONE;
}

static void add_claim(const struct datapath *datapath, const struct flow *reply,
		      const struct masquerade_record *element, struct model *model)
{
	struct masquerade_record request;
	const bool is_whole = masquerades_find(datapath, &element->other, &request) &&
			      !memcmp(&request.other, reply, sizeof(*reply));

	model->claims[model->claim_count++] = (struct model_claim){
		.request = element->other,
		.reply = *reply,
		.backend = index_of(datapath, element->backend),
		.is_alone = !is_whole,
	};
}

bool shadow_read_masquerades(const struct datapath *datapath, struct model *model)
{
	const int map = bpf_map__fd(datapath->skeleton->maps.masquerades);
	struct flow key, *last = NULL, next;
	struct masquerade_record element;

	memcpy(&model->masquerade_ports,
	       (const void *)&datapath->skeleton->rodata->masquerade_ports,
	       sizeof(model->masquerade_ports));
	model->masquerade_room = bpf_map__max_entries(datapath->skeleton->maps.masquerades);
	read_sources(datapath, model);
	for (; !bpf_map_get_next_key(map, last, &next); last = &key) {
		key = next;
		if (bpf_map_lookup_elem(map, &key, &element) ||
		    element.direction == DIRECTION_REQUEST)
			continue;
		if (model->claim_count == MODEL_CLAIMS)
			return false;
		add_claim(datapath, &key, &element, model);
	}
	return true;
}
