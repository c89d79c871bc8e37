/*
 * Operator: changes from the control socket, and their replay at the start.
 */
#include "control/operator.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "control/deny_words.h"
#include "control/json_scratch.h"
#include "control/json_text.h"
#include "control/log.h"
#include "control/owed.h"
#include "control/replay.h"
#include "control/state.h"

struct operator
{
	struct reconcile *reconcile;
	struct deny_list *deny;
	struct state *state;
	struct owed owed;    /* stored, and not in force */
	struct refusal told; /* why it is not, as the log has it; empty: nothing was told */
	bool incomplete;     /* a part of the state was lost */
};

/* What is changed at once. The services are consumed, the rest is borrowed. */
struct edit {
	struct change *changes;
	size_t count;
	const struct deny_change *deny;
	size_t deny_count;
};

/* The snapshot and the changes after it. */
static int replay(struct operator* operator, const json_t * snapshot, const json_t *journal,
		  struct refusal *refusal)
{
	struct replay replay;
	json_t *item;
	size_t i;
	int error;

	if (replay_init(&replay))
		return refuse_with(refusal, ENOMEM, "out of memory");
	error = replay_snapshot(&replay, snapshot, refusal);
	json_array_foreach (journal, i, item)
		if (!error)
			error = replay_change(&replay, item, refusal);
	if (!error)
		error = replay_bring(&replay, operator->reconcile, operator->deny, false, refusal);
	replay_finish(&replay);
	return error;
}

/* Damage is kept aside and told, and what was read before it counts. */
static int open_state(struct operator* operator, const char * path, json_t **snapshot,
		      json_t **journal, struct refusal *refusal)
{
	struct refusal damage;
	char *kept = NULL;
	int error = state_open(path, &operator->state, snapshot, journal, refusal);

	if (error != -EINVAL)
		return error;
	damage = *refusal;
	error = state_put_aside(path, &kept, refusal);
	if (error)
		return error;
	if (kept) {
		operator->incomplete = true;
		log_error("state-damaged", "reason=%s kept=%s means=%s", log_quote(damage.text),
			  log_quote(kept),
			  log_quote("the operator's changes from there on are not known; what is "
				    "pinned of them goes on until the next start"));
	}
	free(kept);
	return state_open(path, &operator->state, snapshot, journal, refusal);
}

bool operator_is_incomplete(const struct operator* operator)
{
	return operator->incomplete;
}

int operator_open(struct operated operated, const char *state_path, struct operator** operator,
		  struct refusal * refusal)
{
	struct operator* opened = calloc(1, sizeof(*opened));
	json_t *snapshot = NULL, *journal = NULL;
	int error;

	if (!opened)
		return refuse_with(refusal, ENOMEM, "out of memory");
	opened->reconcile = operated.reconcile;
	opened->deny = operated.deny;
	error = open_state(opened, state_path, &snapshot, &journal, refusal);
	if (!error)
		error = replay(opened, snapshot, journal, refusal);
	json_decref(snapshot);
	json_decref(journal);
	if (error)
		operator_close(opened);
	else
		*operator= opened;
	return error;
}

void operator_close(struct operator* operator)
{
	if (!operator)
		return;
	state_close(operator->state);
	owed_finish(&operator->owed);
	free(operator);
}

static void add_key(struct json_text *text, const struct service_key *key)
{
	char words[ENDPOINT_TEXT_MAX];

	json_text_add_element(text, json_string(service_key_format(key, words)));
}

/* {"put": [SERVICE…], "remove": [KEY…]} and what is denied; NULL when out of memory. */
static char *encode_edit(const struct edit *edit)
{
	const struct change *changes = edit->changes;
	const size_t count = edit->count;
	struct json_text text = {0};
	struct json_scratch scratch;

	json_scratch_open(&scratch);
	json_text_add(&text, "{\"put\":[");
	for (size_t i = 0; i < count; i++) {
		if (changes[i].service)
			json_text_add_element(&text, tables_encode_service(changes[i].service));
		json_scratch_empty(&scratch);
	}
	json_text_add(&text, "],\"remove\":[");
	for (size_t i = 0; i < count; i++) {
		if (!changes[i].service)
			add_key(&text, &changes[i].key);
		json_scratch_empty(&scratch);
	}
	json_text_add(&text, "]");
	json_scratch_close(&scratch);
	deny_add_changes(&text, edit->deny, edit->deny_count);
	json_text_add(&text, "}");
	return json_text_finish(&text);
}

static char *encode_snapshot(struct reconcile *reconcile, const struct deny_list *deny)
{
	const struct entry *entry = NULL;
	struct json_text text = {0};
	struct json_scratch scratch;

	reconcile_sort(reconcile);
	json_scratch_open(&scratch);
	json_text_add(&text, "{\"services\":[");
	while ((entry = reconcile_next(reconcile, entry))) {
		if (entry->service->source == SOURCE_OPERATOR)
			json_text_add_element(&text, tables_encode_service(entry->service));
		json_scratch_empty(&scratch);
	}
	json_text_add(&text, "]");
	json_scratch_close(&scratch);
	deny_add_snapshot(&text, deny);
	json_text_add(&text, "}");
	return json_text_finish(&text);
}

/*
 * Failing to compact loses nothing: the journal goes on growing, and the next change tries again.
 */
static void compact_when_due(struct operator* operator)
{
	struct refusal refusal;
	char *snapshot;

	/* The snapshot is of what is in force. */
	if (!owed_is_nothing(&operator->owed))
		return;
	if (!operator->owed.dropped && !state_wants_compaction(operator->state))
		return;
	snapshot = encode_snapshot(operator->reconcile, operator->deny);
	if (!snapshot || state_compact(operator->state, snapshot, &refusal))
		log_warning("state-not-compacted", "reason=%s",
			    log_quote(snapshot ? refusal.text : "out of memory"));
	else
		operator->owed.dropped = false;
	free(snapshot);
}

static bool does_something(const struct transaction_counts *counts)
{
	return counts->added || counts->changed || counts->removed;
}

static int settle(struct operator* operator, struct refusal * refusal)
{
	int error = owed_settle(&operator->owed, operator->reconcile, operator->deny, refusal);

	if (!error)
		operator->told.text[0] = '\0';
	return error;
}

/* Stores it with room made for owing it: what is on disk is in force in the end. */
static int store(struct operator* operator, const char * journal_line, struct refusal *refusal)
{
	if (owed_reserve(&operator->owed))
		return refuse_with(refusal, ENOMEM, "out of memory");
	return state_append(operator->state, journal_line, refusal);
}

/* Consumes the line. */
static int commit(struct operator* operator, struct transaction * transaction,
		  const struct edit *edit, char *journal_line, struct refusal *refusal)
{
	struct refusal reason;
	int error, denied;

	error = store(operator, journal_line, refusal);
	if (error) {
		free(journal_line);
		reconcile_drop(transaction);
		return error;
	}
	denied = deny_list_apply(operator->deny, SOURCE_OPERATOR, edit->deny, edit->deny_count);
	error = reconcile_apply(operator->reconcile, transaction);
	error = error ? error : denied;
	if (error || !owed_is_nothing(&operator->owed))
		owed_add(&operator->owed, journal_line);
	else
		free(journal_line);
	if (error)
		error = settle(operator, & reason);
	if (error)
		return refuse_with(refusal, -error,
				   "stored, but not wholly in force: %.400s; lbd tries again",
				   reason.text);
	compact_when_due(operator);
	return 0;
}

/* Once, and again when the reason is another. */
static void tell_owed(struct operator* operator, const struct refusal * reason)
{
	if (!strcmp(operator->told.text, reason->text))
		return;
	operator->told = * reason;
	log_warning("not-caught-up", "changes=%zu reason=%s", operator->owed.count,
		    log_quote(reason->text));
}

void operator_catch_up(struct operator* operator)
{
	struct refusal refusal;

	if (owed_is_nothing(&operator->owed))
		return;
	if (settle(operator, & refusal)) {
		tell_owed(operator, & refusal);
		return;
	}
	log_info("caught-up", "with=%s", log_quote("changes that were stored only"));
	compact_when_due(operator);
}

static void drop_services(const struct edit *edit)
{
	for (size_t i = 0; i < edit->count; i++)
		service_free(edit->changes[i].service);
}

/* Checked as a whole; written unless it is only tried, or changes nothing. */
static int carry_out(struct operator* operator, const struct edit * edit, bool dry_run,
		     struct apply_counts *counts, struct refusal *refusal)
{
	char *line = encode_edit(edit); /* before the services are consumed */
	struct transaction *transaction;
	int error;

	if (line)
		error = deny_list_check(operator->deny, SOURCE_OPERATOR, edit->deny,
					edit->deny_count, &counts->deny, refusal);
	else
		error = refuse_with(refusal, ENOMEM, "out of memory");
	if (error)
		drop_services(edit);
	else
		error = reconcile_prepare(operator->reconcile, SOURCE_OPERATOR, edit->changes,
					  edit->count, &transaction, refusal);
	if (error) {
		free(line);
		return error;
	}
	counts->services = transaction_counts(transaction);
	if (!dry_run && (does_something(&counts->services) || does_something(&counts->deny)))
		return commit(operator, transaction, edit, line, refusal);
	reconcile_drop(transaction);
	free(line);
	return 0;
}

int operator_change(struct operator* operator, struct change * changes, size_t count,
		    struct transaction_counts *counts, struct refusal *refusal)
{
	const struct edit edit = {.changes = changes, .count = count};
	struct apply_counts all = {};
	int error = carry_out(operator, & edit, false, &all, refusal);

	*counts = all.services;
	return error;
}

int operator_deny(struct operator* operator, const struct deny_change * changes, size_t count,
		  struct refusal *refusal)
{
	const struct edit edit = {.deny = changes, .deny_count = count};
	struct apply_counts ignored = {};

	return carry_out(operator, & edit, false, &ignored, refusal);
}

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct service_key));
}

/* Removals of the operator's services whose keys are not in the sorted `kept`. */
static size_t add_removals(const struct reconcile *reconcile, const struct service_key *kept,
			   size_t kept_count, struct change *changes)
{
	const struct entry *entry = NULL;
	size_t count = 0;

	while ((entry = reconcile_next(reconcile, entry))) {
		const struct service *service = entry->service;

		if (service->source == SOURCE_OPERATOR &&
		    (!kept_count ||
		     !bsearch(&service->key, kept, kept_count, sizeof(*kept), compare_keys)))
			changes[count++] = (struct change){.key = service->key};
	}
	return count;
}

/* The document's services as changes; with prune also what is not in it. The caller frees them. */
static struct change *collect_changes(struct operator* operator, struct tables * tables, bool prune,
				      size_t *count)
{
	const size_t most = tables->service_count + reconcile_count_services(operator->reconcile);
	struct change *changes = calloc(most + 1, sizeof(*changes));
	struct service_key *keys = calloc(tables->service_count + 1, sizeof(*keys));

	if (changes && keys) {
		for (size_t i = 0; i < tables->service_count; i++) {
			keys[i] = tables->services[i]->key;
			changes[i] =
				(struct change){.key = keys[i], .service = tables->services[i]};
		}
		qsort(keys, tables->service_count, sizeof(*keys), compare_keys);
		*count = tables->service_count;
		tables->service_count = 0;
		if (prune)
			*count += add_removals(operator->reconcile, keys, *count, changes + *count);
		free(keys);
		return changes;
	}
	free(keys);
	free(changes);
	return NULL;
}

static int compare_prefixes(const void *a, const void *b)
{
	const struct deny_change *x = a, *y = b;
	const int order = memcmp(&x->prefix.address, &y->prefix.address, sizeof(struct address));

	return order ? order : x->prefix.length - y->prefix.length;
}

/* Whether it is denied for good already, by whomever: a document that says so changes nothing. */
static bool is_lasting(const struct operator* operator, const struct prefix * prefix)
{
	const struct deny_entry *entry = deny_list_find(operator->deny, prefix);

	return entry && deny_entry_until(entry) == DENY_FOREVER;
}

/* The document's prefixes; with prune also, as not wanted, those lasting ones not in it. */
static struct deny_change *collect_deny(struct operator* operator, const struct tables * tables,
					bool prune, size_t *count, size_t *unchanged)
{
	const size_t most = tables->deny_count + deny_list_count(operator->deny);
	struct deny_change *changes = calloc(most + 1, sizeof(*changes)), wanted;
	const struct deny_entry *entry = NULL;
	size_t found = tables->deny_count;

	if (!changes)
		return NULL;
	for (size_t i = 0; i < found; i++)
		changes[i] = (struct deny_change){tables->deny[i], DENY_FOREVER};
	qsort(changes, found, sizeof(*changes), compare_prefixes);
	while (prune && (entry = deny_list_next(operator->deny, entry))) {
		wanted = (struct deny_change){.prefix = entry->prefix};
		if (entry->until_ms[SOURCE_OPERATOR] == DENY_FOREVER &&
		    !bsearch(&wanted, changes, tables->deny_count, sizeof(wanted),
			     compare_prefixes))
			changes[found++] = wanted;
	}
	*count = *unchanged = 0;
	for (size_t i = 0; i < found; i++) {
		if (changes[i].until_ms != DENY_NEVER && is_lasting(operator, & changes[i].prefix))
			++*unchanged;
		else
			changes[(*count)++] = changes[i];
	}
	return changes;
}

int operator_apply(struct operator* operator, struct tables * tables, struct apply_options options,
		   struct apply_counts *counts, struct refusal *refusal)
{
	struct edit edit = {};
	struct deny_change *deny;
	size_t unchanged = 0;
	int error = -ENOMEM;

	deny = collect_deny(operator, tables, options.prune, &edit.deny_count, &unchanged);
	edit.deny = deny;
	if (deny)
		edit.changes = collect_changes(operator, tables, options.prune, &edit.count);
	if (edit.changes)
		error = carry_out(operator, & edit, options.dry_run, counts, refusal);
	else
		refuse(refusal, "out of memory");
	counts->deny.unchanged += unchanged;
	free(edit.changes);
	free(deny);
	return error;
}
