/*
 * The operator's changes as the state keeps them, played one after the other, and what they come to
 * brought into force.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include "control/deny.h"
#include "control/reconcile.h"
#include "lb/refusal.h"

struct replay {
	json_t *services; /* by the text of their keys; null: removed */
	json_t *denied;   /* by prefix: until when (deny_words.h) */
};

/* 0 or -ENOMEM. */
int replay_init(struct replay *replay);
void replay_finish(struct replay *replay);

/* A change of the journal, or a snapshot. 0 or -errno with a refusal. */
int replay_change(struct replay *replay, const json_t *change, struct refusal *refusal);
int replay_snapshot(struct replay *replay, const json_t *snapshot, struct refusal *refusal);

/*
 * `removes`: what is removed goes, if it is the operator's, and what is put is left out where the
 * service is another source's. Else what is removed is left as it is, which at a start is to whom
 * it belongs now, or nobody. 0, or -errno with a refusal: some may be in force.
 */
int replay_bring(const struct replay *replay, struct reconcile *reconcile, struct deny_list *deny,
		 bool removes, struct refusal *refusal);

/* Logs what was left out so, and answers how many services that are. */
size_t replay_tell_foreign(const struct replay *replay, const struct reconcile *reconcile);
