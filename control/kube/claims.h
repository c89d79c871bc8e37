/*
 * Which Service of Kubernetes has which address and port, what is to be written there, and what is
 * left there of one that has gone. Where two Services want the same (external addresses, mostly)
 * the older one has it, of two as old the one whose name comes first; so it does not matter which
 * is heard of first.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include "control/reconcile.h"
#include "lb/service.h"

struct kube_group;

struct claim {
	struct service_key key;
	struct kube_group *owner;  /* NULL: what connections are left drains */
	struct service *wanted;    /* to be written; NULL: nothing, or it was */
	struct claim *prev, *next; /* of the same owner */
	struct claim *dirty_prev, *dirty_next;
	struct claim *leaving_prev, *leaving_next;
	uint32_t round;    /* when it was wanted last */
	uint32_t pass;     /* of the connections, when a backend last began to drain */
	bool begins;       /* one will, by what is being written */
	bool is_dirty;     /* what is wanted is not in force yet */
	bool is_leaving;   /* some backend drains */
	bool is_blocked;   /* could not be written; to be tried again */
	bool is_contested; /* another group wants it */
	UT_hash_handle hh;
};

struct claims {
	struct claim *table;
	struct claim *dirty;
	struct claim *leaving;
	size_t blocked;
};

/* One of nobody, if there is none yet. NULL: out of memory. */
struct claim *claims_get(struct claims *claims, const struct service_key *key);

/* The owner's list is its own: `first` is where it begins. */
void claim_give(struct claim *claim, struct kube_group *owner, struct claim **first);
void claim_take_away(struct claim *claim, struct claim **first);

/* What is to be written there, which becomes the claim's. */
void claims_want(struct claims *claims, struct claim *claim, struct service *wanted);
/* It was written (`in_force`; NULL: nothing is there), or could not be. */
void claims_settle(struct claims *claims, struct claim *claim, const struct service *in_force,
		   uint32_t pass);
void claims_block(struct claims *claims, struct claim *claim);
/* Something else was written there (`in_force`); what is wanted waits as it did. */
void claims_note_change(struct claims *claims, struct claim *claim, const struct service *in_force);
/* Nobody's, and nothing is there. */
void claims_remove(struct claims *claims, struct claim *claim);

void claims_finish(struct claims *claims);
