/*
 * What the model is told of the datapath's tables: see world.h.
 */
#include <string.h>
#include "test/model/world.h"

static void add_traffic(struct traffic_counter *sum, const struct traffic_counter *more)
{
	sum->request.packets += more->request.packets;
	sum->request.bytes += more->request.bytes;
	sum->reply.packets += more->reply.packets;
	sum->reply.bytes += more->reply.bytes;
	sum->connections += more->connections;
}

static bool is_of(const struct model_backend *backend, const struct model_service *service)
{
	return backend->state != BACKEND_NONE &&
	       !memcmp(&backend->service, &service->key, sizeof(service->key));
}

/* Those that `after` (NULL: nothing) does not have are gone; what they carried stays. */
void model_retire_backends(struct model *model, struct model_service *service,
			   const struct service *after)
{
	for (uint32_t i = 0; i < model->backend_count; i++) {
		struct model_backend *backend = &model->backends[i];

		if (!is_of(backend, service) ||
		    (after && service_find_backend(after, &backend->address, backend->port)))
			continue;
		backend->state = BACKEND_NONE;
		add_traffic(&service->retired, &backend->traffic);
	}
}

/* The model's index of a backend of the service; of a new one a new index. */
static uint8_t place_backend(struct model *model, const struct model_service *service,
			     const struct backend *wanted)
{
	uint32_t i = 0;

	for (; i < model->backend_count; i++)
		if (is_of(&model->backends[i], service) &&
		    model->backends[i].port == wanted->port &&
		    address_equal(&model->backends[i].address, &wanted->address))
			break;
	if (i == model->backend_count) {
		model->backend_count++;
		model->backends[i] = (struct model_backend){
			.address = wanted->address,
			.port = wanted->port,
			.service = service->key,
		};
	}
	model->backends[i].weight = wanted->weight;
	model->backends[i].state = wanted->state;
	model->backends[i].is_remote = wanted->is_remote;
	return (uint8_t)i;
}

/* What a ring holds is told by the tables. */
static uint32_t read_ring(const struct world *world, const struct ring *ring,
			  uint8_t slots[MODEL_RING])
{
	const uint32_t *table = world->rings.memory;

	for (uint32_t slot = 0; slot < ring->length; slot++)
		slots[slot] = world->of_index[table[ring->offset + slot]];
	return ring->length;
}

/* It is for new connections. */
static void check_ring(const struct model *model, const struct model_service *service,
		       struct difference *difference)
{
	for (uint32_t slot = 0; slot < service->ring_length; slot++) {
		const struct model_backend *backend = &model->backends[service->ring[slot]];

		if (backend->state != BACKEND_ACTIVE || !backend->weight ||
		    memcmp(&backend->service, &service->key, sizeof(service->key)) != 0)
			difference_say(difference, "slot %u of a ring leads nowhere", slot);
	}
}

void world_tell_model(struct world *world, uint32_t index, struct difference *difference)
{
	const struct world_service *held = &world->services[index];
	struct model_service *service = &world->model.services[index];
	const struct service *wanted = held->service;

	if (!service->is_used) {
		service->turns = 0;
		service->refused = (struct counter){};
		service->retired = (struct traffic_counter){};
	}
	service->is_used = true;
	service->key = wanted->key;
	service->is_own = world_is_own(world, &service->key.address);
	service->algorithm = wanted->algorithm;
	service->has_inside = wanted->has_inside;
	service->drops_unserved = wanted->drops_unserved;
	service->masquerades[NETWORK_NONE] = wanted->masquerade != MASQUERADE_NONE;
	service->masquerades[NETWORK_CLUSTER] = wanted->masquerade == MASQUERADE_OTHERS;
	service->affinity_seconds = wanted->affinity_seconds;
	service->range_count = (uint32_t)wanted->source_range_count;
	for (uint32_t i = 0; i < service->range_count; i++)
		service->ranges[i] = model_prefix_of(&wanted->source_ranges[i]);
	model_retire_backends(&world->model, service, wanted);
	for (size_t i = 0; i < wanted->backend_count; i++)
		world->of_index[held->placement->places[i].backend] =
			place_backend(&world->model, service, &wanted->backends[i]);
	service->ring_length = read_ring(world, &held->placement->ring, service->ring);
	service->previous_length = read_ring(world, &held->placement->previous, service->previous);
	check_ring(&world->model, service, difference);
}
