/*
 * Claims to the tables: see writer.h.
 */
#include "control/kube/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include "control/log.h"

#define BATCH 1024 /* changes of a transaction */

static bool is_foreign(const struct entry *entry)
{
	return entry && entry->service->source != SOURCE_KUBERNETES;
}

/* Whoever owned it, or whose connections are left. */
static const char *name_of(const struct claim *claim)
{
	return claim->wanted && claim->wanted->name ? claim->wanted->name : "";
}

static void complain(struct writer *writer, const struct claim *claim, const char *reason)
{
	char text[ENDPOINT_TEXT_MAX];

	service_key_format(&claim->key, text);
	if (complaints_raise(&writer->complaints, "kube-blocked", text))
		log_warning("kube-blocked", "service=%s name=%s reason=%s", text,
			    log_quote(name_of(claim)), log_quote(reason));
}

/* Of ours; NULL: none. */
static const struct entry *find_own(const struct writer *writer, const struct claim *claim)
{
	const struct entry *found = reconcile_find(writer->reconcile, &claim->key);

	return is_foreign(found) ? NULL : found;
}

/* From what is in force there of ours. */
static void settle(struct writer *writer, struct claim *claim)
{
	const struct entry *entry = find_own(writer, claim);
	char text[ENDPOINT_TEXT_MAX];

	if (writer->complaints)
		complaints_settle(&writer->complaints, "kube-blocked",
				  service_key_format(&claim->key, text));
	if (!claim->owner && !entry)
		claims_remove(&writer->claims, claim);
	else
		claims_settle(&writer->claims, claim, entry ? entry->service : NULL, writer->pass);
}

/* What is to be there, given what is. */
static int find_change(struct writer *writer, struct claim *claim, struct change *change)
{
	const struct entry *entry = reconcile_find_any(writer->reconcile, &claim->key);
	const struct service *in_force = entry ? entry->service : NULL;
	int error = 0;

	*change = (struct change){.key = claim->key};
	if (claim->wanted) {
		change->service = service_clone(claim->wanted);
		error = change->service ? leaving_complete(change->service, in_force) : -ENOMEM;
	} else if (in_force) {
		error = leaving_keep(in_force, &change->service);
	}
	if (!error) {
		/* Also where some of it is in force by now, and it is written by halves. */
		claim->begins |= change->service && leaving_begins(change->service, in_force);
		return 0;
	}
	service_free(change->service);
	return error;
}

static int apply(struct writer *writer, struct change *changes, size_t count,
		 struct refusal *refusal)
{
	struct transaction *transaction;
	int error = reconcile_prepare(writer->reconcile, SOURCE_KUBERNETES, changes, count,
				      &transaction, refusal);

	if (error)
		return error;
	error = reconcile_apply(writer->reconcile, transaction);
	return error ? refuse_with(refusal, -error, "cannot write the tables: %s", strerror(-error))
		     : 0;
}

static int write_all(struct writer *writer, struct claim **list, size_t count,
		     struct refusal *refusal)
{
	struct change *changes = calloc(count, sizeof(*changes));
	size_t found = 0;
	int error = 0;

	while (changes && !error && found < count) {
		error = find_change(writer, list[found], &changes[found]);
		found += !error;
	}
	if (changes && !error) {
		error = apply(writer, changes, count, refusal);
		free(changes);
		return error;
	}
	for (size_t i = 0; i < found; i++)
		service_free(changes[i].service);
	free(changes);
	return refuse_with(refusal, ENOMEM, "out of memory");
}

/* Whatever is refused is found by halves. */
static void write_some(struct writer *writer, struct claim **list, size_t count)
{
	struct refusal refusal;

	if (!count)
		return;
	if (!write_all(writer, list, count, &refusal)) {
		for (size_t i = 0; i < count; i++)
			settle(writer, list[i]);
	} else if (count == 1) {
		complain(writer, list[0], refusal.text);
		claims_block(&writer->claims, list[0]);
	} else {
		write_some(writer, list, count / 2);
		write_some(writer, list + count / 2, count - count / 2);
	}
}

/* Another source has it; whether there is anything to take away or not, it is not ours. */
static void give_way(struct writer *writer, struct claim *claim, const struct entry *entry)
{
	struct refusal refusal;

	if (!claim->wanted) {
		settle(writer, claim);
		return;
	}
	refuse(&refusal, "the source %s has it", source_name(entry->service->source));
	complain(writer, claim, refusal.text);
	claims_block(&writer->claims, claim);
}

static size_t take_batch(struct writer *writer, struct claim *batch[BATCH])
{
	struct claim *claim, *next;
	size_t count = 0;

	for (claim = writer->claims.dirty; claim && count < BATCH; claim = next) {
		const struct entry *entry = reconcile_find(writer->reconcile, &claim->key);

		next = claim->dirty_next;
		if (is_foreign(entry))
			give_way(writer, claim, entry);
		else
			batch[count++] = claim;
	}
	return count;
}

void writer_flush(struct writer *writer)
{
	struct claim *batch[BATCH];
	size_t count;

	while ((count = take_batch(writer, batch)))
		write_some(writer, batch, count);
}

/* What could not be written there is still to be: what has gone may have made the room for it. */
static void settle_dropped(struct writer *writer, struct claim *claim)
{
	const struct entry *entry = find_own(writer, claim);

	if (claim->is_blocked)
		claims_note_change(&writer->claims, claim, entry ? entry->service : NULL);
	else
		settle(writer, claim);
}

static void drop_unused(struct writer *writer, struct claim *claim, struct used_backends used)
{
	const struct entry *entry = find_own(writer, claim);
	struct change change = {.key = claim->key};
	struct refusal refusal;

	if (!entry) {
		settle_dropped(writer, claim);
		return;
	}
	if (leaving_drop_unused(entry->service, entry->placement, used, &change.service) ||
	    !change.service)
		return; /* all are in use, or it is tried again after the next pass */
	if (!claim->owner && !change.service->backend_count) {
		service_free(change.service);
		change.service = NULL;
	}
	if (!apply(writer, &change, 1, &refusal))
		settle_dropped(writer, claim);
}

/* A backend that began to drain during the pass may have a connection where the pass had been. */
void writer_drop_unused(struct writer *writer, struct used_backends used)
{
	struct claim *claim, *next;

	for (claim = writer->claims.leaving; claim; claim = next) {
		next = claim->leaving_next;
		if (!claim->is_dirty && claim->pass < writer->pass)
			drop_unused(writer, claim, used);
	}
}

void writer_take_orphans(struct writer *writer)
{
	const struct entry *entry = NULL;
	struct claim *claim;

	while ((entry = reconcile_next_orphan(writer->reconcile, entry))) {
		claim = claims_get(&writer->claims, &entry->service->key);
		if (claim && !claim->owner)
			claims_want(&writer->claims, claim, NULL);
	}
	writer_flush(writer);
}

void writer_finish(struct writer *writer)
{
	claims_finish(&writer->claims);
	complaints_free(&writer->complaints);
}
