/*
 * What the files of the store share. Nobody else includes this.
 */
#pragma once

#include "control/kube/claims.h"
#include "control/kube/store.h"
#include "control/kube/writer.h"

#define MAX_TRIGGERS 4096 /* changes whose latency is told when they are written */

struct stored_slice {
	struct kube_slice *slice;
	struct kube_group *group; /* NULL: it belongs to none */
	struct stored_slice *prev, *next;
	uint32_t list; /* the last that had it */
	UT_hash_handle hh;
};

/* A Service, or the slices of one that is not there. */
struct kube_group {
	char *name;
	struct kube_service *service; /* NULL: there is none */
	struct stored_slice *slices;
	struct claim *claims;
	struct kube_group *queue_prev, *queue_next;
	int64_t created_ms; /* of the service that its claims are by */
	uint32_t list;      /* the last that had its service */
	uint32_t local_endpoints;
	uint16_t no_local_internal[2], no_local_external[2];
	bool is_queued;
	bool has_lost; /* an address to another group */
	UT_hash_handle hh;
};

struct trigger {
	int64_t ms;
	bool is_ipv6;
};

struct kube_store {
	struct writer writer;
	struct kube_store_hooks hooks;
	char *node_name;
	struct kube_node *node;
	struct kube_group *groups;
	struct stored_slice *slices;
	struct kube_group *queue;
	struct kube_rules rules;
	char *zone_in_force; /* what the rules last were applied with; NULL: none */
	struct kube_counts counts;
	struct trigger *triggers;
	size_t trigger_count, trigger_room;
	uint32_t list[_KUBE_KIND_COUNT]; /* lists that have begun */
	uint32_t round;
	bool is_listed[_KUBE_KIND_COUNT]; /* one is complete */
	bool health_changed;
};

/* store_group.c. NULL: out of memory. */
struct kube_group *store_get_group(struct kube_store *store, const char *name);
void store_queue(struct kube_store *store, struct kube_group *group);
/* Where nothing needs it any more. */
void store_release_group(struct kube_store *store, struct kube_group *group);

/* store_slice.c. 0 or -ENOMEM: what was there before is there still. */
int store_put_slice(struct kube_store *store, const json_t *object);
void store_remove_slice(struct kube_store *store, const char *name);
void store_end_slices(struct kube_store *store);

/* store_translate.c. 0 or -ENOMEM: it stays queued. */
int store_translate(struct kube_store *store, struct kube_group *group);
