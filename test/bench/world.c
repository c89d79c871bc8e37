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
#include "lb/datapath_internal.h"
#include "lb/plan.h"
#include "lb/traffic.h"
#include "test/bpf/network.h"

#define PIN_PATH "/sys/fs/bpf/lbb-%d-%u" /* in a mount namespace of our own */
#define EXTRA_SERVICES 16                /* of number 0, of each kind */
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

static struct address numbered(enum family family, const char *ipv4, const char *ipv6,
			       uint32_t number)
{
	struct address address = {};

	address_parse(family == IPV6 ? ipv6 : ipv4, &address);
	address.word[3] = htonl(ntohl(address.word[3]) + number);
	return address;
}

struct service_key world_service(const struct kind *kind, enum service_kind which, uint32_t number)
{
	return (struct service_key){
		.address = numbered(kind->family, "10.96.0.0", "fd00:96::", number),
		.port = htons((uint16_t)(80 + which)),
		.protocol = kind->protocol,
	};
}

uint32_t world_backend_count(enum service_kind which)
{
	if (which == SERVICE_EMPTY)
		return 0;
	return which == SERVICE_SINGLE ? 1 : BACKENDS_PER_SERVICE;
}

struct address world_backend(const struct kind *kind, uint32_t number)
{
	return numbered(kind->family, "10.128.0.0", "fd00:128::", number);
}

__be16 world_backend_port(enum service_kind which)
{
	return htons((uint16_t)(8080 + which));
}

struct datapath *world_datapath(const struct world *world)
{
	return world->datapath;
}

int world_program(const struct world *world)
{
	return bpf_program__fd(world->datapath->skeleton->progs.lb);
}

static int open_datapath(struct world *world, const struct world_options *options)
{
	static unsigned int number; /* worlds of one process share nothing */
	struct datapath_options wanted = {
		.max_services = options->services + EXTRA_SERVICES,
		.max_backends = (options->services + EXTRA_SERVICES) * BACKENDS_PER_SERVICE,
		.max_connections = options->connections,
		.tcp_opening_seconds = IDLE_SECONDS,
		.tcp_established_seconds = IDLE_SECONDS,
		.tcp_closing_seconds = IDLE_SECONDS,
		.tcp_closed_seconds = IDLE_SECONDS,
		.udp_seconds = IDLE_SECONDS,
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

static void resolve(void *context, const struct address *address, uint32_t slot)
{
	struct nexthop hop = {.port = POD};
	struct world *world = context;

	(void)address;
	memcpy(hop.mac, role_mac(BACKEND_A), sizeof(hop.mac));
	datapath_set_nexthop(world->datapath, slot, &hop);
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

static int add_service(struct world *world, const struct kind *kind, enum service_kind which,
		       uint32_t number)
{
	const struct service_key key = world_service(kind, which, number);
	struct service *service = service_new(&key);
	struct refusal refusal;
	int error = 0;

	if (!service)
		return -ENOMEM;
	world->services[world->service_count++] = service;
	for (uint32_t i = 0; !error && i < world_backend_count(which); i++) {
		const struct backend backend = {
			.address = world_backend(kind, number * BACKENDS_PER_SERVICE + i),
			.port = world_backend_port(which),
			.weight = 1,
			.state = BACKEND_ACTIVE,
		};

		error = service_add_backend(service, &backend, &refusal);
	}
	return error ? error : plan_add(&world->plan, NULL, NULL, service, &refusal);
}

static int add_services(struct world *world, uint32_t count)
{
	int error = 0;

	world->services = calloc(count + EXTRA_SERVICES, sizeof(struct service *));
	if (!world->services)
		return -ENOMEM;
	for (int i = 0; !error && i < KIND_COUNT; i++) {
		error = add_service(world, &KINDS[i], SERVICE_FIVE, 0);
		if (!error)
			error = add_service(world, &KINDS[i], SERVICE_SINGLE, 0);
		if (!error)
			error = add_service(world, &KINDS[i], SERVICE_EMPTY, 0);
	}
	for (uint32_t number = 1; !error && number < count; number++)
		error = add_service(world, &KINDS[0], SERVICE_FIVE, number);
	return error ? error : plan_apply(&world->plan, world->datapath);
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
