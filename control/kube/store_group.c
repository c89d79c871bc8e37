/*
 * The groups of the store: found, queued, released. See store_internal.h.
 */
#include "control/kube/store_internal.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct kube_group *store_get_group(struct kube_store *store, const char *name)
{
	struct kube_group *group;

	HASH_FIND_STR(store->groups, name, group);
	if (group)
		return group;
	group = calloc(1, sizeof(*group));
	if (!group)
		return NULL;
	group->name = strdup(name);
	if (group->name)
		HASH_ADD_KEYPTR(hh, store->groups, group->name, strlen(group->name), group);
	if (group->name && group->hh.tbl)
		return group;
	free(group->name);
	free(group);
	return NULL;
}

void store_queue(struct kube_store *store, struct kube_group *group)
{
	if (group->is_queued)
		return;
	group->is_queued = true;
	DL_APPEND2(store->queue, group, queue_prev, queue_next);
	store->hooks.queued(store->hooks.context);
}

void store_release_group(struct kube_store *store, struct kube_group *group)
{
	if (group->service || group->slices || group->claims || group->is_queued)
		return;
	HASH_DEL(store->groups, group);
	free(group->name);
	free(group);
}
