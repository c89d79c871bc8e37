/*
 * The deny list: which prefixes are denied, by which sources and until when. A prefix is denied
 * while any source wants it, so two sources cannot clash: each adds and removes its own wish, and
 * what another still wants stays.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "control/reconcile.h"
#include "lb/address.h"
#include "lb/datapath.h"
#include "lb/refusal.h"
#include "lb/service.h"

/* Times are milliseconds of CLOCK_REALTIME: an expiry is kept across restarts. */
#define DENY_NEVER 0 /* not wanted */
#define DENY_FOREVER INT64_MAX

struct deny_list;

/* A prefix in force. */
struct deny_entry {
	struct prefix prefix;
	uint32_t index;                  /* of its counter */
	int64_t until_ms[_SOURCE_COUNT]; /* DENY_NEVER: that source does not want it */
};

/* What one source wants of a prefix from now on; DENY_NEVER: nothing. */
struct deny_change {
	struct prefix prefix;
	int64_t until_ms;
};

/*
 * Takes over what the datapath, which must outlive it, denies already; nobody owns that until a
 * source brings it again, and deny_list_drop_orphans removes what none did. NULL: out of memory.
 */
struct deny_list *deny_list_new(struct datapath *datapath);
void deny_list_free(struct deny_list *list);
int deny_list_drop_orphans(struct deny_list *list); /* their number */

/* Whether the changes fit (-ENOSPC with a refusal), and what they would do. Writes nothing. */
int deny_list_check(const struct deny_list *list, enum source source,
		    const struct deny_change *changes, size_t count,
		    struct transaction_counts *counts, struct refusal *refusal);

/* 0, or -errno of the first that the kernel refused; the others are in force. */
int deny_list_apply(struct deny_list *list, enum source source, const struct deny_change *changes,
		    size_t count);

/* Removes what is over at `now_ms`. When the next one will be; DENY_FOREVER: none. */
int64_t deny_list_expire(struct deny_list *list, int64_t now_ms);

/* NULL where there is none. Orphans are left out. */
const struct deny_entry *deny_list_find(const struct deny_list *list, const struct prefix *prefix);
const struct deny_entry *deny_list_next(const struct deny_list *list,
					const struct deny_entry *after);
/* Hands the next of so many parts to `visit`, orphans too; the first follows the last. */
void deny_list_walk(struct deny_list *list, size_t parts,
		    void (*visit)(void *context, const struct deny_entry *entry), void *context);
void deny_list_sort(struct deny_list *list); /* by family and address */
size_t deny_list_count(const struct deny_list *list);
/* With those that nobody wants but that are denied still. */
size_t deny_list_count_all(const struct deny_list *list);

/* When no source wants it any more. */
int64_t deny_entry_until(const struct deny_entry *entry);
