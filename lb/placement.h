/*
 * Where a service lives in the tables: its id, the range of its ring, the indexes of its backends.
 * The model says what a service is, a placement where; encode makes records of both.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "include/abi.h"
#include "lb/destination.h"
#include "lb/refusal.h"
#include "lb/service.h"

#define RING_GRANULE 64 /* slots: ranges of the rings table are multiples of this */

/* The free places of the tables. */
struct room {
	struct slots *services;
	struct slots *backends;
	struct slots *rings; /* in granules */
	struct destinations *destinations;
	bool lacks_rings; /* a ring found no place, or had to stay in its own: previous ones may go
			   */
};

struct place {
	uint32_t backend; /* index */
	uint32_t nexthop; /* slot of its destination */
	uint32_t handle;  /* what its record is named by; 0: none is written yet */
};

struct placement {
	uint32_t service; /* id */
	struct ring ring;
	struct ring previous;     /* the last other one that was in use; length 0: none */
	bool previous_is_planned; /* for its successor: it cannot be forgotten */
	uint64_t ring_sum;        /* of the slots that were written */
	size_t count;             /* of places: backends of the service, in its order */
	struct place places[];
};

/* Capacities as the datapath tells them; rings in slots. 0 or -ENOMEM with the room empty. */
struct room_size {
	uint32_t services;
	uint32_t backends;
	uint32_t rings;
};
int room_init(struct room *room, const struct room_size *size,
	      const struct destination_hooks *hooks);
void room_finish(struct room *room);

/* Granules that a ring of this length takes. */
uint32_t ring_granules(uint32_t length);

/*
 * Finds places for `service`. What `old` (with `old_service`) already has is kept: its id, the
 * index of each backend that both have, the ring where nothing changes in it. A ring that changes
 * goes elsewhere and the old one becomes the previous one; where there is no room for both it stays
 * in its range, if that is as long, and nothing is previous. NULL with a refusal naming the table
 * that is full; then the room is as before.
 */
struct placement *placement_new(struct room *room, const struct service *service,
				const struct placement *old, const struct service *old_service,
				struct refusal *refusal);

/*
 * Gives back what `placement` has and `kept` (NULL: nothing) has not, and frees `placement`. Serves
 * both ways: an old placement after its successor is published, a new one that is not to be.
 */
void placement_release(struct room *room, struct placement *placement,
		       const struct service *service, const struct placement *kept);

/* `successor` (NULL: none) is planned to take the place of `placement`. */
void placement_plan(struct placement *placement, const struct placement *successor);

/*
 * Lets a planned placement do with one range, that of the ring in use, where it had two in mind;
 * then what `old` keeps can be forgotten.
 */
void placement_make_do(struct room *room, struct placement *planned, struct placement *old);

/* Gives the previous ring back, which no record names any more. */
void placement_forget_previous(struct room *room, struct placement *placement);
