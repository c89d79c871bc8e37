/*
 * The slices of the store: which group each belongs to. See store_internal.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "control/kube/store_internal.h"
#include "control/log.h"

static void note_change(struct kube_store *store)
{
	store->counts.endpoint_changes++;
	store->counts.endpoint_changes_pending++;
}

/* Changes of which nobody knows when they were caused, or which were listed, are not measured. */
static void note_trigger(struct kube_store *store, const struct kube_slice *slice)
{
	struct trigger *triggers = store->triggers;

	if (!slice->triggered_ms || !store->is_listed[KUBE_SLICES] ||
	    store->trigger_count == MAX_TRIGGERS)
		return;
	if (store->trigger_count == store->trigger_room) {
		triggers = reallocarray(triggers, store->trigger_room + 64, sizeof(*triggers));
		if (!triggers)
			return;
		store->triggers = triggers;
		store->trigger_room += 64;
	}
	triggers[store->trigger_count++] = (struct trigger){slice->triggered_ms, slice->is_ipv6};
}

static void leave_group(struct kube_store *store, struct stored_slice *stored)
{
	struct kube_group *group = stored->group;

	if (!group)
		return;
	DL_DELETE(group->slices, stored);
	stored->group = NULL;
	store_queue(store, group);
}

static void remove_stored(struct kube_store *store, struct stored_slice *stored)
{
	note_change(store);
	leave_group(store, stored);
	HASH_DEL(store->slices, stored);
	kube_slice_free(stored->slice);
	free(stored);
	store->counts.slices--;
}

/* NULL: out of memory. It has no slice yet. */
static struct stored_slice *add_stored(struct kube_store *store, struct kube_slice *slice)
{
	struct stored_slice *stored = calloc(1, sizeof(*stored));

	if (!stored)
		return NULL;
	stored->slice = slice;
	HASH_ADD_KEYPTR(hh, store->slices, slice->name, strlen(slice->name), stored);
	if (stored->hh.tbl) {
		store->counts.slices++;
		return stored;
	}
	free(stored);
	return NULL;
}

/* The key is the slice's name, so the entry is made anew. NULL: out of memory. */
static struct stored_slice *replace(struct kube_store *store, struct stored_slice *stored,
				    struct kube_slice *slice)
{
	struct stored_slice *fresh = add_stored(store, slice);

	if (!fresh)
		return NULL;
	if (stored)
		remove_stored(store, stored);
	else
		note_change(store);
	return fresh;
}

static int change_slice(struct kube_store *store, struct stored_slice *stored,
			struct kube_slice *slice)
{
	struct kube_group *group = slice->service ? store_get_group(store, slice->service) : NULL;

	if (slice->service && !group)
		return -ENOMEM;
	stored = replace(store, stored, slice);
	if (!stored) {
		if (group)
			store_release_group(store, group);
		return -ENOMEM;
	}
	stored->list = store->list[KUBE_SLICES];
	note_trigger(store, slice);
	if (!group)
		return 0;
	stored->group = group;
	DL_APPEND(group->slices, stored);
	store_queue(store, group);
	return 0;
}

static struct stored_slice *find(const struct kube_store *store, const char *name)
{
	struct stored_slice *stored;

	HASH_FIND_STR(store->slices, name, stored);
	return stored;
}

static void refuse_slice(struct kube_store *store, const char *name, const struct refusal *refusal)
{
	struct stored_slice *stored = name ? find(store, name) : NULL;

	if (stored)
		stored->list = store->list[KUBE_SLICES];
	if (complaints_raise(&store->writer.complaints, "EndpointSlice", name ? name : ""))
		log_warning("kube-object", "kind=EndpointSlice name=%s reason=%s",
			    log_quote(name ? name : ""), log_quote(refusal->text));
}

int store_put_slice(struct kube_store *store, const json_t *object)
{
	struct kube_slice *slice = NULL;
	struct stored_slice *stored;
	struct refusal refusal;
	char *name;
	int error = kube_slice_decode(object, store->node_name, &slice, &refusal);

	if (error == -ENOMEM)
		return error;
	if (error) {
		name = kube_object_name(object);
		refuse_slice(store, name, &refusal);
		error = name ? 0 : -ENOMEM;
		free(name);
		return error;
	}
	complaints_settle(&store->writer.complaints, "EndpointSlice", slice->name);
	stored = find(store, slice->name);
	if (!stored || !kube_slice_equal(stored->slice, slice)) {
		error = change_slice(store, stored, slice);
		if (error)
			kube_slice_free(slice);
		return error;
	}
	stored->list = store->list[KUBE_SLICES];
	kube_slice_free(slice);
	return 0;
}

void store_remove_slice(struct kube_store *store, const char *name)
{
	struct stored_slice *stored = find(store, name);

	complaints_settle(&store->writer.complaints, "EndpointSlice", name);
	if (stored)
		remove_stored(store, stored);
}

void store_end_slices(struct kube_store *store)
{
	struct stored_slice *stored, *next;

	HASH_ITER (hh, store->slices, stored, next)
		if (stored->list != store->list[KUBE_SLICES])
			remove_stored(store, stored);
}
