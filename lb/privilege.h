/*
 * What lbd may do that a plain process may not: a few capabilities. Those it works with all the
 * time are effective; those it needs for a moment are held back, and raised for that moment.
 * Everything here is about the calling thread, and of threads that it makes later.
 */
#pragma once

#include <linux/capability.h>
#include <stdbool.h>
#include "lb/refusal.h"

/* -EPERM with a refusal that names each capability that is missing and what it is for. */
int privilege_check(struct refusal *refusal);

/*
 * Gives up all others, for this process and what it might execute (no_new_privs), for good. Before
 * any thread is made. 0 or -errno with a refusal.
 */
int privilege_drop(struct refusal *refusal);
/* Then those for making maps and loading programs, once that is done. The same. */
int privilege_drop_loading(struct refusal *refusal);
/* All there are, of a thread that works on memory and what everybody may read. Never fails. */
void privilege_drop_all(void);

/* Whether it may be raised, or is effective already. */
bool privilege_is_held(int capability);

/* True: it is effective now, and to be lowered again. False: it was already, or cannot be. */
bool privilege_raise(int capability);
void privilege_lower(int capability);

/* One that lbd goes on without where it was not given, and what it goes on without then. */
struct spare_privilege {
	int capability;
	const char *name;
	const char *loss;
};
extern const struct spare_privilege SPARE_PRIVILEGES[2];
