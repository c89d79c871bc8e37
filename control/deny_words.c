/*
 * Denied prefixes in the state: see deny_words.h.
 */
#include "control/deny_words.h"

#include <errno.h>
#include <stdlib.h>
#include "control/wall_clock.h"

static void add_entry(struct json_text *text, const struct prefix *prefix, int64_t until_ms)
{
	char words[ENDPOINT_TEXT_MAX];
	json_t *entry = json_pack("{s:s}", "prefix", prefix_format(prefix, words));

	if (until_ms != DENY_FOREVER)
		json_object_set_new(entry, "until_ms", json_integer(until_ms));
	json_text_add_element(text, entry);
}

static void add_list(struct json_text *text, const struct deny_change *changes, size_t count,
		     bool puts)
{
	char words[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < count; i++) {
		if ((changes[i].until_ms != DENY_NEVER) != puts)
			continue;
		if (puts)
			add_entry(text, &changes[i].prefix, changes[i].until_ms);
		else
			json_text_add_element(
				text, json_string(prefix_format(&changes[i].prefix, words)));
	}
}

void deny_add_changes(struct json_text *text, const struct deny_change *changes, size_t count)
{
	if (!count)
		return;
	json_text_add(text, ",\"deny\":[");
	add_list(text, changes, count, true);
	json_text_add(text, "],\"allow\":[");
	add_list(text, changes, count, false);
	json_text_add(text, "]");
}

void deny_add_snapshot(struct json_text *text, const struct deny_list *list)
{
	const struct deny_entry *entry = NULL;

	json_text_add(text, ",\"deny\":[");
	while ((entry = deny_list_next(list, entry)))
		if (entry->until_ms[SOURCE_OPERATOR] != DENY_NEVER)
			add_entry(text, &entry->prefix, entry->until_ms[SOURCE_OPERATOR]);
	json_text_add(text, "]");
}

int deny_replay(json_t *denied, const json_t *change, struct refusal *refusal)
{
	const char *words;
	json_t *item, *until;
	struct prefix prefix;
	size_t i;

	json_array_foreach (json_object_get(change, "allow"), i, item)
		if (json_is_string(item) &&
		    json_object_set_new(denied, json_string_value(item), json_integer(DENY_NEVER)))
			return refuse_with(refusal, ENOMEM, "out of memory");
	json_array_foreach (json_object_get(change, "deny"), i, item) {
		words = json_string_value(json_object_get(item, "prefix"));
		until = json_object_get(item, "until_ms");
		if (!words || (until && !json_is_integer(until)))
			return refuse(refusal, "deny[%zu]: not a prefix and when it ends", i);
		if (prefix_parse(words, &prefix, refusal))
			return -EINVAL;
		if (json_object_set_new(
			    denied, words,
			    json_integer(until ? json_integer_value(until) : DENY_FOREVER)))
			return refuse_with(refusal, ENOMEM, "out of memory");
	}
	return 0;
}

struct deny_change *deny_collect(json_t *denied, size_t *count)
{
	struct deny_change *changes = calloc(json_object_size(denied) + 1, sizeof(*changes));
	const int64_t now = wall_clock_ms();
	struct refusal ignored;
	const char *words;
	size_t found = 0;
	json_t *until;

	if (!changes)
		return NULL;
	json_object_foreach (denied, words, until) {
		changes[found].until_ms = json_integer_value(until);
		if (changes[found].until_ms <= now)
			changes[found].until_ms = DENY_NEVER;
		if (!prefix_parse(words, &changes[found].prefix, &ignored))
			found++;
	}
	*count = found;
	return changes;
}
