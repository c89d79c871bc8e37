/*
 * The operator's denied prefixes as the state keeps them: in a change of the journal, in the
 * snapshot, and back. {"prefix": "203.0.113.0/24", "until_ms": 1732290000000}, without the second
 * where it has no end.
 */
#pragma once

#include <jansson.h>
#include "control/deny.h"
#include "control/json_text.h"

/* Adds `,"deny":[…],"allow":[PREFIX…]`; nothing where there are no changes. */
void deny_add_changes(struct json_text *text, const struct deny_change *changes, size_t count);
/* Adds `,"deny":[…]`: what the operator wants. */
void deny_add_snapshot(struct json_text *text, const struct deny_list *list);

/* Plays the lists `deny` and `allow` of either into an object by prefix. 0 or -errno refused. */
int deny_replay(json_t *denied, const json_t *change, struct refusal *refusal);

/* The changes that bring it all; what is over by now is not wanted; the caller's. NULL: no memory.
 */
struct deny_change *deny_collect(json_t *denied, size_t *count);
