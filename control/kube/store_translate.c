/*
 * One group of the store to claims: which addresses and ports its Service has, and what is to be
 * there. See store_internal.h.
 */
#include "control/kube/store_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "control/log.h"

static bool comes_before(const struct kube_group *a, const struct kube_group *b)
{
	const int64_t left = a->service ? a->service->created_ms : INT64_MAX;
	const int64_t right = b->service ? b->service->created_ms : INT64_MAX;

	return left != right ? left < right : strcmp(a->name, b->name) < 0;
}

/* An address is free that others may have been waiting for. */
static void call_losers(struct kube_store *store)
{
	struct kube_group *group, *next;

	HASH_ITER (hh, store->groups, group, next)
		if (group->has_lost)
			store_queue(store, group);
}

static void lose(struct kube_store *store, struct kube_group *loser, struct claim *claim)
{
	char text[ENDPOINT_TEXT_MAX];

	loser->has_lost = true;
	claim->is_contested = true;
	if (complaints_raise(&store->writer.complaints, "kube-clash", loser->name))
		log_warning("kube-clash", "name=%s service=%s holder=%s", log_quote(loser->name),
			    service_key_format(&claim->key, text), log_quote(claim->owner->name));
}

/* The claim, if the group may have it. */
static bool win(struct kube_store *store, struct kube_group *group, struct claim *claim)
{
	struct kube_group *holder = claim->owner;

	if (holder == group)
		return true;
	if (holder && comes_before(holder, group)) {
		lose(store, group, claim);
		return false;
	}
	if (holder) {
		claim_take_away(claim, &holder->claims);
		store_queue(store, holder);
		/* Who has lost to the holder may yet come before us, if its Service has changed. */
		if (claim->is_contested)
			call_losers(store);
		claim->is_contested = true;
	}
	claim_give(claim, group, &group->claims);
	return true;
}

static int take(struct kube_store *store, struct kube_group *group, struct service **service)
{
	struct claim *claim = claims_get(&store->writer.claims, &(*service)->key);

	if (!claim)
		return -ENOMEM;
	/* Named twice by one Service, the first time counts. */
	if (!win(store, group, claim) || claim->round == store->round)
		return 0;
	claim->round = store->round;
	claims_want(&store->writer.claims, claim, *service);
	*service = NULL;
	return 0;
}

static void release_others(struct kube_store *store, struct kube_group *group)
{
	struct claim *claim, *next;

	for (claim = group->claims; claim; claim = next) {
		next = claim->next;
		if (claim->round == store->round)
			continue;
		claim_take_away(claim, &group->claims);
		claims_want(&store->writer.claims, claim, NULL);
		if (claim->is_contested)
			call_losers(store);
		claim->is_contested = false;
	}
}

/* Says once what is left out of a Service, and again when it was right in between. */
static void tell(struct kube_store *store, const struct kube_group *group, const char *event,
		 const char *why)
{
	struct complaints **complaints = &store->writer.complaints;

	if (!why)
		complaints_settle(complaints, event, group->name);
	else if (complaints_raise(complaints, event, group->name))
		log_warning(event, "name=%s why=%s", log_quote(group->name), log_quote(why));
}

static void tell_left_out(struct kube_store *store, const struct kube_group *group,
			  const struct kube_translation *translation)
{
	tell(store, group, "kube-external-address",
	     translation->denied ? "an external address is in no --external-ip-range" : NULL);
	tell(store, group, "kube-sctp-port",
	     translation->unequal_port ? "endpoints of SCTP must have the service's port" : NULL);
	tell(store, group, "kube-endpoints",
	     translation->has_too_many ? "more endpoints than a service may have" : NULL);
	tell(store, group, "kube-address", translation->unusable[0] ? translation->unusable : NULL);
	if (!group->has_lost)
		complaints_settle(&store->writer.complaints, "kube-clash", group->name);
}

static void replace_count(size_t *total, uint16_t *counted, size_t now)
{
	*total += now - *counted;
	*counted = (uint16_t)now;
}

static void count(struct kube_store *store, struct kube_group *group,
		  const struct kube_translation *translation)
{
	struct kube_counts *counts = &store->counts;

	for (int i = 0; i < 2; i++) {
		replace_count(&counts->no_local_internal[i], &group->no_local_internal[i],
			      translation->no_local_internal[i]);
		replace_count(&counts->no_local_external[i], &group->no_local_external[i],
			      translation->no_local_external[i]);
	}
	if (group->local_endpoints == translation->local_endpoints)
		return;
	group->local_endpoints = (uint32_t)translation->local_endpoints;
	store->health_changed = true;
}

/* Deleted and created anew, it may not come first any more. */
static void note_age(struct kube_store *store, struct kube_group *group)
{
	const int64_t created_ms = group->service ? group->service->created_ms : 0;
	const struct claim *claim = group->claims;

	while (claim && !claim->is_contested)
		claim = claim->next;
	if (claim && created_ms != group->created_ms)
		call_losers(store);
	group->created_ms = created_ms;
}

static const struct kube_slice **list_slices(const struct kube_group *group, size_t *count)
{
	const struct kube_slice **slices;
	const struct stored_slice *stored;
	size_t room = 0;

	for (stored = group->slices; stored; stored = stored->next)
		room++;
	slices = calloc(room + 1, sizeof(const struct kube_slice *));
	*count = 0;
	for (stored = group->slices; slices && stored; stored = stored->next)
		slices[(*count)++] = stored->slice;
	return slices;
}

static int find_services(struct kube_store *store, struct kube_group *group,
			 struct kube_translation *translation)
{
	const struct kube_slice **slices;
	size_t slice_count;
	int error;

	*translation = (struct kube_translation){};
	if (!group->service)
		return 0;
	slices = list_slices(group, &slice_count);
	if (!slices)
		return -ENOMEM;
	error = kube_translate(group->service, slices, slice_count, &store->rules, translation);
	free(slices);
	return error;
}

int store_translate(struct kube_store *store, struct kube_group *group)
{
	struct kube_translation translation;
	int error = find_services(store, group, &translation);

	store->round++;
	group->has_lost = false;
	for (size_t i = 0; !error && i < translation.count; i++)
		error = take(store, group, &translation.services[i]);
	if (!error) {
		release_others(store, group);
		note_age(store, group);
		count(store, group, &translation);
		tell_left_out(store, group, &translation);
	}
	kube_translation_finish(&translation);
	return error;
}
