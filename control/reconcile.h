/*
 * One door in, one writer out: holds what is wanted and what the tables hold, and leads the second
 * to the first. Sources (the operator's socket, files, later Kubernetes) bring services; none of
 * them is known here by more than its name.
 *
 * A change is prepared (checked whole, places taken, nothing written) and then applied or dropped.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "lb/datapath.h"
#include "lb/destination.h"
#include "lb/placement.h"
#include "lb/repair.h"
#include "lb/service.h"

struct reconcile;

/* A service put in the place of whatever has its key, or removed. */
struct change {
	struct service_key key;
	struct service *service; /* NULL: remove. Becomes the transaction's in any case. */
};

struct transaction;

/* A service as it is in force. */
struct entry {
	const struct service *service;
	const struct placement *placement;
};

/* The datapath must outlive it. NULL when out of memory. */
struct reconcile *reconcile_new(struct datapath *datapath, const struct destination_hooks *hooks);
void reconcile_free(struct reconcile *reconcile);

/*
 * Takes over what the tables hold from an earlier lbd; nobody owns it until a source brings it
 * again. Then, when every source has spoken, reconcile_drop_orphans removes what none brought; the
 * answer is their number. 0 or -errno.
 */
int reconcile_adopt(struct reconcile *reconcile);
int reconcile_drop_orphans(struct reconcile *reconcile);

/*
 * Checks the changes of one source and takes places for them. Services equal to what is in force
 * are left out. *transaction on success; otherwise a refusal (clash with another source, a full
 * table), and everything is as before. The services in `changes` are consumed either way.
 */
int reconcile_prepare(struct reconcile *reconcile, enum source source, struct change *changes,
		      size_t count, struct transaction **transaction, struct refusal *refusal);

/* What the transaction does. */
struct transaction_counts {
	size_t added;
	size_t changed;
	size_t removed;
	size_t unchanged;
};
struct transaction_counts transaction_counts(const struct transaction *transaction);

/* Frees the transaction. 0, or -errno: what failed is as it was before, the rest is in force. */
int reconcile_apply(struct reconcile *reconcile, struct transaction *transaction);
void reconcile_drop(struct transaction *transaction);

/* NULL where there is none. */
const struct entry *reconcile_find(const struct reconcile *reconcile,
				   const struct service_key *key);
/* The same, also of what an earlier lbd left and no source has brought yet; then those alone. */
const struct entry *reconcile_find_any(const struct reconcile *reconcile,
				       const struct service_key *key);
const struct entry *reconcile_next_orphan(const struct reconcile *reconcile,
					  const struct entry *after);
/* In order of arrival: NULL gives the first, the last one's next is NULL. Orphans are left out. */
const struct entry *reconcile_next(const struct reconcile *reconcile, const struct entry *after);

/*
 * From here on reconcile_next goes by address, port and protocol, IPv4 first, until the next
 * change.
 */
void reconcile_sort(struct reconcile *reconcile);

/* Services and backends in force, backends with a deadline, and services of one source. */
size_t reconcile_count_services(const struct reconcile *reconcile);
size_t reconcile_count_backends(const struct reconcile *reconcile);
size_t reconcile_count_deadlines(const struct reconcile *reconcile);
size_t reconcile_count_source(const struct reconcile *reconcile, enum source source);

/*
 * Compares the next of so many parts of all services with what the tables hold of them: records,
 * rings, backends, source ranges. Puts back what is missing or different.
 */
void reconcile_audit(struct reconcile *reconcile, size_t parts, struct repairs *repairs);

/* How many transactions were applied so far. */
uint64_t reconcile_changes(const struct reconcile *reconcile);

/* Frees the places that rest, after a grace period. Cheap when nothing rests. */
void reconcile_settle(struct reconcile *reconcile);
