/*
 * Finds what a document says twice, by sorting: tables have tens of thousands of services.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "control/tables_parts.h"

/* A prefix is its own key, but for the padding behind its length. */
#define PREFIX_KEY_BYTES (offsetof(struct prefix, length) + sizeof(__u8))

struct entry {
	const void *key;
	size_t size;
	size_t index;
};

static void free_entries(struct entry **entries)
{
	free(*entries);
}

static int compare(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;
	int order = memcmp(left->key, right->key, left->size);

	return order ? order : (left->index > right->index) - (left->index < right->index);
}

/* Each run of equal keys starts with its first occurrence, and the second follows it. */
static int find_repetition(struct entry *entries, size_t count, struct repetition *repetition)
{
	struct repetition earliest = {.second = SIZE_MAX};

	qsort(entries, count, sizeof(*entries), compare);
	for (size_t i = 1; i < count; i++) {
		const struct entry *first = &entries[i - 1], *second = &entries[i];

		if (second->index < earliest.second &&
		    !memcmp(first->key, second->key, first->size))
			earliest = (struct repetition){first->index, second->index};
	}
	if (earliest.second == SIZE_MAX)
		return 0;
	*repetition = earliest;
	return 1;
}

int tables_find_repeated_service(const struct tables *tables, struct repetition *repetition)
{
	size_t count = tables->service_count;
	__attribute__((cleanup(free_entries))) struct entry *entries =
		calloc(count + 1, sizeof(*entries));

	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		entries[i] =
			(struct entry){&tables->services[i]->key, sizeof(struct service_key), i};
	return find_repetition(entries, count, repetition);
}

int tables_find_repeated_deny(const struct tables *tables, struct repetition *repetition)
{
	size_t count = tables->deny_count;
	__attribute__((cleanup(free_entries))) struct entry *entries =
		calloc(count + 1, sizeof(*entries));

	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		entries[i] = (struct entry){&tables->deny[i], PREFIX_KEY_BYTES, i};
	return find_repetition(entries, count, repetition);
}
