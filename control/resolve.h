/*
 * The inside of neighbour.h: from an address to its next hop. Destinations (addresses somebody
 * watches) share neighbours (the gateway, or the address itself). Which destinations to resolve,
 * and when, is neighbour.c's to say.
 *
 *   destination 10.1.0.5 ──┐
 *   destination 10.1.0.6 ──┴─ neighbour 192.0.2.1 on interface 3 ── the kernel's entry: MAC
 *   destination 192.0.2.7 ─── neighbour 192.0.2.7 on interface 3 ── …
 */
#pragma once

#include "control/neighbour_set.h"

struct destination {
	struct address address; /* key */
	uint32_t slot;
	uint32_t ifindex;    /* of its route; 0: it has none */
	struct nexthop told; /* what the slot holds */
	enum neighbour_state state;
	bool queued;
	bool unknown;                    /* it could not be asked for: once more, a little later */
	struct neighbour *neighbour;     /* NULL: NO_ROUTE, LOCAL, or never looked up */
	struct destination *prev, *next; /* of those that share the neighbour */
	struct destination *queue_prev, *queue_next;
	UT_hash_handle hh;
};

struct resolver {
	struct neighbour_hooks hooks;
	struct neighbour_set neighbours;
	size_t pending;       /* destinations in state RESOLVING */
	size_t left_to_stack; /* in state LOCAL */
};

/* 0 or -errno. */
int resolver_init(struct resolver *resolver, const struct neighbour_hooks *hooks);
void resolver_finish(struct resolver *resolver);

/* Looks up the way to the destination, and calls the hook where that changes its next hop. */
void resolver_resolve(struct resolver *resolver, struct destination *destination);

/* A new destination, never looked up, is pending; one about to be freed leaves its neighbour. */
void resolver_add(struct resolver *resolver, struct destination *destination);
void resolver_remove(struct resolver *resolver, struct destination *destination);

/* What `neighbour list` shows of it. */
void resolver_describe(const struct destination *destination, struct neighbour_entry *entry);

/*
 * Takes what the kernel tells of an entry. NULL, or a destination that has to be resolved once more
 * because the entry failed or is gone; that does for all that share the neighbour.
 */
struct destination *resolver_hear(struct resolver *resolver, const struct kernel_neighbour *entry);

/*
 * The interface's port may be another, or none; and its neighbours may answer now, where nothing
 * could be sent before for want of a carrier, or of an address to ask from.
 */
void resolver_link_changed(struct resolver *resolver, uint32_t ifindex);

/* Settles the neighbours that the kernel does not keep fresh, which does as well for an old one. */
void resolver_refresh(struct resolver *resolver);

/* Events were lost: each entry is read again when one of its destinations is resolved. */
void resolver_doubt(struct resolver *resolver);
