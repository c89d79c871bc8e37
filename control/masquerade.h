/*
 * What masqueraded connections leave as: which address by which interface, and which ports of this
 * node the kernel gives to nobody, so that no process of it comes to have the same end.
 */
#pragma once

#include "control/interface.h"
#include "control/own_address.h"
#include "lb/datapath.h"

/*
 * All ports from 1024 on that the kernel does not give to sockets which ask for none; where that
 * leaves too few, the upper ones all the same. False: so it is.
 */
bool masquerade_choose_ports(struct masquerade_ports *ports);

/* `FIRST-LAST`; 0 or -EINVAL. */
int masquerade_parse_ports(const char *text, struct masquerade_ports *ports);

struct masquerade_sources;

/* NULL: out of memory. The datapath must outlive it. */
struct masquerade_sources *masquerade_sources_new(struct datapath *datapath);
void masquerade_sources_free(struct masquerade_sources *sources);

/*
 * To be said when addresses or interfaces have changed. Connections that are there keep theirs. 0
 * or -errno of what the kernel refused, which the next time is tried again.
 */
int masquerade_sources_update(struct masquerade_sources *sources, struct interfaces *interfaces,
			      const struct own_address *addresses, size_t count);
