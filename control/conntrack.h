/*
 * The connections that this node's netfilter translates (its table conntrack): read to take them
 * over, written to hand ours over.
 */
#pragma once

#include <stdbool.h>
#include "include/abi.h"

/* One whose destination netfilter changes, to a service's backend. */
struct tracked {
	struct flow flow; /* of its requests, to the service */
	struct address backend_address;
	__be16 backend_port;
	struct address known_address; /* by which the backend knows the client, if ... */
	__be16 known_port;            /* ... this is not 0; else by its own */
	bool is_over;                 /* TCP: closed, or in TIME_WAIT */
	__u8 seen;                    /* enum tcp_seen */
};

struct conntrack;

/* NULL with errno set: EPROTONOSUPPORT where the kernel has no such table. */
struct conntrack *conntrack_open(void);
void conntrack_close(struct conntrack *conntrack);

/* Calls visit for each; it must not write. 0 or -errno. */
typedef void (*tracked_visitor)(void *context, const struct tracked *tracked);
int conntrack_visit(struct conntrack *conntrack, tracked_visitor visit, void *context);

/* Netfilter forgets it. 0 or -errno (-ENOENT: it has done so already). */
int conntrack_forget(struct conntrack *conntrack, const struct tracked *tracked);
/* Netfilter knows it from now on, and translates what comes. 0 or -errno (-EEXIST: it knows it). */
int conntrack_add(struct conntrack *conntrack, const struct tracked *tracked);
