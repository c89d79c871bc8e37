/*
 * Denied prefixes by request.
 */
#include "control/request_deny.h"

#include "control/report.h"
#include "control/request_words.h"
#include "control/upkeep.h"
#include "control/wall_clock.h"

static int read_prefix(const json_t *request, struct prefix *prefix, struct refusal *refusal)
{
	const char *text = request_text(request, "prefix", refusal);

	return text ? prefix_parse(text, prefix, refusal) : -1;
}

static int read_duration(const json_t *request, int64_t *until_ms, struct refusal *refusal)
{
	const json_t *value = json_object_get(request, "for_seconds");
	const json_int_t seconds = json_integer_value(value);

	*until_ms = DENY_FOREVER;
	if (!value)
		return 0;
	if (!json_is_integer(value) || seconds < 1 || seconds > MAX_REQUEST_SECONDS)
		return refuse(refusal, "for_seconds: not 1–%d", MAX_REQUEST_SECONDS);
	*until_ms = wall_clock_ms() + (int64_t)seconds * 1000;
	return 0;
}

json_t *request_deny_add(struct daemon *daemon, const json_t *request, struct refusal *refusal)
{
	struct deny_change change = {};
	bool was_there;
	json_t *denied;

	if (read_prefix(request, &change.prefix, refusal) ||
	    read_duration(request, &change.until_ms, refusal))
		return NULL;
	was_there = deny_list_find(daemon->deny, &change.prefix);
	if (operator_deny(daemon->operator, & change, 1, refusal))
		return NULL;
	request_is_done(refusal);
	denied = report_denied(daemon, deny_list_find(daemon->deny, &change.prefix));
	json_object_set_new(denied, "updated", json_boolean(was_there));
	upkeep_expire(daemon);
	return denied;
}

/* What somebody else wants too goes on, and the answer says so. */
json_t *request_deny_del(struct daemon *daemon, const json_t *request, struct refusal *refusal)
{
	struct deny_change change = {.until_ms = DENY_NEVER};
	const struct deny_entry *entry;
	char text[ENDPOINT_TEXT_MAX];
	json_t *was;

	if (read_prefix(request, &change.prefix, refusal))
		return NULL;
	prefix_format(&change.prefix, text);
	entry = deny_list_find(daemon->deny, &change.prefix);
	if (!entry) {
		refuse(refusal, "%s is not denied; `lbctl deny list` shows what is", text);
		return NULL;
	}
	if (entry->until_ms[SOURCE_OPERATOR] == DENY_NEVER) {
		refuse(refusal, "%s belongs to the source %s; change it there", text,
		       source_name(SOURCE_FILE));
		return NULL;
	}
	was = report_denied(daemon, entry);
	if (operator_deny(daemon->operator, & change, 1, refusal)) {
		json_decref(was);
		return NULL;
	}
	request_is_done(refusal);
	entry = deny_list_find(daemon->deny, &change.prefix);
	json_object_set_new(was, "still_denied", json_boolean(entry != NULL));
	return was;
}

json_t *request_deny_list(struct daemon *daemon, const json_t *request, struct refusal *refusal)
{
	(void)request;
	(void)refusal;
	return report_deny_list(daemon);
}
