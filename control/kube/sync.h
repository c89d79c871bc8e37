/*
 * Kubernetes' objects to the tables, in lbd's loop: when what has changed is written, by which
 * rules, and who is told. Nothing of an earlier lbd is taken out of the tables before the first
 * lists of Services and EndpointSlices are complete and written; while the API server is away, what
 * is in the tables goes on.
 */
#pragma once

#include "control/kube/store.h"
#include "control/kube/watch.h"
#include "control/loop.h"

#define KUBE_SYNC_INTERVAL_MS 100 /* between two writes; the first change is written at once */

struct kube_sync;

/* Whom it works for; all but the loop and reconcile may be told nothing (NULL). */
struct kube_sync_hooks {
	void *context;
	/* Changes wait to be written, and: none does any more. */
	void (*queued)(void *context);
	void (*synced)(void *context);
	/* The first lists are about to be written, and are in the tables. */
	void (*begin)(void *context);
	void (*complete)(void *context);
	void (*node_changed)(void *context, const struct kube_node *node);
	/* kube_store_list_health has others. */
	void (*health_changed)(void *context);
};

/* What is measured, in seconds. */
struct kube_observer {
	void *context;
	void (*synced)(void *context, double seconds, bool is_full);
	void (*programmed)(void *context, double seconds, bool is_ipv6);
};

/* Numbers for metrics and `lbctl status`; times in milliseconds of the wall clock, 0: never. */
struct kube_sync_status {
	struct kube_counts counts;
	int64_t queued_ms;
	uint64_t syncs;
	bool is_complete; /* the first lists are in the tables */
};

/* `node` is the name of this one. NULL with errno set. */
struct kube_sync *kube_sync_new(struct loop *loop, struct reconcile *reconcile, const char *node,
				const struct kube_sync_hooks *hooks);
void kube_sync_free(struct kube_sync *sync);

/* For the watch of that kind. */
struct kube_watch_hooks kube_sync_watch_hooks(struct kube_sync *sync, enum kube_kind kind);

/* As kube_store_set_rules has it. */
void kube_sync_set_rules(struct kube_sync *sync, const struct kube_rules *rules);
void kube_sync_observe(struct kube_sync *sync, const struct kube_observer *observer);

struct kube_store *kube_sync_store(struct kube_sync *sync);
void kube_sync_describe(const struct kube_sync *sync, struct kube_sync_status *status);
