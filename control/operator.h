/*
 * The operator's source: the services that lbctl brings, durable before they are acknowledged. A
 * change is prepared, written to the journal, then applied and answered, in this order: what was
 * answered is on disk, what is on disk is whole.
 */
#pragma once

#include <stdbool.h>
#include "control/deny.h"
#include "control/reconcile.h"
#include "control/tables.h"
#include "lb/refusal.h"

struct operator;

/* What the operator changes, in force. */
struct operated {
	struct reconcile *reconcile;
	struct deny_list *deny;
};

/* Opens the state and brings what is in it back into force. 0 or -errno with a refusal. */
int operator_open(struct operated operated, const char *state_path, struct operator** operator,
		  struct refusal * refusal);
void operator_close(struct operator* operator);

/* The state was damaged: what is pinned and nobody wants may be the operator's. */
bool operator_is_incomplete(const struct operator* operator);

/* Tries again what is stored and could not be written to the tables. To be called now and then. */
void operator_catch_up(struct operator* operator);

/* Consumes the services in `changes`. *counts on success. 0 or -errno with a refusal. */
int operator_change(struct operator* operator, struct change * changes, size_t count,
		    struct transaction_counts *counts, struct refusal *refusal);
int operator_deny(struct operator* operator, const struct deny_change * changes, size_t count,
		  struct refusal *refusal);

/*
 * A whole document: its services and prefixes are put, with `prune` the operator's others are
 * removed (but those that are denied for a while: a document cannot name them). With `dry_run`
 * nothing is written. Consumes the tables' services.
 */
struct apply_counts {
	struct transaction_counts services;
	struct transaction_counts deny;
};
struct apply_options {
	bool prune;
	bool dry_run;
};
int operator_apply(struct operator* operator, struct tables * tables, struct apply_options options,
		   struct apply_counts *counts, struct refusal *refusal);
