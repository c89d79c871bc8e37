/*
 * The connection table as lbd sees it: listing, counting, flushing, and sweeping out what has
 * expired.
 */
#pragma once

#include <jansson.h>
#include "control/daemon.h"
#include "lb/service.h"

/* Which connections; NULL: any. */
struct connection_filter {
	const struct service_key *service;
	const struct address *client;
};

json_t *connections_list(const struct daemon *daemon, struct connection_filter filter);
json_t *connections_count(const struct daemon *daemon);
/* The number of connections removed in *flushed. 0 or -errno. */
int connections_flush(struct daemon *daemon, struct connection_filter filter, size_t *flushed);

/*
 * Removes the connections whose timeout has passed or whose backend is gone, a part of the table at
 * a time so that nothing else waits: 1 while there are more, 0 when the table has been seen whole,
 * or -errno.
 */
int connections_sweep_some(struct daemon *daemon);
