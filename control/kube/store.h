/*
 * What the API server has told, and what of it is in the tables: Services with the slices that
 * belong to them, the own Node, and a queue of those whose services are to be found anew. It knows
 * nothing of sockets and timers.
 *
 * An object that cannot be read is in the log once, by its name; what was known of it before stays
 * in force.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include "control/kube/leaving.h"
#include "control/kube/translate.h"
#include "control/reconcile.h"

struct kube_store;

enum kube_kind {
	KUBE_SERVICES,
	KUBE_SLICES,
	KUBE_NODES, /* this one */
	_KUBE_KIND_COUNT,
};

/* Numbers for metrics. In arrays of two by address family, IPv4 first. */
struct kube_counts {
	uint64_t service_changes, endpoint_changes;               /* since the start */
	size_t service_changes_pending, endpoint_changes_pending; /* not in the tables yet */
	size_t no_local_internal[2]; /* ports whose policy is Local, with endpoints elsewhere alone
				      */
	size_t no_local_external[2];
	size_t blocked; /* services that are another source's, or that a table has no room for */
	size_t services, slices;
};

/* A Service with a health check node port. Its name is NS/NAME, the store's. */
struct kube_health_check {
	const char *name;
	uint16_t port;
	size_t local_endpoints;
};

struct kube_store_hooks {
	void *context;
	/* Something is queued. */
	void (*queued)(void *context);
	/* Of a change that is in the tables now: when what led to it happened, of the wall clock.
	 */
	void (*programmed)(void *context, int64_t triggered_ms, bool is_ipv6);
	/* The own Node is another, or there is one. */
	void (*node_changed)(void *context, const struct kube_node *node);
	/* The health checks are others. */
	void (*health_changed)(void *context);
};

/* `node` is the name of this one, copied. The datapath's reconcile must outlive it. */
struct kube_store *kube_store_new(struct reconcile *reconcile, const char *node,
				  const struct kube_store_hooks *hooks);
/* What is in the tables stays. NULL is none. */
void kube_store_free(struct kube_store *store);

/* As the hooks of a watch have it (watch.h). */
void kube_store_begin(struct kube_store *store, enum kube_kind kind);
int kube_store_put(struct kube_store *store, enum kube_kind kind, const json_t *object);
int kube_store_remove(struct kube_store *store, enum kube_kind kind, const json_t *object);
void kube_store_end(struct kube_store *store, enum kube_kind kind);

/*
 * Other rules, whose arrays are the caller's and must stay; the zone is the store's own. Whatever
 * they concern is queued.
 */
void kube_store_set_rules(struct kube_store *store, const struct kube_rules *rules);

/*
 * Finds the services of some that are queued, and writes what has changed. Whether there are more.
 */
int kube_store_sync(struct kube_store *store, size_t most);
/* What could not be written is queued again. Whether there was any. */
bool kube_store_retry(struct kube_store *store);

/* A pass over the connections begins, and has ended: see writer.h. */
void kube_store_begin_pass(struct kube_store *store);
void kube_store_end_pass(struct kube_store *store, struct used_backends used);
bool kube_store_any_leaving(const struct kube_store *store);

/* After the first sync: what an earlier lbd has left and no source has brought drains. */
void kube_store_take_orphans(struct kube_store *store);

void kube_store_count(const struct kube_store *store, struct kube_counts *counts);
const struct kube_node *kube_store_node(const struct kube_store *store);
/* For the caller to free. 0 or -ENOMEM. */
int kube_store_list_health(const struct kube_store *store, struct kube_health_check **checks,
			   size_t *count);
