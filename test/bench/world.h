/*
 * A world to measure in: a loaded datapath whose tables were filled by the plan that lbd uses, with
 * so many services and room for so many connections. Addresses follow from numbers.
 *
 * Number n of each kind: a service at port 80 with five backends. Number 0 of each kind has
 * neighbours, one of each other shape, at the ports that follow.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "lb/datapath.h"
#include "test/bpf/cast.h"

#define BACKENDS_PER_SERVICE 5
#define UNSERVED_PORT 79 /* at none of the addresses */

enum service_shape {
	SERVICE_FIVE,     /* five backends */
	SERVICE_SINGLE,   /* one: whose replies are known beforehand */
	SERVICE_EMPTY,    /* none */
	SERVICE_THOUSAND, /* a thousand */
	/* Five backends and … */
	SERVICE_RANDOM,
	SERVICE_ROUND_ROBIN,
	SERVICE_SOURCE_HASH,
	SERVICE_AFFINE, /* clients come back to their backends */
	SERVICE_RANGED, /* as many source ranges as one may have, the clients in one of them */
	SERVICE_CLOSED, /* the same, the clients in none */
	SERVICE_TWIN,   /* of the backend of SERVICE_SINGLE */
	SERVICE_LOST,   /* one, which goes while its connections are known */
	_SERVICE_SHAPE_COUNT,
};

/* Those of the cast, and SCTP. */
#define WORLD_KIND_COUNT 6
extern const struct kind WORLD_KINDS[WORLD_KIND_COUNT];

struct world_options {
	uint32_t services; /* of five backends, TCP over IPv4; other kinds have one */
	uint32_t connections;
	uint32_t denied; /* prefixes of each family: see world_deny */
	bool metadata;   /* knobs of datapath_options */
	uint32_t max_new_connections;
	bool answers; /* not `refuse`: nobody is told but where a row is about it */
};

struct world;

/* Opens and fills; the process must be in network_make's namespaces. NULL: said on stderr why. */
struct world *world_open(const struct world_options *options);
void world_close(struct world *world);

struct datapath *world_datapath(const struct world *world);
int world_program(const struct world *world); /* fd */

/*
 * Denies so many prefixes of each family: those of the suspects 0, 1, … (wrapper.h), of 256
 * addresses each. 0, or -errno.
 */
int world_deny(struct world *world, uint32_t prefixes);

struct service_key world_service(const struct kind *kind, enum service_shape shape,
				 uint32_t number);
/* What the service of that shape is called in a row of counts.json; "" for five backends. */
const char *world_shape_name(enum service_shape shape);
uint32_t world_backend_count(enum service_shape shape);
/* The address and port of a backend of number 0; SCTP's is the service's port. */
struct address world_backend(const struct kind *kind, uint32_t number);
__be16 world_backend_port(const struct kind *kind, enum service_shape shape);
/* That a backend knows the client by, of whose port it has another connection already. */
__be16 world_alias_port(__be16 port);

/* Of a service of number 0: takes its backends down, or up again. 0 or -errno. */
int world_set_backends(struct world *world, const struct kind *kind, enum service_shape shape,
		       enum backend_state state);

/* What a service has carried, by its id. */
void world_traffic(const struct world *world, uint32_t service, struct traffic_counter *counter);
