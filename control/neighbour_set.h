/*
 * The neighbours that destinations need, each one entry of the kernel's table: what is known of it,
 * and having the kernel find it and keep it fresh. It does not know what a next hop is.
 */
#pragma once

/* Of uthash: out of memory leaves hh.tbl NULL instead of ending the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include "control/kernel_neighbour.h"
#include "control/neighbour.h"

struct destination;

struct neighbour {
	struct neighbour_key key;
	enum neighbour_state state; /* RESOLVING, RESOLVED or FAILED */
	uint8_t mac[6];             /* the last known */
	bool has_mac;
	bool read;    /* its entry was read since something befell it */
	bool failed;  /* the kernel said so after that */
	bool fixed;   /* permanent, or on a link without resolution: not ours to touch */
	bool managed; /* the kernel keeps it fresh */
	bool ours;    /* carries our mark: it goes when nobody needs it */
	struct destination *destinations; /* list; never empty but while one moves */
	UT_hash_handle hh;
};

struct neighbour_set {
	struct netlink *question;
	struct neighbour *all;
};

struct neighbour *neighbour_set_find(const struct neighbour_set *set,
				     const struct neighbour_key *key);

/* NULL: out of memory. */
struct neighbour *neighbour_set_find_or_add(struct neighbour_set *set,
					    const struct neighbour_key *key);

/* Forgets and frees it; the kernel's entry goes too when it is ours. */
void neighbour_set_remove(struct neighbour_set *set, struct neighbour *neighbour);

/* Frees all and leaves the kernel's entries: packets need them over a restart. */
void neighbour_set_finish(struct neighbour_set *set);

/* Removes entries with our mark that are not in the set: those of a daemon that ended. */
void neighbour_set_sweep(struct neighbour_set *set);

/* What an event or an answer tells of it. */
void neighbour_take(struct neighbour *neighbour, const struct kernel_neighbour *entry);

/*
 * Drops the kernel's entry if it is ours, so that the neighbour is solicited at once when it is
 * settled: the kernel itself would wait a second, or five after a failure.
 */
void neighbour_ask_anew(const struct neighbour_set *set, struct neighbour *neighbour);

/*
 * Reads the kernel's entry, and has the kernel manage it where it does not yet. Where that fails,
 * it is logged and the neighbour has FAILED.
 */
void neighbour_settle(const struct neighbour_set *set, struct neighbour *neighbour);
