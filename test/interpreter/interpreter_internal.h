/*
 * What the files of the interpreter share. Nobody else includes this.
 */
#pragma once

#include <linux/bpf.h>
#include <stdbool.h>
#include "test/interpreter/interpreter.h"

#define MAX_KNOWN 256 /* descriptors: of each map, one of each object that was loaded */

/* A value of a map as long as a packet runs; then it is written back. */
struct held_value {
	struct held_value *next;
	int map;
	uint32_t key_size;
	uint8_t key[128];
	uint64_t value[]; /* of a per-CPU map every CPU's, ours first */
};

/* A map in mapped memory. */
struct shared_map {
	int map;
	uint8_t *memory;
	size_t size;
	size_t value_size;
};

/* A descriptor of a map, and the one that stands for all of the same map. */
struct known_map {
	int map;
	int same;
	uint32_t id;
};

/* A program: its functions one after another, the main one first. */
struct code {
	const struct bpf_insn *first;
	size_t length;
};

struct interpreter {
	struct code main;
	struct code parts[MAX_PARTS]; /* by index of the tail call */
	struct code code;             /* that runs */
	bool has_parted;              /* with the instruction before: `code` begins */
	unsigned int depth;           /* of functions */
	uint8_t *packet;              /* below 4 GiB: in xdp_md, addresses are 32 bits wide */
	struct xdp_md context;
	struct held_value *held;
	struct shared_map shared[MAX_SHARED];
	size_t shared_count;
	struct known_map known[MAX_KNOWN];
	size_t known_count;
	uint64_t jiffies;
	interpreter_pause pause; /* NULL: none */
	void *pause_context;
	uint64_t pauses;
	struct tally *tally;
	int error;
};

/* Registers of one function; 10 is the end of its stack. */
struct state {
	uint64_t r[MAX_BPF_REG];
};

/* Says that an instruction is not known, and ends the run. */
void interpreter_fail(struct interpreter *interpreter, const struct bpf_insn *instruction);
/* Arithmetic, of 32 and 64 bits. */
void interpreter_calculate(struct interpreter *interpreter, struct state *state,
			   const struct bpf_insn *instruction);
/* Whether a jump is to be taken. */
bool interpreter_holds(struct interpreter *interpreter, const struct state *state,
		       const struct bpf_insn *instruction);
/* Loads, stores and atomic operations. */
void interpreter_access(struct interpreter *interpreter, struct state *state,
			const struct bpf_insn *instruction);

/* Calls a helper; sets interpreter->error where it is not known. */
uint64_t helper_call(struct interpreter *interpreter, uint32_t number, const uint64_t *arguments);

/* Whether others see what is at this address. */
bool is_shared(const struct interpreter *interpreter, uint64_t address);
/* The value at `key` (NULL: the first), or NULL. Valid until maps_write_back. */
void *map_value(struct interpreter *interpreter, int map, const void *key);
int64_t map_update(struct interpreter *interpreter, int map, const void *key, const void *value,
		   uint64_t flags);
int64_t map_delete(struct interpreter *interpreter, int map, const void *key);
void maps_write_back(struct interpreter *interpreter);
