/*
 * `lbctl deny`: sources whose packets are dropped.
 */
#include "control/lbctl.h"

#include <stdio.h>
#include "control/lbctl_print.h"
#include "lb/address.h"

static int put_prefix(struct invocation *invocation, const struct argument *argument,
		      const char *word)
{
	char text[ENDPOINT_TEXT_MAX];
	struct prefix prefix;
	int error = prefix_parse(word, &prefix, &invocation->refusal);

	if (error)
		return error;
	return request_set_text(invocation, argument->key, prefix_format(&prefix, text));
}

#define PREFIX_ARGUMENT                                                                            \
	{                                                                                          \
		"CIDR", .key = "prefix", .put = put_prefix,                                        \
			.help = "addresses, ADDR/LENGTH, or one alone"                             \
	}

const struct argument deny_add_arguments[] = {
	PREFIX_ARGUMENT,
	{"--for", "DURATION", "for_seconds", put_duration,
	 .help = "ends by itself after 30s, 10m, 2h, 1d or so many seconds"},
	{0},
};

const struct argument deny_del_arguments[] = {
	PREFIX_ARGUMENT,
	{0},
};

int print_denied(const struct invocation *invocation, const json_t *result)
{
	const json_t *remaining = json_object_get(result, "remaining_seconds");
	const bool updated = json_is_true(json_object_get(result, "updated"));
	char prefix[OBJECT_TEXT_MAX];

	(void)invocation;
	object_text(result, "prefix", prefix);
	if (json_is_integer(remaining))
		printf("%s %s for %" JSON_INTEGER_FORMAT "s\n", updated ? "updated" : "denied",
		       prefix, json_integer_value(remaining));
	else
		printf("%s %s\n", updated ? "updated" : "denied", prefix);
	return 0;
}

int print_allowed(const struct invocation *invocation, const json_t *result)
{
	const bool still = json_is_true(json_object_get(result, "still_denied"));
	char prefix[OBJECT_TEXT_MAX];

	(void)invocation;
	printf("removed %s%s\n", object_text(result, "prefix", prefix),
	       still ? ", which a file still denies" : "");
	return 0;
}

int print_deny_list(const struct invocation *invocation, const json_t *result)
{
	static const struct field FIELDS[] = {
		{"PREFIX", "prefix", cell_value, COLUMN_TEXT},
		{"REMAINING", "remaining_seconds", cell_duration, COLUMN_NUMBER},
		{"PACKETS", "packets", cell_value, COLUMN_NUMBER},
		{"BYTES", "bytes", cell_bytes, COLUMN_NUMBER},
		{"SOURCE", "sources", cell_value, COLUMN_TEXT},
		{0},
	};

	(void)invocation;
	return print_rows(json_object_get(result, "deny"), FIELDS);
}
