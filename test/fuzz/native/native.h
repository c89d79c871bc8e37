/*
 * The programs of bpf/ in this process, compiled for its processor and watched by its sanitizers:
 * what of the kernel they need, and what a test can set and see of it. One packet at a time, on one
 * CPU.
 *
 * A value of a map lies in memory of just its size, a packet's end at the end of what is mapped,
 * and what lies before its start is poisoned: so that the address sanitizer sees whoever reads or
 * writes a byte that is not theirs. Not seen is what the verifier alone looks for.
 */
#pragma once

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "include/abi.h"

#define NATIVE_CPUS 2
#define NATIVE_FRAME_MAX 16384 /* bytes, in the first buffer and as many behind it */
#define NATIVE_HEADROOM 256

typedef int (*native_program)(struct xdp_md *ctx);

/* As the test's must(); the programs do not include its header. */
void native_must(bool holds, const char *what);

/* A map as bpf/ declares it. Names are those of its variables. */
struct native_map {
	const char *name;
	const void *variable;
	uint32_t type; /* enum bpf_map_type */
	uint32_t key_size;
	uint32_t value_size;
	uint32_t max_entries; /* the least that loads, until a test says how many */
};

/* The last has no name. The programs are values of `programs` and `bridge`. */
extern struct native_map native_maps[];

/* Of arrays a value is there from the first look at it, all zero. Held until native_clear. */
void *native_find(const char *map, const void *key);
/* 0, or -E2BIG where the map is full. */
int native_put(const char *map, const void *key, const void *value);
void native_remove(const char *map, const void *key);
void native_resize(const char *map, uint32_t entries);
/* Nothing is in any map. */
void native_clear(void);

/* What the kernel is to say, and has seen. */
struct native_kernel {
	uint64_t jiffies; /* 250 a second */
	uint32_t cpu;
	uint32_t chance;
	bool is_ringbuf_full;
	bool has_metadata;    /* the driver has room for it */
	uint32_t handed_over; /* records of the ring buffer */
	uint32_t tail_calls;
	bool is_redirected; /* the last redirect found a port */
};

extern struct native_kernel native_kernel;

/* Constants of the programs, which here a test sets before a packet. */
struct native_knobs {
	struct timeouts timeouts;
	uint32_t max_new_connections;
	uint64_t hash_seed;
	uint32_t connection_buckets;
	uint32_t backend_count;
	bool has_metadata;
	bool answer_refused;
	uint32_t icmp_errors;
	bool tunnels; /* packets leave in them, and come out of anybody's */
};

void native_set_knobs(const struct native_knobs *knobs);
/* What is in the programs' own memory. */
void native_set_denied_prefixes(uint32_t count);
void native_set_virtual(const struct address *address, bool is_virtual);

/* The programs that packets enter. */
extern const native_program native_lb, native_cross, native_bring;
/* By enum program. */
extern const native_program native_programs[];

/* A packet as the program meets and leaves it: what lies in its first buffer, then in another. */
struct native_packet {
	uint8_t bytes[2 * NATIVE_FRAME_MAX];
	uint32_t length;
	uint32_t later;    /* of these, in the other buffer */
	uint32_t headroom; /* NATIVE_HEADROOM at most */
	uint32_t ifindex;
	uint32_t metadata_length; /* in front of the packet, when it leaves */
	uint8_t metadata[NATIVE_HEADROOM];
};

/* Runs one program and those behind it. What it returns: enum xdp_action. */
int native_run(native_program program, struct native_packet *packet);

/* Of helpers.c, for those of the helpers that leave a program. */
__attribute__((noreturn)) void native_end_program(int action);

/* Of frame.c, around a run. */
struct xdp_md *native_frame_open(const struct native_packet *packet);
void native_frame_close(struct native_packet *packet);
