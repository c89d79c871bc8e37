/*
 * A world to measure in: a loaded datapath whose tables were filled by the plan that lbd uses, with
 * so many services and room for so many connections. Addresses follow from numbers.
 *
 * Number n of each kind: a service at port 80 with five backends. Number 0 of each kind has two
 * neighbours: one at port 81 with a single backend, one at port 82 with none.
 */
#pragma once

#include <stdint.h>
#include "lb/datapath.h"
#include "test/bpf/cast.h"

#define BACKENDS_PER_SERVICE 5

enum service_kind {
	SERVICE_FIVE,   /* five backends */
	SERVICE_SINGLE, /* one: whose replies are known beforehand */
	SERVICE_EMPTY,  /* none */
};

struct world_options {
	uint32_t services; /* of five backends, TCP over IPv4; other kinds have one */
	uint32_t connections;
};

struct world;

/* Opens and fills; the process must be in network_make's namespaces. NULL: said on stderr why. */
struct world *world_open(const struct world_options *options);
void world_close(struct world *world);

struct datapath *world_datapath(const struct world *world);
int world_program(const struct world *world); /* fd */

struct service_key world_service(const struct kind *kind, enum service_kind which, uint32_t number);
uint32_t world_backend_count(enum service_kind which);
/* The address and port of a backend of number 0. */
struct address world_backend(const struct kind *kind, uint32_t number);
__be16 world_backend_port(enum service_kind which);

/* What a service has carried, by its id. */
void world_traffic(const struct world *world, uint32_t service, struct traffic_counter *counter);
