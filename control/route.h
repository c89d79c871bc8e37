/*
 * The kernel's routes: which way it sends packets to an address, and what a message about a change
 * of routes, rules or addresses of interfaces may have changed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "control/netlink.h"
#include "lb/address.h"

enum route_kind {
	ROUTE_NONE,  /* none, or one that says unreachable, prohibited, blackhole */
	ROUTE_LOCAL, /* an address of this node, or one that packets to are for all: broadcast … */
	ROUTE_UNICAST,
	_ROUTE_KIND_COUNT,
};

struct route {
	enum route_kind kind;
	uint32_t ifindex;
	struct address neighbour; /* the gateway, or the address itself; of UNICAST only */
};

/*
 * The kernel's own choice for packets that this node sends to `address`. An IPv4 address may have a
 * neighbour of IPv6 (RFC 5549). 0, or -errno when it could not be asked.
 */
int route_find(struct netlink *question, const struct address *address, struct route *route);

struct route_change {
	struct prefix prefix; /* packets to it may go another way now … */
	uint32_t ifindex;     /* … or those that went by this interface, or nowhere; 0: only it */
};

/* False for messages that change no way of unicast packets. */
bool route_change_parse(const struct nlmsghdr *message, struct route_change *change);

#define MAX_ROUTE_CHANGES 128

/* Changes gathered for a while, because they come in swarms. All zero: none. */
struct route_changes {
	size_t count;
	bool all; /* too many to tell apart, or some were lost: everything may have changed */
	struct route_change list[MAX_ROUTE_CHANGES];
};

/* `change` NULL: everything may have changed. */
void route_changes_add(struct route_changes *changes, const struct route_change *change);

/* Whether packets to `address`, which went by `ifindex` (0: nowhere), may be concerned. */
bool route_changes_concern(const struct route_changes *changes, const struct address *address,
			   uint32_t ifindex);
