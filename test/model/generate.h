/*
 * Sequences by chance: services come, change and go, clients talk to them, backends answer, time
 * passes, and now and then a packet is not as it should be. What is generated next depends on what
 * the model remembers, so that answers are those of the right backend more often than not.
 */
#pragma once

#include "test/bpf/chance.h"
#include "test/model/world.h"

#define POOL_SERVICES 4
#define POOL_BACKENDS 5
#define POOL_CALLS 6
#define GENERATOR_PARTS 3

/* A client's port and the service that it talks to. */
struct call {
	enum station client;
	uint16_t port;
	uint32_t service;  /* in the pool */
	uint8_t tag_count; /* of its VLAN */
	uint32_t tags[OP_TAGS];
};

struct generator {
	struct chance chance;
	const struct model *model;
	bool masquerades;  /* many of its services do */
	uint32_t sources;  /* of these, still to be told, first of all */
	uint32_t networks; /* still to be told, first of all */
	uint32_t setup;    /* offers still to be made before anything else happens */
	uint32_t left;     /* operations still to come */
	uint32_t service_count;
	struct op_service services[POOL_SERVICES];
	uint32_t backend_count;
	struct op_backend backends[POOL_BACKENDS];
	uint32_t part_count; /* of a packet that is on its way in fragments */
	struct op_packet parts[GENERATOR_PARTS];
	uint32_t call_count;
	struct call calls[POOL_CALLS];
};

void generate_begin(struct generator *generator, const struct model *model, uint64_t stream);
/* False: that was all. */
bool generate_next(struct generator *generator, struct op *op);

/* generate_packet.c, generate_mutation.c */
void generate_packet(struct generator *generator, struct op_packet *packet);
/* The next part of the one that is on its way. */
void generate_part(struct generator *generator, struct op_packet *packet);
void mutate_packet(struct generator *generator, struct op_packet *packet);
/* One of an array's. */
#define ONE_OF(generator, array)                                                                   \
	((array)[chance_below(&(generator)->chance, sizeof(array) / sizeof((array)[0]))])
