/*
 * Masqueraded connections, in the datapath and in the model: see world.h.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include "test/model/world.h"

#define MOST_KEYS (2 * MODEL_CLAIMS)

bool world_is_own(const struct world *world, const struct address *address)
{
	for (int i = 0; i < OP_PORT_COUNT; i++)
		if (address_equal(&world->model.sources[i].ipv4, address) ||
		    address_equal(&world->model.sources[i].ipv6, address))
			return true;
	return false;
}

/* Clients meet services there, too. */
static void own_sources(struct world *world)
{
	struct address own[OP_PORT_COUNT * 2];
	struct model *model = &world->model;
	size_t count = 0;

	for (int i = 0; i < OP_PORT_COUNT; i++) {
		own[count++] = model->sources[i].ipv4;
		own[count++] = model->sources[i].ipv6;
	}
	assert_int_equal(datapath_set_own_addresses(world->scene->datapath, own, count), 0);
	for (int i = 0; i < MODEL_SERVICES; i++)
		model->services[i].is_own = world_is_own(world, &model->services[i].key.address);
}

void world_set_source(struct world *world, enum interface interface, enum station station)
{
	struct masquerade_source source = {};

	if (station != _STATION_COUNT) {
		source.ipv4 = station_address(station, IPV4);
		source.ipv6 = station_address(station, IPV6);
	}
	assert_int_equal(datapath_set_masquerade_source(world->scene->datapath, interface, &source),
			 0);
	world->model.sources[interface] = source;
	world->has_sources = true;
	own_sources(world);
}

static int map_of(const struct world *world)
{
	return bpf_map__fd(world->scene->datapath->skeleton->maps.masquerades);
}

/* How many there are. */
static uint32_t read_keys(const struct world *world, struct flow keys[MOST_KEYS])
{
	const struct flow *last = NULL;
	uint32_t count = 0;

	while (count < MOST_KEYS && !bpf_map_get_next_key(map_of(world), last, &keys[count]))
		last = &keys[count++];
	return count;
}

void world_pass_masquerades(struct world *world, uint32_t seconds)
{
	static struct flow keys[MOST_KEYS];
	const uint32_t count = world->has_sources ? read_keys(world, keys) : 0;

	for (uint32_t i = 0; i < count; i++) {
		struct masquerade_record element;

		assert_int_equal(bpf_map_lookup_elem(map_of(world), &keys[i], &element), 0);
		element.made -= seconds * world->scene->datapath->jiffies_per_second;
		assert_int_equal(bpf_map_update_elem(map_of(world), &keys[i], &element, BPF_EXIST),
				 0);
	}
}

void world_sweep_masquerades(struct world *world)
{
	struct masquerade_cursor cursor = {};

	if (!world->has_sources)
		return;
	while (datapath_sweep_masquerades(world->scene->datapath, &cursor, MOST_KEYS) > 0)
		;
	model_sweep_claims(&world->model);
}

/* And as if there had never been any, so that packets need not ask. */
void world_forget_masquerades(struct world *world)
{
	static struct flow keys[MOST_KEYS];
	const uint32_t count = world->has_sources ? read_keys(world, keys) : 0;

	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(bpf_map_delete_elem(map_of(world), &keys[i]), 0);
	world->scene->datapath->skeleton->bss->masquerading = 0;
	for (int i = 0; i < OP_PORT_COUNT && world->has_sources; i++)
		world_set_source(world, (enum interface)i, _STATION_COUNT);
	world->has_sources = false;
}

static bool is_same(const struct flow *a, const struct flow *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static bool is_known(const struct model *model, const struct flow *key,
		     const struct masquerade_record *element)
{
	const bool is_request = element->direction == DIRECTION_REQUEST;

	for (uint32_t i = 0; i < model->claim_count; i++) {
		const struct model_claim *claim = &model->claims[i];

		if (is_same(is_request ? &claim->request : &claim->reply, key) &&
		    is_same(is_request ? &claim->reply : &claim->request, &element->other) &&
		    !(is_request && claim->is_alone))
			return true;
	}
	return false;
}

void world_compare_masquerades(struct world *world, struct difference *difference)
{
	static struct flow keys[MOST_KEYS];
	const struct model *model = &world->model;
	const uint32_t count = world->has_sources ? read_keys(world, keys) : 0;
	uint32_t wanted = 0;

	for (uint32_t i = 0; i < model->claim_count; i++)
		wanted += model->claims[i].is_alone ? 1 : 2;
	if (count != wanted)
		difference_say(difference,
			       "%u elements of masqueraded connections, by the model %u", count,
			       wanted);
	for (uint32_t i = 0; i < count; i++) {
		struct masquerade_record element;

		if (bpf_map_lookup_elem(map_of(world), &keys[i], &element) ||
		    !is_known(model, &keys[i], &element))
			difference_say(difference,
				       "an element of a masqueraded connection that the model has "
				       "not");
	}
}
