/*
 * lbd's parts in one place, for those that put them together and those that answer requests.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "control/deny.h"
#include "control/fragments.h"
#include "control/health.h"
#include "control/interface.h"
#include "control/loop.h"
#include "control/masquerade.h"
#include "control/neighbour.h"
#include "control/networks.h"
#include "control/operator.h"
#include "control/options.h"
#include "control/proxy_metrics.h"
#include "control/reconcile.h"
#include "lb/datapath.h"

struct daemon {
	struct options options;
	struct loop *loop;
	char *pin_path; /* the way to options.pin_path */
	int pin_lock;   /* on it; -1: not yet */
	struct datapath *datapath;
	struct reconcile *reconcile;
	struct deny_list *deny;
	struct interfaces *interfaces;
	struct neighbours *neighbours;
	struct links *links;
	struct networks *networks;
	struct masquerade_sources *masquerade_sources;
	struct own_addresses *own_addresses;
	struct operator* operator;
	struct server *server;
	struct fragments *fragments;
	struct kube *kube;             /* NULL: there is no cluster */
	struct kube_local *kube_local; /* likewise */
	struct http *http;
	struct health *health;
	struct socket_ender *socket_ender; /* NULL: sockets are left alone */
	struct proxy_metrics proxy;
	struct conntrack *conntrack;    /* while connections are taken over from it; else NULL */
	uint64_t started_ns;            /* CLOCK_MONOTONIC */
	int64_t started_wall_ms;        /* the same of the wall clock */
	struct connection_cursor sweep; /* where the sweep of the connection table goes on */
	struct masquerade_cursor masquerade_sweep; /* and that of masquerades */
	uint64_t connections;                      /* that the last sweep has left */
	uint64_t swept_connections;                /* that this one has, so far */
	struct repairs repairs;                    /* since it started; failures, of this round */
	struct repairs told_repairs;               /* those that are in the log */
	bool failing[_REPAIR_COUNT];               /* in the round before */
	unsigned int audited;                      /* parts of this round */
	int sweep_timer;
	bool sweep_hastened; /* the next one begins soon */
	int expiry_timer;    /* of the deny list */
	int drain_timer;     /* of a deadline within a second */
	int fragment_timer;  /* runs while some are held */
	int takeover_timer;  /* runs while netfilter has connections of ours; 0: it does not */
	uint64_t trimmed_at; /* the number of changes when memory was last given back */
	bool metadata_told;  /* that packets pass without it */
	bool adopted;        /* what an earlier lbd had pinned */
	bool ready;
};

/* Opens everything and listens; lbd is ready a moment later, from the loop. 0 or a refusal. */
int daemon_start(struct daemon *daemon, struct refusal *refusal);
/* Also after a failed start. */
void daemon_finish(struct daemon *daemon);
