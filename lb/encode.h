/*
 * The model and its placement as the records of the tables. Pure: the same in, the same out.
 */
#pragma once

#include "include/abi.h"
#include "lb/placement.h"
#include "lb/service.h"

/*
 * The length of the ring that the service's backends and algorithm want; 0: none takes connections.
 */
uint32_t encode_ring_length(const struct service *service);

/*
 * Whether the rings of both are the same, slot by slot, where backends that both have keep their
 * indexes. Weights that one of them does not know are taken for the other's.
 */
bool encode_has_same_ring(const struct service *a, const struct service *b);

/* Fills placement->ring.length slots. 0 or -ENOMEM. */
int encode_ring(const struct service *service, const struct placement *placement, uint32_t *slots);

/* Tells one ring from another; each slot counts, and where it is. */
uint64_t encode_ring_sum(const uint32_t *slots, uint32_t length);

/* The other way: what a record's flags say of its service, but for source ranges. */
void encode_adopt_flags(__u8 flags, struct service *service);

struct service_record encode_service(const struct service *service,
				     const struct placement *placement);

/* The record of backend number `i`; `handle` is what names it. */
struct backend_record encode_backend(const struct service *service,
				     const struct placement *placement, size_t i, uint32_t handle);

/* The handle that the next backend of an index gets, after one of `handle` (0: the first). */
uint32_t encode_next_handle(uint32_t index, uint32_t handle);
