/*
 * Changes that are in the journal and not in force, for the kernel refused an entry or memory was
 * short: they are tried again until they are, in their order.
 */
#pragma once

#include <stdbool.h>
#include "control/deny.h"
#include "control/reconcile.h"
#include "lb/refusal.h"

struct owed {
	char **lines; /* as in the journal */
	size_t count;
	bool dropped; /* some is in the journal and will never be in force: a snapshot is due */
};

void owed_finish(struct owed *owed);

/* Whether all that is stored is in force. */
bool owed_is_nothing(const struct owed *owed);

/* Before a change is stored: room for its line, so that owed_add cannot fail. 0 or -ENOMEM. */
int owed_reserve(struct owed *owed);

/*
 * Takes the line. What comes after one that is owed is added too, lest the older one have the last
 * word.
 */
void owed_add(struct owed *owed, char *line);

/*
 * 0: all is in force but services that are another source's by now, which are logged and dropped.
 * -errno with a refusal: what is not is still owed.
 */
int owed_settle(struct owed *owed, struct reconcile *reconcile, struct deny_list *deny,
		struct refusal *refusal);
