/*
 * What the files of reconcile share. Nobody else includes this.
 */
#pragma once

#include <stdbool.h>
#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include "control/reconcile.h"

/* Begins as struct entry does, so that one can be handed out as the other. */
struct record {
	struct service *service;
	struct placement *placement;
	struct service_key key;
	bool orphan; /* of an earlier lbd; no source has brought it yet */
	UT_hash_handle hh;
};

struct reconcile {
	struct datapath *datapath;
	struct room room;
	struct record *records;
	struct record *audited; /* where the audit goes on; NULL: at the first */
	size_t backends;
	size_t source_ranges;
	size_t deadlines; /* backends that drain until one */
	uint64_t changes; /* transactions applied */
};

struct record *reconcile_find_record(const struct reconcile *reconcile,
				     const struct service_key *key);

/* Takes service and placement over on success. 0 or -ENOMEM. */
int reconcile_insert(struct reconcile *reconcile, struct service *service,
		     struct placement *placement, bool orphan);

/* Out of the table; the record stays the caller's. */
void reconcile_take_out(struct reconcile *reconcile, struct record *record);

/* reconcile_sources.c, when the services are adopted. 0 or -errno. */
int reconcile_adopt_sources(struct reconcile *reconcile);

/* Adds what the service has to the totals, or takes it off them. */
void reconcile_count_in(struct reconcile *reconcile, const struct service *service);
void reconcile_count_out(struct reconcile *reconcile, const struct service *service);

void reconcile_free_record(struct record *record);
