/*
 * Fills a datapath: see world.h.
 */
#include "test/bench/world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "include/connection.h"
#include "lb/datapath_internal.h"
#include "lb/plan.h"
#include "lb/traffic.h"
#include "test/bench/world_internal.h"
#include "test/bench/wrapper.h"
#include "test/bpf/network.h"

#define PIN_PATH "/sys/fs/bpf/lbb-%d-%u" /* in a mount namespace of our own */
#define IDLE_SECONDS 36000               /* nothing expires while it is measured */
#define PORT_MTU 1500
#define SEED 0x123456789abcdef1 /* runs are to be like each other */

struct world {
	struct datapath *datapath;
	struct room room;
	struct plan plan;
	struct service **services;
	uint32_t service_count;
};

struct datapath *world_datapath(const struct world *world)
{
	return world->datapath;
}

int world_program(const struct world *world)
{
	return bpf_program__fd(world->datapath->skeleton->progs.lb);
}

__be16 world_alias_port(__be16 port)
{
	return connection_other_port(SEED, 1, port);
}

static int open_datapath(struct world *world, const struct world_options *options)
{
	static unsigned int number; /* worlds of one process share nothing */
	struct datapath_options wanted = {
		.max_services = options->services + EXTRA_SERVICES,
		.max_backends = options->services * BACKENDS_PER_SERVICE + EXTRA_BACKENDS,
		.max_connections = options->connections,
		.max_affinity = 1024,
		.max_masquerades = 8192,
		.max_fragments = 8192,
		.tcp_opening_seconds = IDLE_SECONDS,
		.tcp_established_seconds = IDLE_SECONDS,
		.tcp_closing_seconds = IDLE_SECONDS,
		.tcp_closed_seconds = IDLE_SECONDS,
		.udp_seconds = IDLE_SECONDS,
		.metadata = options->metadata,
		.refuse = options->answers ? REFUSE_ANSWER : REFUSE_DROP,
		.max_new_connections = options->max_new_connections,
		.seed = SEED,
	};
	struct refusal refusal;
	char path[64];
	bool adopted;
	int error;

	snprintf(path, sizeof(path), PIN_PATH, getpid(), number++);
	wanted.pin_path = path;
	address_parse("169.254.42.1", &wanted.hairpin.ipv4);
	address_parse("fd6c:6264::1", &wanted.hairpin.ipv6);
	error = datapath_open(&wanted, &world->datapath, &adopted, &refusal);
	if (error)
		fprintf(stderr, "cannot open the datapath: %s\n", refusal.text);
	return error;
}

static int set_port(struct world *world, enum interface interface)
{
	struct port port = {.ifindex = network_ifindex(interface), .mtu = PORT_MTU};

	memcpy(port.mac, interface_mac(interface), sizeof(port.mac));
	return datapath_set_port(world->datapath, interface, &port);
}

static int resolve(void *context, const struct address *address, uint32_t slot)
{
	struct nexthop hop = {.port = POD};
	struct world *world = context;

	(void)address;
	memcpy(hop.mac, role_mac(BACKEND_A), sizeof(hop.mac));
	datapath_set_nexthop(world->datapath, slot, &hop);
	return 0;
}

static void forget(void *context, const struct address *address, uint32_t slot)
{
	(void)context;
	(void)address;
	(void)slot;
}

static int open_room(struct world *world)
{
	const struct room_size size = {
		.services = datapath_capacity_services(world->datapath),
		.backends = datapath_capacity_backends(world->datapath),
		.rings = datapath_capacity_rings(world->datapath),
	};
	const struct destination_hooks hooks = {
		.context = world,
		.added = resolve,
		.removed = forget,
	};

	return room_init(&world->room, &size, &hooks);
}

static int add_service(struct world *world, const struct kind *kind, enum service_shape shape,
		       uint32_t number)
{
	struct service *service = world_make_service(kind, shape, number);
	struct refusal refusal;

	if (!service)
		return -ENOMEM;
	world->services[world->service_count++] = service;
	return plan_add(&world->plan, NULL, NULL, service, &refusal);
}

static int add_services(struct world *world, uint32_t count)
{
	int error = 0;

	world->services = calloc(count + EXTRA_SERVICES, sizeof(struct service *));
	if (!world->services)
		return -ENOMEM;
	for (int i = 0; !error && i < WORLD_KIND_COUNT * _SERVICE_SHAPE_COUNT; i++)
		error = add_service(world, &WORLD_KINDS[i / _SERVICE_SHAPE_COUNT],
				    (enum service_shape)(i % _SERVICE_SHAPE_COUNT), 0);
	for (uint32_t number = 1; !error && number < count; number++)
		error = add_service(world, &WORLD_KINDS[0], SERVICE_FIVE, number);
	return error ? error : plan_apply(&world->plan, world->datapath);
}

/* The service of that index, now `after`, which becomes the world's. */
static int change_service(struct world *world, size_t index, struct service *after)
{
	struct plan_step *step = &world->plan.steps[index];
	struct refusal refusal;
	struct plan change;
	int error;

	plan_init(&change, &world->room);
	error = plan_add(&change, step->after, step->after_placement, after, &refusal);
	if (!error)
		error = plan_apply(&change, world->datapath);
	if (!error) {
		step->after = after;
		step->after_placement = change.steps[0].after_placement;
		service_free(world->services[index]);
		world->services[index] = after;
	}
	plan_finish(&change);
	return error;
}

int world_set_backends(struct world *world, const struct kind *kind, enum service_shape shape,
		       enum backend_state state)
{
	const size_t index = (size_t)(kind - WORLD_KINDS) * _SERVICE_SHAPE_COUNT + shape;
	struct service *after = service_clone(world->services[index]);
	int error = after ? 0 : -ENOMEM;

	for (size_t i = 0; !error && i < after->backend_count; i++)
		after->backends[i].state = state;
	if (!error)
		error = change_service(world, index, after);
	if (error)
		service_free(after);
	return error;
}

int world_deny(struct world *world, uint32_t prefixes)
{
	int error = 0;

	for (uint32_t i = 0; !error && i < _FAMILY_COUNT * prefixes; i++) {
		const struct prefix prefix = {
			.address = world_numbered(i % _FAMILY_COUNT ? IPV6 : IPV4, "0.0.0.0",
						  "2001:db8::", SUSPECT(i / _FAMILY_COUNT)),
			.length = 128 - 8,
		};

		error = datapath_deny(world->datapath, &prefix, i + 1);
	}
	return error;
}

struct world *world_open(const struct world_options *options)
{
	struct world *world = calloc(1, sizeof(*world));
	int error = world ? 0 : -ENOMEM;

	if (!error)
		error = open_datapath(world, options);
	if (!error)
		error = open_room(world);
	if (!error) {
		plan_init(&world->plan, &world->room);
		error = add_services(world, options->services);
	}
	if (!error)
		error = set_port(world, UPLINK);
	if (!error)
		error = set_port(world, POD);
	if (!error)
		error = world_deny(world, options->denied);
	if (!error)
		return world;
	fprintf(stderr, "cannot make a world of %u services: %s\n", options->services,
		strerror(-error));
	world_close(world);
	return NULL;
}

void world_traffic(const struct world *world, uint32_t service, struct traffic_counter *counter)
{
	for (size_t i = 0; i < world->plan.count; i++) {
		const struct placement *placement = world->plan.steps[i].after_placement;

		if (placement->service == service)
			traffic_of_service(world->datapath, placement, counter);
	}
}

void world_close(struct world *world)
{
	if (!world)
		return;
	for (size_t i = 0; i < world->plan.count; i++)
		if (world->plan.applied)
			free(world->plan.steps[i].after_placement);
	if (world->plan.room)
		plan_finish(&world->plan);
	for (uint32_t i = 0; i < world->service_count; i++)
		service_free(world->services[i]);
	free(world->services);
	if (world->room.services)
		room_finish(&world->room);
	datapath_close(world->datapath);
	free(world);
}
