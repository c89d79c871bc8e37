/*
 * Which interfaces we attach to and send by. Names and globs say which are wanted; the kernel's
 * links come and go. Each interface that packets may leave by has a port in the tables, with what
 * XDP needs to know of it; a veth's other end is made fit for XDP (control/peer.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "control/link.h"
#include "lb/datapath.h"
#include "lb/refusal.h"
#include "lb/repair.h"

struct interfaces;

/*
 * `changed` is told of a link whose port or presence is different now: routes by it must be redone.
 */
struct interface_hooks {
	void *context;
	void (*changed)(void *context, uint32_t ifindex);
};

struct interfaces *interfaces_new(struct datapath *datapath, enum datapath_mode mode,
				  const struct interface_hooks *hooks);
void interfaces_free(struct interfaces *interfaces);

/*
 * Adds a name or a glob (fnmatch) to what is wanted, and attaches what matches. A plain name must
 * exist and be free of a foreign XDP program, otherwise it is refused and not added. `by_tc`: at
 * tc's ingress, not by XDP. A name goes before globs, an earlier glob before a later. -EEXIST: it
 * is wanted already.
 */
int interfaces_want(struct interfaces *interfaces, const char *pattern, bool by_tc,
		    struct refusal *refusal);
/* The opposite: detaches what no other name or glob wants. -ENOENT with a refusal. */
int interfaces_unwant(struct interfaces *interfaces, const char *pattern, struct refusal *refusal);
/*
 * Whether what leaves by attached interfaces is to meet a program, too; at first where an earlier
 * lbd has left one.
 */
void interfaces_set_egress(struct interfaces *interfaces, bool egress);
/* Detaches pinned links of an earlier lbd that nobody wants now. */
void interfaces_drop_unwanted(struct interfaces *interfaces);

/* Tries again what could not be attached: a foreign program may have gone, a namespace appeared. */
void interfaces_retry(struct interfaces *interfaces);

/*
 * Looks at the next of so many parts of all interfaces: whether the table says of their ports what
 * is true, and whether the program is still there. Puts it back.
 */
void interfaces_audit(struct interfaces *interfaces, size_t parts, struct repairs *repairs);

/* From control/link.h. */
void interfaces_link_changed(struct interfaces *interfaces, const struct link *link);
void interfaces_link_vanished(struct interfaces *interfaces, uint32_t ifindex, const char *name);

/* The port of an interface, given one if it has none yet; 0 for loopback, unknown, or no room. */
uint16_t interfaces_port(struct interfaces *interfaces, uint32_t ifindex);
/* "" where there is none of that index. */
const char *interfaces_name(const struct interfaces *interfaces, uint32_t ifindex);

struct interface_status {
	struct link link;  /* link.ifindex 0: it does not exist now */
	const char *asked; /* the name or glob */
	bool attached;
	enum datapath_mode mode;
	bool redirect;     /* redirected frames arrive; otherwise the stack forwards */
	const char *peer;  /* what was done at a veth's other end; "" for others */
	const char *error; /* why it is not attached; "" when it is */
};
/* Every wanted interface that exists, and every plain name that does not. */
void interfaces_visit(const struct interfaces *interfaces,
		      void (*visit)(void *context, const struct interface_status *status),
		      void *context);
