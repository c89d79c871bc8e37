/*
 * The deny list: see deny.h.
 */
#include "control/deny.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include "lb/slots.h"

/* A prefix is its own key, but for the padding behind its length. */
#define PREFIX_KEY_BYTES (offsetof(struct prefix, length) + sizeof(__u8))

/* Begins as struct deny_entry does, so that one can be handed out as the other. */
struct record {
	struct deny_entry entry;
	UT_hash_handle hh;
};

struct deny_list {
	struct datapath *datapath;
	struct slots *counters;
	struct record *records;
	struct record *walked; /* where the walk goes on; NULL: at the first */
	size_t orphans;        /* that no source wants, or not yet: an earlier lbd's */
	bool failed;           /* an adopted one makes no sense, or memory ran out */
};

static struct record *find(const struct deny_list *list, const struct prefix *prefix)
{
	struct record *record;

	HASH_FIND(hh, list->records, &prefix->address, PREFIX_KEY_BYTES, record);
	return record;
}

static struct record *insert(struct deny_list *list, const struct prefix *prefix, uint32_t index)
{
	struct record *record = calloc(1, sizeof(*record));

	if (!record)
		return NULL;
	record->entry.prefix = *prefix;
	record->entry.index = index;
	HASH_ADD(hh, list->records, entry.prefix, PREFIX_KEY_BYTES, record);
	if (record->hh.tbl)
		return record;
	free(record);
	return NULL;
}

static void give_back(struct deny_list *list, uint32_t index)
{
	slots_give_back(list->counters, index, 1);
	slots_settle(list->counters); /* a packet that still counts there is no harm */
}

static void forget(struct deny_list *list, struct record *record)
{
	give_back(list, record->entry.index);
	if (list->walked == record)
		list->walked = record->hh.next;
	HASH_DEL(list->records, record);
	free(record);
}

static void adopt(void *context, const struct prefix *prefix, uint32_t index)
{
	struct deny_list *list = context;

	if (slots_adopt(list->counters, index, 1) || !insert(list, prefix, index))
		list->failed = true;
	list->orphans++;
}

struct deny_list *deny_list_new(struct datapath *datapath)
{
	struct deny_list *list = calloc(1, sizeof(*list));

	if (!list)
		return NULL;
	list->datapath = datapath;
	list->counters = slots_new(1, MAX_DENIED + 1);
	if (list->counters && !datapath_visit_denied(datapath, adopt, list) && !list->failed)
		return list;
	deny_list_free(list);
	return NULL;
}

void deny_list_free(struct deny_list *list)
{
	struct record *record, *next;

	if (!list)
		return;
	HASH_ITER (hh, list->records, record, next) {
		HASH_DEL(list->records, record);
		free(record);
	}
	slots_free(list->counters);
	free(list);
}

int64_t deny_entry_until(const struct deny_entry *entry)
{
	int64_t until = DENY_NEVER;

	for (int source = 0; source < _SOURCE_COUNT; source++)
		if (entry->until_ms[source] > until)
			until = entry->until_ms[source];
	return until;
}

static int remove_orphan(struct deny_list *list, struct record *record)
{
	int error = datapath_allow(list->datapath, &record->entry.prefix);

	if (error && error != -ENOENT)
		return error;
	forget(list, record);
	list->orphans--;
	return 0;
}

int deny_list_drop_orphans(struct deny_list *list)
{
	struct record *record, *next;
	int dropped = 0;

	HASH_ITER (hh, list->records, record, next)
		if (deny_entry_until(&record->entry) == DENY_NEVER)
			dropped += !remove_orphan(list, record);
	return dropped;
}

static bool is_wanted_by_others(const struct deny_entry *entry, enum source source)
{
	struct deny_entry others = *entry;

	others.until_ms[source] = DENY_NEVER;
	return deny_entry_until(&others) != DENY_NEVER;
}

int deny_list_check(const struct deny_list *list, enum source source,
		    const struct deny_change *changes, size_t count,
		    struct transaction_counts *counts, struct refusal *refusal)
{
	struct transaction_counts found = {};
	size_t total = deny_list_count(list);

	for (size_t i = 0; i < count; i++) {
		const struct deny_entry *entry = deny_list_find(list, &changes[i].prefix);
		const int64_t before = entry ? entry->until_ms[source] : DENY_NEVER;
		const int64_t after = changes[i].until_ms;

		if (after == before)
			found.unchanged++;
		else if (after == DENY_NEVER)
			found.removed++;
		else if (before == DENY_NEVER)
			found.added++;
		else
			found.changed++;
		total += !entry && after != DENY_NEVER;
		total -= entry && after == DENY_NEVER && !is_wanted_by_others(entry, source);
	}
	if (total > MAX_DENIED)
		return refuse_with(refusal, ENOSPC,
				   "deny: there would be %zu prefixes, and the list holds %d",
				   total, MAX_DENIED);
	*counts = found;
	return 0;
}

/* Orphans give way. */
static int take_counter(struct deny_list *list, uint32_t *index)
{
	int error = slots_take(list->counters, 1, index);

	if (!error || !list->orphans)
		return error;
	deny_list_drop_orphans(list);
	return slots_take(list->counters, 1, index);
}

static int put(struct deny_list *list, enum source source, const struct deny_change *change)
{
	struct record *record = find(list, &change->prefix);
	uint32_t index;
	int error;

	if (!record) {
		error = take_counter(list, &index);
		if (error)
			return error;
		record = insert(list, &change->prefix, index);
		error = record ? datapath_deny(list->datapath, &change->prefix, index) : -ENOMEM;
		if (error) {
			if (record)
				forget(list, record);
			else
				give_back(list, index);
			return error;
		}
	} else if (deny_entry_until(&record->entry) == DENY_NEVER) {
		list->orphans--;
	}
	record->entry.until_ms[source] = change->until_ms;
	return 0;
}

static int withdraw(struct deny_list *list, enum source source, const struct prefix *prefix)
{
	struct record *record = find(list, prefix);

	if (!record)
		return 0;
	if (deny_entry_until(&record->entry) == DENY_NEVER)
		return remove_orphan(list, record); /* the kernel would not, a moment ago */
	record->entry.until_ms[source] = DENY_NEVER;
	if (deny_entry_until(&record->entry) != DENY_NEVER)
		return 0;
	list->orphans++;
	return remove_orphan(list, record);
}

static int apply_some(struct deny_list *list, enum source source, const struct deny_change *changes,
		      size_t count, bool puts)
{
	int error = 0, failed;

	for (size_t i = 0; i < count; i++) {
		if ((changes[i].until_ms != DENY_NEVER) != puts)
			continue;
		failed = puts ? put(list, source, &changes[i])
			      : withdraw(list, source, &changes[i].prefix);
		if (!error)
			error = failed;
	}
	return error;
}

/* What takes another's place is there before that goes, unless it needs its room. */
int deny_list_apply(struct deny_list *list, enum source source, const struct deny_change *changes,
		    size_t count)
{
	const bool has_room = HASH_COUNT(list->records) + count <= MAX_DENIED;
	int first = apply_some(list, source, changes, count, has_room);
	int second = apply_some(list, source, changes, count, !has_room);

	return first ? first : second;
}

/* What this source wants of it may be over while another's wish goes on. */
static int64_t expire(struct deny_entry *entry, int64_t now_ms)
{
	int64_t next = DENY_FOREVER;

	for (int source = 0; source < _SOURCE_COUNT; source++) {
		int64_t *until = &entry->until_ms[source];

		if (*until <= now_ms)
			*until = DENY_NEVER;
		else if (*until < next)
			next = *until;
	}
	return next;
}

int64_t deny_list_expire(struct deny_list *list, int64_t now_ms)
{
	struct record *record, *next_record;
	int64_t next = DENY_FOREVER, own;

	HASH_ITER (hh, list->records, record, next_record) {
		if (deny_entry_until(&record->entry) == DENY_NEVER)
			continue;
		own = expire(&record->entry, now_ms);
		if (own < next)
			next = own;
		if (deny_entry_until(&record->entry) != DENY_NEVER)
			continue;
		list->orphans++;
		remove_orphan(list, record);
	}
	return next;
}

const struct deny_entry *deny_list_find(const struct deny_list *list, const struct prefix *prefix)
{
	const struct record *record = find(list, prefix);

	return record && deny_entry_until(&record->entry) ? &record->entry : NULL;
}

const struct deny_entry *deny_list_next(const struct deny_list *list,
					const struct deny_entry *after)
{
	const struct record *record =
		after ? ((const struct record *)after)->hh.next : list->records;

	while (record && deny_entry_until(&record->entry) == DENY_NEVER)
		record = record->hh.next;
	return (const struct deny_entry *)record;
}

void deny_list_walk(struct deny_list *list, size_t parts,
		    void (*visit)(void *context, const struct deny_entry *entry), void *context)
{
	struct record *record = list->walked;

	for (size_t i = HASH_COUNT(list->records) / parts + 1; i; i--) {
		if (!record)
			record = list->records;
		if (!record)
			break;
		visit(context, &record->entry);
		record = record->hh.next;
	}
	list->walked = record;
}

/* Network order makes the order of bytes that of numbers, and the length comes after them. */
static int compare(const struct record *a, const struct record *b)
{
	const bool a_ipv6 = !prefix_is_ipv4(&a->entry.prefix);
	const bool b_ipv6 = !prefix_is_ipv4(&b->entry.prefix);

	return a_ipv6 != b_ipv6 ? a_ipv6 - b_ipv6
				: memcmp(&a->entry.prefix, &b->entry.prefix, PREFIX_KEY_BYTES);
}

void deny_list_sort(struct deny_list *list)
{
	HASH_SORT(list->records, compare);
}

size_t deny_list_count(const struct deny_list *list)
{
	return HASH_COUNT(list->records) - list->orphans;
}

size_t deny_list_count_all(const struct deny_list *list)
{
	return HASH_COUNT(list->records);
}
