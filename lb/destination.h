/*
 * The addresses that packets are sent to, each with its slot in the next hop table. Services share
 * them: a backend's address is resolved once however many services it serves.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "include/abi.h"

struct destinations;

/*
 * Called when an address is held for the first time, unless that refuses it by -errno, and when it
 * is held no more. NULL: nobody is to know.
 */
struct destination_hooks {
	void *context;
	int (*added)(void *context, const struct address *address, uint32_t slot);
	void (*removed)(void *context, const struct address *address, uint32_t slot);
};

/* Slots 1 … count - 1. NULL when out of memory. */
struct destinations *destinations_new(uint32_t count, const struct destination_hooks *hooks);
void destinations_free(struct destinations *destinations);

/* One more backend is at `address`: its slot in *slot. 0, -ENOMEM, -ENOSPC, or what a hook says. */
int destinations_hold(struct destinations *destinations, const struct address *address,
		      uint32_t *slot);
/*
 * The same for what an earlier lbd placed in `slot`. 0, -ENOMEM, or -EEXIST: that slot is
 * another's.
 */
int destinations_adopt(struct destinations *destinations, const struct address *address,
		       uint32_t slot);
/* One backend fewer; the last one's slot rests until destinations_settle. */
void destinations_release(struct destinations *destinations, const struct address *address);
bool destinations_resting(const struct destinations *destinations);
void destinations_settle(struct destinations *destinations);
size_t destinations_count(const struct destinations *destinations);
