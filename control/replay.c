/*
 * Replay: see replay.h.
 */
#include "control/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "control/deny_words.h"
#include "control/log.h"
#include "control/tables.h"

int replay_init(struct replay *replay)
{
	*replay = (struct replay){.services = json_object(), .denied = json_object()};
	if (replay->services && replay->denied)
		return 0;
	replay_finish(replay);
	return -ENOMEM;
}

void replay_finish(struct replay *replay)
{
	json_decref(replay->services);
	json_decref(replay->denied);
	*replay = (struct replay){};
}

static int out_of_memory(struct refusal *refusal)
{
	return refuse_with(refusal, ENOMEM, "out of memory");
}

static int put(struct replay *replay, json_t *service, struct refusal *refusal)
{
	struct service *decoded;
	char text[ENDPOINT_TEXT_MAX];
	int error = tables_decode_service(service, "service", &decoded, refusal);

	if (error)
		return error;
	service_key_format(&decoded->key, text);
	service_free(decoded);
	return json_object_set(replay->services, text, service) ? out_of_memory(refusal) : 0;
}

static int put_all(struct replay *replay, const json_t *services, struct refusal *refusal)
{
	json_t *item;
	size_t i;
	int error = 0;

	json_array_foreach (services, i, item)
		if (!error)
			error = put(replay, item, refusal);
	return error;
}

int replay_change(struct replay *replay, const json_t *change, struct refusal *refusal)
{
	const char *key;
	json_t *item;
	size_t i;
	int error;

	json_array_foreach (json_object_get(change, "remove"), i, item) {
		key = json_string_value(item);
		if (key && json_object_set_new(replay->services, key, json_null()))
			return out_of_memory(refusal);
	}
	error = put_all(replay, json_object_get(change, "put"), refusal);
	return error ? error : deny_replay(replay->denied, change, refusal);
}

int replay_snapshot(struct replay *replay, const json_t *snapshot, struct refusal *refusal)
{
	int error = put_all(replay, json_object_get(snapshot, "services"), refusal);

	return error ? error : deny_replay(replay->denied, snapshot, refusal);
}

/* What of a removal is the operator's to remove. */
static bool is_removed(const struct reconcile *reconcile, const char *key, struct change *change)
{
	const struct entry *entry;
	struct refusal ignored;

	*change = (struct change){};
	if (service_key_parse(key, &change->key, &ignored))
		return false;
	entry = reconcile_find(reconcile, &change->key);
	return entry && entry->service->source == SOURCE_OPERATOR;
}

/* What of a put is another source's by now: nothing the operator brings can take its place. */
static const struct entry *find_foreign(const struct reconcile *reconcile,
					const struct service_key *key)
{
	const struct entry *entry = reconcile_find(reconcile, key);

	return entry && entry->service->source != SOURCE_OPERATOR ? entry : NULL;
}

size_t replay_tell_foreign(const struct replay *replay, const struct reconcile *reconcile)
{
	const struct entry *foreign;
	struct service_key parsed;
	struct refusal ignored;
	const char *key;
	size_t told = 0;
	json_t *value;

	json_object_foreach (replay->services, key, value) {
		if (json_is_null(value) || service_key_parse(key, &parsed, &ignored))
			continue;
		foreign = find_foreign(reconcile, &parsed);
		if (!foreign)
			continue;
		log_error("change-dropped", "service=%s why=%s source=%s", key,
			  log_quote("stored, but before it was in force it came to be another "
				    "source's"),
			  source_name(foreign->service->source));
		told++;
	}
	return told;
}

/* The caller's, and the services in it. NULL: out of memory. */
static struct change *collect(const struct replay *replay, const struct reconcile *reconcile,
			      bool removes, size_t *count)
{
	struct change *changes = calloc(json_object_size(replay->services) + 1, sizeof(*changes));
	struct refusal ignored;
	struct change change;
	const char *key;
	json_t *value;
	int error;

	*count = 0;
	if (!changes)
		return NULL;
	json_object_foreach (replay->services, key, value) {
		if (json_is_null(value)) {
			if (removes && is_removed(reconcile, key, &change))
				changes[(*count)++] = change;
			continue;
		}
		/* It was decoded before, so that nothing but memory can be lacking. */
		error = tables_decode_service(value, key, &change.service, &ignored);
		if (error) {
			while (*count)
				service_free(changes[--*count].service);
			free(changes);
			return NULL;
		}
		change.key = change.service->key;
		if (removes && find_foreign(reconcile, &change.key))
			service_free(change.service);
		else
			changes[(*count)++] = change;
	}
	return changes;
}

static int bring_services(const struct replay *replay, struct reconcile *reconcile, bool removes,
			  struct refusal *refusal)
{
	struct transaction_counts counts;
	struct transaction *transaction;
	size_t count;
	struct change *changes = collect(replay, reconcile, removes, &count);
	int error;

	if (!changes)
		return out_of_memory(refusal);
	error = reconcile_prepare(reconcile, SOURCE_OPERATOR, changes, count, &transaction,
				  refusal);
	free(changes);
	if (error)
		return error;
	counts = transaction_counts(transaction);
	error = reconcile_apply(reconcile, transaction);
	if (error)
		return refuse_with(refusal, -error, "cannot write the tables: %s",
				   strerror(-error));
	if (counts.added && !removes)
		log_info("state-loaded", "services=%zu", counts.added);
	return 0;
}

static size_t drop_removals(struct deny_change *changes, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (changes[i].until_ms != DENY_NEVER)
			changes[kept++] = changes[i];
	return kept;
}

static int bring_denied(const struct replay *replay, struct deny_list *deny, bool removes,
			struct refusal *refusal)
{
	struct transaction_counts counts = {};
	struct deny_change *changes;
	size_t count;
	int error;

	changes = deny_collect(replay->denied, &count);
	if (!changes)
		return out_of_memory(refusal);
	if (!removes)
		count = drop_removals(changes, count);
	error = deny_list_check(deny, SOURCE_OPERATOR, changes, count, &counts, refusal);
	if (!error) {
		error = deny_list_apply(deny, SOURCE_OPERATOR, changes, count);
		if (error)
			refuse(refusal, "cannot write the deny list: %s", strerror(-error));
	}
	free(changes);
	return error;
}

int replay_bring(const struct replay *replay, struct reconcile *reconcile, struct deny_list *deny,
		 bool removes, struct refusal *refusal)
{
	int error = bring_services(replay, reconcile, removes, refusal);

	return error ? error : bring_denied(replay, deny, removes, refusal);
}
