/*
 * The words that sequences are written with, for printing and for reading them. Inside of these
 * two files only.
 */
#pragma once

#include "test/model/op.h"

enum op_owner {
	OWNER_SEGMENT, /* behind `about`: the one that is quoted */
	OWNER_PACKET,
};

/* A number that is written `key=number` where it is not what it usually is. */
struct op_number {
	const char *key;
	enum op_owner owner;
	size_t offset;
	size_t size;
	int base;
	uint32_t usually;
};

extern const struct op_number OP_NUMBERS[];
extern const size_t OP_NUMBER_COUNT;
extern const char OP_FLAGS[9]; /* of TCP, from the lowest bit on */

uint32_t op_get(const struct op_number *number, const void *owner);
void op_set(const struct op_number *number, void *owner, uint32_t value);

extern const char *const OP_INTERFACES[OP_PORT_COUNT];
extern const char *const OP_NETWORKS[_NETWORK_COUNT];
extern const char *const OP_STATES[_BACKEND_STATE_COUNT];

/* Words of a line are taken by strtok, one after another. */
#define SPACE " \t\n"
/* The index of a word; `count` where it is none of them. */
size_t op_index_of(const char *const *words, size_t count, const char *word);
bool op_read_number(const char *text, int base, uint32_t *value);
bool op_read_station(const char *text, enum station *station);
/* `station:port`; what follows the port is left in *rest. */
bool op_read_end(char *text, enum station *station, uint16_t *port, char **rest);
/* What follows the word `packet`. */
bool op_read_packet(struct op_packet *packet);
