/*
 * Backends that take no new connections any more and may still have some: an endpoint that has
 * terminated or left its slices, one that a policy or a hint has turned away, those of a Service
 * that was deleted. TCP's connections go on as long as both ends want (and SCTP's); UDP's only
 * where the endpoint still serves. Such a backend drains, until no connection names it.
 */
#pragma once

#include <stdbool.h>
#include "lb/placement.h"
#include "lb/service.h"

/*
 * Completes what is wanted by what is in force (NULL: nothing). Backends that are wanted draining
 * stay only where they are in force: others have no connections. 0 or -ENOMEM.
 */
int leaving_complete(struct service *wanted, const struct service *in_force);

/*
 * What is left of a service that nobody wants: its backends, which drain, if it is not UDP's. 0
 * with *left (NULL: nothing is), for the caller to free, or -ENOMEM.
 */
int leaving_keep(const struct service *in_force, struct service **left);

/* Whether a backend drains, and whether one does that did not before (NULL: nothing was). */
bool leaving_any(const struct service *service);
bool leaving_begins(const struct service *service, const struct service *before);

/* Backends that connections name: a bit for each index. */
struct used_backends {
	const uint64_t *bits;
};

/*
 * The service without those that drain and that no connection names. 0 with *left, for the caller
 * to free, NULL where all are named; or -ENOMEM.
 */
int leaving_drop_unused(const struct service *in_force, const struct placement *placement,
			struct used_backends used, struct service **left);
