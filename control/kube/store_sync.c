/*
 * From the store to the tables: what is queued, what could not be written, what drains. See
 * store.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "control/kube/store_internal.h"
#include "control/log.h"

/* All Services are where the cluster or the zone is another, else those with node ports. */
static bool concerns(const struct kube_group *group, bool whole)
{
	const struct kube_service *service = group->service;

	if (!service || whole)
		return service;
	for (size_t i = 0; i < service->port_count; i++)
		if (service->ports[i].node_port)
			return true;
	return false;
}

void kube_store_set_rules(struct kube_store *store, const struct kube_rules *rules)
{
	const struct kube_rules before = store->rules;
	const char *zone = store->node ? store->node->zone : NULL;
	struct kube_group *group, *next;
	bool whole;

	store->rules = *rules;
	store->rules.zone = zone;
	whole = before.knows_cluster != rules->knows_cluster ||
		!kube_texts_equal(store->zone_in_force, zone);
	free(store->zone_in_force);
	store->zone_in_force = zone ? strdup(zone) : NULL;
	HASH_ITER (hh, store->groups, group, next)
		if (concerns(group, whole))
			store_queue(store, group);
}

static void tell_programmed(struct kube_store *store)
{
	for (size_t i = 0; i < store->trigger_count; i++)
		store->hooks.programmed(store->hooks.context, store->triggers[i].ms,
					store->triggers[i].is_ipv6);
	store->trigger_count = 0;
	store->counts.service_changes_pending = store->counts.endpoint_changes_pending = 0;
}

int kube_store_sync(struct kube_store *store, size_t most)
{
	struct kube_group *group;
	int error = 0;

	for (size_t i = 0; i < most && store->queue; i++) {
		group = store->queue;
		error = store_translate(store, group);
		if (error) {
			log_error("out-of-memory", "what=%s", log_quote(group->name));
			break;
		}
		DL_DELETE2(store->queue, group, queue_prev, queue_next);
		group->is_queued = false;
		store_release_group(store, group);
	}
	writer_flush(&store->writer);
	if (error)
		return error;
	if (store->queue)
		return 1;
	tell_programmed(store);
	if (store->health_changed)
		store->hooks.health_changed(store->hooks.context);
	store->health_changed = false;
	return 0;
}

bool kube_store_retry(struct kube_store *store)
{
	struct claims *claims = &store->writer.claims;
	struct claim *claim, *next;

	if (!claims->blocked)
		return false;
	HASH_ITER (hh, claims->table, claim, next) {
		if (!claim->is_blocked)
			continue;
		if (claim->owner)
			store_queue(store, claim->owner);
		else
			claims_want(claims, claim, NULL);
	}
	return true;
}

void kube_store_begin_pass(struct kube_store *store)
{
	store->writer.pass++;
}

void kube_store_end_pass(struct kube_store *store, struct used_backends used)
{
	writer_drop_unused(&store->writer, used);
}

bool kube_store_any_leaving(const struct kube_store *store)
{
	return store->writer.claims.leaving;
}

void kube_store_take_orphans(struct kube_store *store)
{
	writer_take_orphans(&store->writer);
}

void kube_store_count(const struct kube_store *store, struct kube_counts *counts)
{
	*counts = store->counts;
	counts->blocked = store->writer.claims.blocked;
}

static bool has_health_check(const struct kube_group *group)
{
	return group->service && !group->service->is_skipped && group->service->health_port;
}

int kube_store_list_health(const struct kube_store *store, struct kube_health_check **checks,
			   size_t *count)
{
	struct kube_group *group, *next;
	struct kube_health_check *list;
	size_t room = 1;

	HASH_ITER (hh, store->groups, group, next)
		room += has_health_check(group);
	list = calloc(room, sizeof(*list));
	if (!list)
		return -ENOMEM;
	*count = 0;
	HASH_ITER (hh, store->groups, group, next)
		if (has_health_check(group))
			list[(*count)++] = (struct kube_health_check){
				group->name, group->service->health_port, group->local_endpoints};
	*checks = list;
	return 0;
}
