/*
 * Next hops of backends over netlink: the kernel's route to each address, the gateway or the
 * address itself as neighbour, that neighbour's MAC address, kept alive by the kernel as a managed
 * neighbour (NTF_EXT_MANAGED, Linux 5.16; net/core/neighbour.c). Follows changes of routes, links
 * and neighbours. It knows slots of the next hop table, but neither services nor maps.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "include/abi.h"
#include "control/loop.h"

struct neighbours;

/*
 * What the module needs of its surroundings. `resolved` is called from the loop and from
 * neighbours_link_changed; it must not watch or unwatch.
 */
struct neighbour_hooks {
	void *context;
	/* The slot's next hop is now *hop (port 0: unresolved). Called on changes only. */
	void (*resolved)(void *context, uint32_t slot, const struct nexthop *hop);
	/* The port of an interface that routes lead to; 0 where it has none (loopback, gone). */
	uint16_t (*port)(void *context, uint32_t ifindex);
};

/* NULL with errno set. Freeing leaves the kernel's entries: packets need them over a restart. */
struct neighbours *neighbours_new(struct loop *loop, const struct neighbour_hooks *hooks);
void neighbours_free(struct neighbours *neighbours);

/*
 * Starts, or stops, keeping `slot` resolved for packets to `address`. A slot is watched once.
 * `known` is what the table holds already (after a restart), NULL for nothing: `resolved` is called
 * only when netlink says otherwise. While a neighbour is being looked for, the MAC address it had
 * stays, if the port is the same: so the ports are to be known before. 0, -EEXIST for an address
 * watched already, or -ENOMEM; the resolving itself happens from the loop.
 */
int neighbours_watch(struct neighbours *neighbours, const struct address *address, uint32_t slot,
		     const struct nexthop *known);
void neighbours_unwatch(struct neighbours *neighbours, const struct address *address);

/*
 * An interface appeared, vanished, or changed its state or port: what routes through it, or
 * nowhere, is looked up again.
 */
void neighbours_link_changed(struct neighbours *neighbours, uint32_t ifindex);

/* Addresses that were never looked up yet, or whose neighbour has not answered nor failed yet. */
size_t neighbours_pending(const struct neighbours *neighbours);

/* Addresses in state NEIGHBOUR_LOCAL. */
size_t neighbours_left_to_stack(const struct neighbours *neighbours);

enum neighbour_state {
	NEIGHBOUR_RESOLVING,
	NEIGHBOUR_RESOLVED,
	NEIGHBOUR_FAILED, /* the kernel got no answer and goes on asking */
	NEIGHBOUR_NO_ROUTE,
	NEIGHBOUR_LOCAL, /* of this node, or by an interface without port: left to the stack */
};

/* "resolving", "resolved", "failed", "no-route", "local". */
const char *neighbour_state_name(enum neighbour_state state);

struct neighbour_entry {
	struct address address; /* of the backend */
	struct address gateway; /* all zero: on the link */
	uint32_t ifindex;       /* 0: no route */
	uint8_t mac[6];         /* the last known */
	enum neighbour_state state;
	bool managed; /* the kernel keeps it alive */
};

/* The next of so many parts of the slots, with what they were told; the first follows the last. */
typedef void (*nexthop_visitor)(void *context, uint32_t slot, const struct nexthop *told);
void neighbours_walk(struct neighbours *neighbours, size_t parts, nexthop_visitor visit,
		     void *context);

void neighbours_visit(const struct neighbours *neighbours,
		      void (*visit)(void *context, const struct neighbour_entry *entry),
		      void *context);
