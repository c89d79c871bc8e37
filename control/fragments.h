/*
 * Fragments that came before the first of their datagram: held for a moment, until that one has
 * come and they can be sent through the datapath again. How many there are is bounded, in number,
 * in bytes and in time; whom they are too many for is the one held longest.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "include/abi.h"

#define MAX_HELD_FRAGMENTS 1024
#define MAX_HELD_BYTES (1u << 20)
#define MAX_HELD_NS 1000000000ull

struct fragments;

/* What is asked of the datapath. */
struct fragment_hooks {
	void *context;
	bool (*has_first)(void *context, const struct fragment_key *key);
	int (*send_again)(void *context, uint32_t ifindex, const void *frame, uint32_t length);
};

struct fragment_counts {
	size_t held; /* now */
	size_t bytes;
	uint64_t sent;     /* again, since lbd started */
	uint64_t given_up; /* the first has not come in time, or others came that had to be held */
};

/* NULL: out of memory. */
struct fragments *fragments_new(const struct fragment_hooks *hooks);
void fragments_free(struct fragments *fragments);

/* Sends it again where its first has come meanwhile, else holds a copy. Times: `early`'s clock. */
void fragments_take(struct fragments *fragments, const struct early_fragment *early,
		    uint64_t now_ns);
/* Sends again what can be, gives up what is too old. Whether there is more. */
bool fragments_turn(struct fragments *fragments, uint64_t now_ns);

struct fragment_counts fragments_count(const struct fragments *fragments);
