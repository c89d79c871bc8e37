/*
 * One bucket of the connection table as plain C says it should be: the rules of
 * bpf/connection_table.h and bpf/connection.h, one packet at a time. Backends and rings are read
 * from the tables, which lbd alone writes.
 */
#pragma once

#include "include/connection.h"
#include "test/bpf/scene.h"

struct model_entry {
	bool used;
	struct address client;
	__be16 port; /* as the backend knows the client */
	uint8_t alias;
	uint8_t protocol;
	uint8_t seen;
	uint32_t handle;
	uint32_t last_seen;
	uint64_t hop; /* struct nexthop, as a word */
};

struct model {
	const struct scene *scene;
	struct model_entry way[CONNECTION_WAYS];
};

/* A packet and what became of it. */
struct model_packet {
	struct blueprint blueprint;
	enum interface in;
	uint32_t now;
	enum verdict verdict;
	bool becomes_reset;            /* as it leaves */
	struct backend_record backend; /* of one that leaves */
	__be16 client_port;            /* that it leaves with */
};

/* Of a client's port the one of this alias, and the other way round. */
__be16 model_other_port(const struct model *model, __be16 port, uint8_t alias);

void model_request(struct model *model, struct model_packet *packet);
void model_reply(struct model *model, struct model_packet *packet);
/* Whether the table is what the model says. */
bool model_is_table(const struct model *model);
