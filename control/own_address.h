/*
 * The addresses that the node has itself, as rtnetlink tells them: all at the start, then each that
 * comes or goes. Where one is a service's as well (node ports), what is for its other ports is the
 * kernel's, and the datapath is told to leave it alone.
 */
#pragma once

#include "control/loop.h"
#include "lb/datapath.h"

struct own_addresses;

struct own_address {
	struct address address;
	uint32_t ifindex;
	bool is_usual; /* a source for anywhere: global, none of several of one prefix, not old */
};

struct own_address_hooks {
	void *context;
	/* All of them, when any has changed; at the first time before anything else happens. */
	void (*changed)(void *context, const struct own_address *addresses, size_t count);
};

/* NULL with errno set. What cannot be told to the datapath is logged. */
struct own_addresses *own_addresses_open(struct loop *loop, struct datapath *datapath,
					 const struct own_address_hooks *hooks);
/* All of them, until the loop goes on. */
const struct own_address *own_addresses_list(const struct own_addresses *own, size_t *count);
void own_addresses_close(struct own_addresses *own);
