/*
 * Ordered writes that lead the tables from what they hold to what is wanted: make before break. New
 * backends and rings first, then the service records that name them, then what nothing names any
 * more. Building a plan takes places but writes nothing; it is then applied or dropped.
 */
#pragma once

#include <stddef.h>
#include "lb/datapath.h"
#include "lb/placement.h"
#include "lb/refusal.h"
#include "lb/service.h"

/* One service before and after; NULL before: it is new, NULL after: it goes. */
struct plan_step {
	const struct service *before;
	struct placement *before_placement; /* freed by plan_apply */
	const struct service *after;
	struct placement *after_placement; /* the plan's until it is applied, then the caller's */
	bool wrote_ring;
	bool failed; /* applying it failed: what was before is in force, and everything kept */
};

struct plan {
	struct room *room;
	struct plan_step *steps;
	size_t count;
	size_t capacity;
	bool applied;
};

void plan_init(struct plan *plan, struct room *room);

/*
 * Adds a step. The services must live as long as the plan. 0, or an error with a refusal naming the
 * table that is full; the plan is as it was then.
 */
int plan_add(struct plan *plan, const struct service *before, struct placement *before_placement,
	     const struct service *after, struct refusal *refusal);

/* Takes as little room for rings as can be, at the price of those that were to be kept. */
void plan_make_do(struct plan *plan);

/*
 * Writes it all, as many steps as can be written. Where one fails (out of memory, the kernel
 * refuses) it is marked, its old state stays in force, and the first error is returned. Placements
 * of steps that did not fail are the caller's then.
 */
int plan_apply(struct plan *plan, struct datapath *datapath);

/* The slots of its ring, where it has one. 0 or -errno. */
int plan_write_ring(struct datapath *datapath, const struct service *service,
		    struct placement *placement);

/*
 * Takes a backend out of service. Until its index is given to another, its record still says whose
 * late replies are to be dropped.
 */
void plan_retire_backend(struct datapath *datapath, uint32_t index);

/* A service's record and all that tells its packets apart. 0 or -errno: it is there as it was. */
int plan_remove_service(struct datapath *datapath, const struct service_key *key);

/* Takes a step of a new service back that was applied: it has failed after all. */
void plan_take_back(struct plan_step *step, struct datapath *datapath);

/* Gives back what plan_add took (for steps that were not applied) and the plan's memory. */
void plan_finish(struct plan *plan);
