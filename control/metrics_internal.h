/*
 * A scrape, and the parts that it is made of.
 */
#pragma once

#include "control/daemon.h"
#include "control/metrics_text.h"

struct scrape {
	const struct daemon *daemon;
	struct metrics_text text;
	size_t part; /* the one that is being written */
	/* Services as they were when it began: they may come and go before it ends. */
	struct service_key *keys;
	size_t key_count;
	size_t family;  /* of metrics of services and backends, the one that is being written */
	size_t service; /* the next of keys */
};

/* Each writes all that it has to say, or some of it: whether that was all. */
bool metrics_write_proxy(struct scrape *scrape);
bool metrics_write_node(struct scrape *scrape);
bool metrics_write_datapath(struct scrape *scrape);
bool metrics_write_services(struct scrape *scrape);

/* Whether there are few enough to tell of each service and backend. */
bool metrics_has_detail(const struct daemon *daemon);
