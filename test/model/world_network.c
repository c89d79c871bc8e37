/*
 * Prefixes in the datapath and in the model: those that are denied, and whose others are. See
 * world.h.
 */
#include <string.h>
#include "test/model/world.h"

struct model_prefix model_prefix_of(const struct prefix *prefix)
{
	return (struct model_prefix){
		.address = prefix->address,
		.length = prefix->length,
		.is_ipv4 = prefix_is_ipv4(prefix),
	};
}

static bool is_same(const struct model_prefix *a, const struct model_prefix *b)
{
	return a->length == b->length && a->is_ipv4 == b->is_ipv4 &&
	       address_equal(&a->address, &b->address);
}

static uint32_t find_denied(const struct model *model, const struct model_prefix *prefix)
{
	uint32_t i = 0;

	while (i < model->denied_count && !is_same(&model->denied[i], prefix))
		i++;
	return i;
}

/* Prefixes count by their place, which starts with 1. */
void world_deny(struct world *world, const struct op_prefix *op)
{
	const struct prefix prefix = world_prefix(op);
	const struct model_prefix wanted = model_prefix_of(&prefix);
	struct model *model = &world->model;
	const uint32_t place = model->denied_count;

	if (place == MODEL_PREFIXES || find_denied(model, &wanted) != place)
		return;
	assert_int_equal(datapath_deny(world->scene->datapath, &prefix, place + 1), 0);
	model->denied[place] = wanted;
	model->denied_counters[place] = (struct counter){};
	model->denied_count++;
}

/* The last one, so that the others keep their places. */
void world_allow(struct world *world)
{
	struct model *model = &world->model;
	struct prefix prefix;

	if (!model->denied_count)
		return;
	model->denied_count--;
	prefix = (struct prefix){
		.address = model->denied[model->denied_count].address,
		.length = model->denied[model->denied_count].length,
	};
	assert_int_equal(datapath_allow(world->scene->datapath, &prefix), 0);
}

/* NETWORK_NONE: nobody's any more, unless a shorter prefix says whose. */
void world_set_network(struct world *world, const struct op_prefix *op, enum network network)
{
	const struct prefix prefix = world_prefix(op);
	const struct model_prefix wanted = model_prefix_of(&prefix);
	struct model *model = &world->model;
	uint32_t i = 0;

	while (i < model->network_count && !is_same(&model->networks[i].prefix, &wanted))
		i++;
	if (i == MODEL_NETWORKS)
		return;
	assert_int_equal(datapath_set_network(world->scene->datapath, &prefix, network), 0);
	if (network == NETWORK_NONE && i < model->network_count)
		model->networks[i] = model->networks[--model->network_count];
	if (network == NETWORK_NONE)
		return;
	model->networks[i] = (struct model_network){.prefix = wanted, .network = network};
	model->network_count += i == model->network_count;
}

void world_forget_networks(struct world *world)
{
	struct model *model = &world->model;

	while (model->network_count) {
		const struct model_prefix *prefix = &model->networks[--model->network_count].prefix;
		const struct prefix gone = {.address = prefix->address, .length = prefix->length};

		assert_int_equal(datapath_set_network(world->scene->datapath, &gone, NETWORK_NONE),
				 0);
	}
}
