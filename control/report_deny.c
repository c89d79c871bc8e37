/*
 * Reports on denied prefixes.
 */
#include "control/report.h"

#include "control/wall_clock.h"

static json_t *report_remaining(int64_t until_ms)
{
	if (until_ms == DENY_FOREVER)
		return json_null();
	return json_integer(wall_clock_seconds_until(until_ms));
}

static json_t *report_claims(const struct deny_entry *entry)
{
	json_t *sources = json_array();

	for (enum source source = 0; source < _SOURCE_COUNT; source++)
		if (entry->until_ms[source] != DENY_NEVER)
			json_array_append_new(sources, json_string(source_name(source)));
	return sources;
}

json_t *report_denied(const struct daemon *daemon, const struct deny_entry *entry)
{
	struct counter counter = {};
	char text[ENDPOINT_TEXT_MAX];

	datapath_read_denied(daemon->datapath, entry->index, &counter);
	return json_pack("{s:s, s:o, s:o, s:I, s:I}", "prefix", prefix_format(&entry->prefix, text),
			 "sources", report_claims(entry), "remaining_seconds",
			 report_remaining(deny_entry_until(entry)), "packets",
			 (json_int_t)counter.packets, "bytes", (json_int_t)counter.bytes);
}

json_t *report_deny_list(const struct daemon *daemon)
{
	const struct deny_entry *entry = NULL;
	json_t *list = json_array();

	deny_list_sort(daemon->deny);
	while ((entry = deny_list_next(daemon->deny, entry)))
		json_array_append_new(list, report_denied(daemon, entry));
	return json_pack("{s:o}", "deny", list);
}

json_t *report_exported_deny(const struct daemon *daemon)
{
	const struct deny_entry *entry = NULL;
	json_t *list = json_array();
	char text[ENDPOINT_TEXT_MAX];

	deny_list_sort(daemon->deny);
	while ((entry = deny_list_next(daemon->deny, entry)))
		if (deny_entry_until(entry) == DENY_FOREVER)
			json_array_append_new(list, json_pack("{s:s}", "prefix",
							      prefix_format(&entry->prefix, text)));
	return list;
}
