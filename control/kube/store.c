/*
 * The store: see store.h.
 */
#include "control/kube/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "control/kube/store_internal.h"
#include "control/log.h"

struct kube_store *kube_store_new(struct reconcile *reconcile, const char *node,
				  const struct kube_store_hooks *hooks)
{
	struct kube_store *store = calloc(1, sizeof(*store));

	if (!store)
		return NULL;
	store->writer.reconcile = reconcile;
	store->hooks = *hooks;
	store->node_name = strdup(node);
	if (store->node_name)
		return store;
	free(store);
	return NULL;
}

static void free_slice(struct kube_store *store, struct stored_slice *stored)
{
	HASH_DEL(store->slices, stored);
	kube_slice_free(stored->slice);
	free(stored);
}

static void free_groups(struct kube_store *store)
{
	struct stored_slice *slice, *next_slice;
	struct kube_group *group, *next;

	HASH_ITER (hh, store->slices, slice, next_slice)
		free_slice(store, slice);
	HASH_ITER (hh, store->groups, group, next) {
		HASH_DEL(store->groups, group);
		kube_service_free(group->service);
		free(group->name);
		free(group);
	}
}

void kube_store_free(struct kube_store *store)
{
	if (!store)
		return;
	writer_finish(&store->writer);
	free_groups(store);
	kube_node_free(store->node);
	free(store->triggers);
	free(store->zone_in_force);
	free(store->node_name);
	free(store);
}

/* What is wrong with an object is told by its name, if it has one. */
static void refuse_object(struct kube_store *store, const char *kind, const json_t *object,
			  const struct refusal *refusal)
{
	char *name = kube_object_name(object);

	if (complaints_raise(&store->writer.complaints, kind, name ? name : ""))
		log_warning("kube-object", "kind=%s name=%s reason=%s", kind,
			    log_quote(name ? name : ""), log_quote(refusal->text));
	free(name);
}

static void change_service(struct kube_store *store, struct kube_group *group,
			   struct kube_service *service)
{
	if (group->service)
		store->health_changed |= group->service->health_port;
	if (service)
		store->health_changed |= service->health_port;
	store->counts.services += !!service;
	store->counts.services -= !!group->service;
	store->counts.service_changes++;
	store->counts.service_changes_pending++;
	kube_service_free(group->service);
	group->service = service;
	store_queue(store, group);
}

/* 0 or -ENOMEM: what was there before is there still. */
static int put_service(struct kube_store *store, const json_t *object)
{
	struct kube_service *service = NULL;
	struct kube_group *group;
	struct refusal refusal;
	char *name = kube_object_name(object);
	int error = kube_service_decode(object, &service, &refusal);

	if (error == -ENOMEM) {
		free(name);
		return error;
	}
	if (error)
		refuse_object(store, "Service", object, &refusal);
	else if (name)
		complaints_settle(&store->writer.complaints, "Service", name);
	group = name ? store_get_group(store, name) : NULL;
	free(name);
	if (!group) {
		kube_service_free(service);
		return -ENOMEM;
	}
	group->list = store->list[KUBE_SERVICES];
	if (error || (group->service && kube_service_equal(group->service, service)))
		kube_service_free(service);
	else
		change_service(store, group, service);
	store_release_group(store, group);
	return 0;
}

static void remove_service(struct kube_store *store, const char *name)
{
	struct kube_group *group;

	HASH_FIND_STR(store->groups, name, group);
	complaints_settle(&store->writer.complaints, "Service", name);
	if (group && group->service)
		change_service(store, group, NULL);
}

static int put_node(struct kube_store *store, const json_t *object)
{
	struct kube_node *node = NULL;
	struct refusal refusal;
	int error = kube_node_decode(object, &node, &refusal);
	bool same;

	if (error == -ENOMEM)
		return error;
	if (error) {
		refuse_object(store, "Node", object, &refusal);
		return 0;
	}
	complaints_settle(&store->writer.complaints, "Node", store->node_name);
	complaints_settle(&store->writer.complaints, "kube-no-node", store->node_name);
	same = store->node && kube_node_equal(store->node, node);
	if (same) {
		kube_node_free(node);
		return 0;
	}
	kube_node_free(store->node);
	store->node = node;
	kube_store_set_rules(store, &store->rules);
	store->hooks.node_changed(store->hooks.context, node);
	return 0;
}

void kube_store_begin(struct kube_store *store, enum kube_kind kind)
{
	store->list[kind]++;
}

int kube_store_put(struct kube_store *store, enum kube_kind kind, const json_t *object)
{
	if (kind == KUBE_SERVICES)
		return put_service(store, object);
	if (kind == KUBE_SLICES)
		return store_put_slice(store, object);
	return put_node(store, object);
}

/* A Node that is gone is not ours to judge: lbd would be gone with it. */
int kube_store_remove(struct kube_store *store, enum kube_kind kind, const json_t *object)
{
	char *name = kube_object_name(object);

	if (name && kind == KUBE_SERVICES)
		remove_service(store, name);
	if (name && kind == KUBE_SLICES)
		store_remove_slice(store, name);
	free(name);
	return name ? 0 : -ENOMEM;
}

/* Without it no endpoint is this node's: the name is wrong, most likely. */
static void miss_node(struct kube_store *store)
{
	if (complaints_raise(&store->writer.complaints, "kube-no-node", store->node_name))
		log_warning("kube-no-node", "name=%s why=%s", log_quote(store->node_name),
			    log_quote("the cluster has no such Node, so no endpoint is taken for "
				      "one of this node; --node says its name"));
}

void kube_store_end(struct kube_store *store, enum kube_kind kind)
{
	const uint32_t list = store->list[kind];
	struct kube_group *group, *next;

	store->is_listed[kind] = true;
	if (kind == KUBE_NODES && !store->node)
		miss_node(store);
	if (kind == KUBE_SLICES)
		store_end_slices(store);
	if (kind != KUBE_SERVICES)
		return;
	HASH_ITER (hh, store->groups, group, next)
		if (group->service && group->list != list)
			change_service(store, group, NULL);
}

const struct kube_node *kube_store_node(const struct kube_store *store)
{
	return store->node;
}
