/*
 * Transactions: changes checked as a whole, then applied as a whole or dropped.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "control/reconcile_internal.h"
#include "lb/plan.h"

/* A change that changes something. */
struct amendment {
	struct change change;
	struct record *record; /* what has its key; NULL: nothing */
};

struct transaction {
	struct plan plan;
	struct amendment *amendments; /* parallel to the plan's steps */
	size_t count;
	struct transaction_counts counts;
};

static int check_owner(const struct record *record, enum source source, struct refusal *refusal)
{
	char text[ENDPOINT_TEXT_MAX];

	if (!record || record->orphan || record->service->source == source)
		return 0;
	return refuse_with(refusal, EPERM, "%s belongs to the source %s; change it there",
			   service_key_format(&record->key, text),
			   source_name(record->service->source));
}

static size_t count_ranges(const struct service *service)
{
	return service ? service->source_range_count : 0;
}

/* Of all services together, when the whole transaction is in force. */
static int check_source_ranges(const struct reconcile *reconcile,
			       const struct transaction *transaction, struct refusal *refusal)
{
	size_t total = reconcile->source_ranges;

	for (size_t i = 0; i < transaction->count; i++) {
		const struct plan_step *step = &transaction->plan.steps[i];

		total += count_ranges(step->after);
		total -= count_ranges(step->before);
	}
	if (total <= MAX_ALL_SOURCE_RANGES)
		return 0;
	return refuse_with(refusal, ENOSPC,
			   "source_ranges: services would have %zu in all, and the table holds %d",
			   total, MAX_ALL_SOURCE_RANGES);
}

/* Nothing to do for a service that is in force as it is, or removed and not there. */
static bool changes_nothing(const struct record *record, const struct change *change)
{
	if (!change->service)
		return !record;
	return record && !record->orphan && service_equal(record->service, change->service);
}

static void count_change(struct transaction_counts *counts, const struct record *record,
			 const struct change *change)
{
	if (!change->service)
		counts->removed++;
	else if (record && !record->orphan)
		counts->changed++;
	else
		counts->added++;
}

static int add_change(struct reconcile *reconcile, struct transaction *transaction,
		      struct change *change, enum source source, struct refusal *refusal)
{
	struct record *record = reconcile_find_record(reconcile, &change->key);
	int error;

	/* Before asking who owns it: what is the same already is nobody's business to refuse. */
	if (changes_nothing(record, change)) {
		service_free(change->service);
		change->service = NULL;
		transaction->counts.unchanged++;
		return 0;
	}
	error = check_owner(record, source, refusal);
	if (error)
		return error;
	error = plan_add(&transaction->plan, record ? record->service : NULL,
			 record ? record->placement : NULL, change->service, refusal);
	if (error)
		return error;
	count_change(&transaction->counts, record, change);
	transaction->amendments[transaction->count++] = (struct amendment){*change, record};
	change->service = NULL;
	return 0;
}

/* A table may be full of what rests, or is kept beside the rings in use; a grace period later not.
 */
static int add_change_settling(struct reconcile *reconcile, struct transaction *transaction,
			       struct change *change, enum source source, struct refusal *refusal)
{
	int error = add_change(reconcile, transaction, change, source, refusal);

	if (error != -ENOSPC)
		return error;
	plan_make_do(&transaction->plan);
	reconcile_settle(reconcile);
	return add_change(reconcile, transaction, change, source, refusal);
}

int reconcile_prepare(struct reconcile *reconcile, enum source source, struct change *changes,
		      size_t count, struct transaction **transaction, struct refusal *refusal)
{
	struct transaction *prepared = calloc(1, sizeof(*prepared));
	int error = 0;

	if (prepared)
		prepared->amendments = calloc(count ? count : 1, sizeof(*prepared->amendments));
	if (!prepared || !prepared->amendments)
		error = refuse_with(refusal, ENOMEM, "out of memory");
	else
		plan_init(&prepared->plan, &reconcile->room);
	for (size_t i = 0; !error && i < count; i++)
		error = add_change_settling(reconcile, prepared, &changes[i], source, refusal);
	if (!error)
		error = check_source_ranges(reconcile, prepared, refusal);
	if (!error) {
		*transaction = prepared;
		return 0;
	}
	for (size_t i = 0; i < count; i++)
		service_free(changes[i].service);
	if (prepared)
		reconcile_drop(prepared);
	return error;
}

struct transaction_counts transaction_counts(const struct transaction *transaction)
{
	return transaction->counts;
}

/* With the services that did not come into force; the plan still names them. */
static void free_transaction(struct transaction *transaction)
{
	plan_finish(&transaction->plan);
	for (size_t i = 0; i < transaction->count; i++)
		service_free(transaction->amendments[i].change.service);
	free(transaction->amendments);
	free(transaction);
}

/* 0, or -ENOMEM: it is new, and nothing is known of it. The old service is freed, the new one takes
 * its place with its placement. */
static int adopt_step(struct reconcile *reconcile, const struct amendment *amendment,
		      struct placement *placement)
{
	const struct change *change = &amendment->change;
	struct record *record = amendment->record;

	if (record)
		reconcile_count_out(reconcile, record->service);
	if (!change->service) {
		reconcile_take_out(reconcile, record);
		record->placement = NULL;
		reconcile_free_record(record);
		return 0;
	}
	if (!record)
		return reconcile_insert(reconcile, change->service, placement, false);
	service_free(record->service);
	record->service = change->service;
	record->placement = placement;
	record->orphan = false;
	reconcile_count_in(reconcile, record->service);
	return 0;
}

int reconcile_apply(struct reconcile *reconcile, struct transaction *transaction)
{
	int error, failed;

	error = plan_apply(&transaction->plan, reconcile->datapath);
	reconcile->changes++;
	for (size_t i = 0; i < transaction->count; i++) {
		if (transaction->plan.steps[i].failed)
			continue; /* what was in force is so still */
		failed = adopt_step(reconcile, &transaction->amendments[i],
				    transaction->plan.steps[i].after_placement);
		if (failed)
			plan_take_back(&transaction->plan.steps[i], reconcile->datapath);
		else
			transaction->amendments[i].change.service = NULL;
		if (!error)
			error = failed;
	}
	free_transaction(transaction);
	return error;
}

void reconcile_drop(struct transaction *transaction)
{
	free_transaction(transaction);
}
