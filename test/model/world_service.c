/*
 * Services in the datapath: see world.h.
 */
#include <arpa/inet.h>
#include <string.h>
#include "lb/encode.h"
#include "lb/slots.h"
#include "test/model/world.h"

static int put_destination(void *context, const struct address *address, uint32_t slot)
{
	const enum family family = address_is_ipv4(address) ? IPV4 : IPV6;
	const enum station station = station_at(address);
	struct world *world = context;

	world->nexthops[station][family] = slot;
	world_move(world, station, world->location[station]);
	return 0;
}

static void drop_destination(void *context, const struct address *address, uint32_t slot)
{
	(void)slot;
	put_destination(context, address, 0);
}

int world_open_room(struct world *world)
{
	const struct room_size size = {
		.services = datapath_capacity_services(world->scene->datapath),
		.backends = datapath_capacity_backends(world->scene->datapath),
		.rings = datapath_capacity_rings(world->scene->datapath),
	};
	const struct destination_hooks hooks = {
		.context = world,
		.added = put_destination,
		.removed = drop_destination,
	};

	return room_init(&world->room, &size, &hooks);
}

void world_close_room(struct world *world)
{
	room_finish(&world->room);
}

static void settle(struct room *room)
{
	slots_settle(room->services);
	slots_settle(room->backends);
	slots_settle(room->rings);
	destinations_settle(room->destinations);
}

static struct service_key key_of(const struct op_service *service)
{
	return (struct service_key){
		.address = station_address(service->station, service->family),
		.port = htons(service->port),
		.protocol = service->protocol,
		.scope = (__u8)service->scope,
	};
}

struct prefix world_prefix(const struct op_prefix *prefix)
{
	const uint8_t length = (uint8_t)(prefix->length + (prefix->family == IPV4 ? 96 : 0));
	struct prefix result = {.length = length < 128 ? length : 128};
	const struct address address = station_address(prefix->station, prefix->family);

	for (int bit = 0; bit < result.length; bit++)
		((uint8_t *)&result.address)[bit / 8] |=
			((const uint8_t *)&address)[bit / 8] & (uint8_t)(0x80 >> bit % 8);
	return result;
}

/* What cannot be (a backend twice, a range of the other family) is left out. */
static struct service *service_of(const struct op_offer *offer)
{
	const struct service_key key = key_of(&offer->service);
	struct service *service = service_new(&key);
	struct refusal refusal;

	assert_non_null(service);
	service->algorithm = offer->algorithm;
	service->has_inside = offer->has_inside && !key.scope;
	service->drops_unserved = offer->drops_unserved;
	service->masquerade = offer->masquerade;
	service->affinity_seconds = offer->affinity_seconds;
	for (uint32_t i = 0; i < offer->backend_count; i++) {
		const struct op_backend *wanted = &offer->backends[i];
		const struct backend backend = {
			.address = station_address(wanted->station, offer->service.family),
			.port = htons(wanted->port),
			.weight = wanted->weight,
			.state = wanted->state,
			.is_remote = wanted->is_remote,
		};

		service_add_backend(service, &backend, &refusal);
	}
	for (uint32_t i = 0; i < offer->range_count; i++) {
		const struct prefix range = world_prefix(&offer->ranges[i]);

		service_add_source_range(service, &range, &refusal);
	}
	return service;
}

/* NULL after: it goes. False: it does not fit, and nothing has changed. */
static bool replace(struct world *world, struct world_service *held, struct service *after)
{
	struct refusal refusal;
	struct plan plan;

	plan_init(&plan, &world->room);
	if (plan_add(&plan, held->service, held->placement, after, &refusal)) {
		plan_finish(&plan);
		return false;
	}
	assert_int_equal(plan_apply(&plan, world->scene->datapath), 0);
	service_free(held->service);
	held->service = after;
	held->placement = plan.steps[0].after_placement;
	plan_finish(&plan);
	settle(&world->room);
	return true;
}

/* By key, else a free one; MODEL_NONE where there is none. */
static uint32_t find_service(struct world *world, const struct service_key *key)
{
	uint32_t found = MODEL_NONE;

	for (uint32_t i = 0; i < MODEL_SERVICES; i++) {
		const struct model_service *service = &world->model.services[i];

		if (!service->is_used)
			found = found == MODEL_NONE ? i : found;
		else if (!memcmp(&service->key, key, sizeof(*key)))
			return i;
	}
	return found;
}

void world_offer(struct world *world, const struct op_offer *offer, struct difference *difference)
{
	const struct service_key key = key_of(&offer->service);
	const uint32_t index = find_service(world, &key);
	struct service *wanted = service_of(offer);

	if (index == MODEL_NONE || encode_ring_length(wanted) > MODEL_RING ||
	    world->model.backend_count + OP_BACKENDS > WORLD_BACKENDS ||
	    !replace(world, &world->services[index], wanted)) {
		service_free(wanted);
		return;
	}
	world->has_affinity |= offer->affinity_seconds;
	world_tell_model(world, index, difference);
}

void world_withdraw(struct world *world, const struct op_service *service,
		    struct difference *difference)
{
	const struct service_key key = key_of(service);
	const uint32_t index = find_service(world, &key);
	struct model_service *told = &world->model.services[index];

	if (index == MODEL_NONE || !told->is_used)
		return;
	world_compare_service(world, index, difference);
	assert_true(replace(world, &world->services[index], NULL));
	model_retire_backends(&world->model, told, NULL);
	told->is_used = false;
}

void world_withdraw_all(struct world *world)
{
	for (uint32_t i = 0; i < MODEL_SERVICES; i++) {
		if (!world->model.services[i].is_used)
			continue;
		assert_true(replace(world, &world->services[i], NULL));
		world->model.services[i].is_used = false;
	}
}
