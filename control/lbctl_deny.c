/*
 * `lbctl deny`: sources whose packets are dropped.
 */
#include "control/lbctl.h"

#include <stdio.h>
#include <string.h>
#include "control/lbctl_print.h"
#include "lb/address.h"

#define MAX_SECONDS 315360000ul /* ten years; lbd has the same limit */
#define NUMBER_TEXT_MAX 16

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

/* Seconds in a unit, by its letter; 0: there is no such. */
static unsigned long unit_seconds(const char *unit)
{
	static const struct {
		const char *letter;
		unsigned long seconds;
	} UNITS[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};

	for (size_t i = 0; i < sizeof(UNITS) / sizeof(UNITS[0]); i++)
		if (!strcmp(unit, UNITS[i].letter))
			return UNITS[i].seconds;
	return 0;
}

static int put_duration(struct invocation *invocation, const struct argument *argument,
			const char *word)
{
	const size_t digits = strspn(word, "0123456789");
	const unsigned long unit = unit_seconds(word + digits);
	unsigned long number = 0;
	struct refusal ignored;
	char text[NUMBER_TEXT_MAX];

	if (digits < sizeof(text) && unit) {
		memcpy(text, word, digits);
		text[digits] = '\0';
		if (word_parse_number(&ignored, argument->name, text, MAX_SECONDS / unit, &number))
			number = 0;
	}
	if (!number)
		return refuse(&invocation->refusal,
			      "%s: \"%s\" is not a time like 30s, 10m, 2h, 1d or a number of "
			      "seconds, 3650d at most",
			      argument->name, word);
	return request_set(invocation, argument->key, json_integer((json_int_t)(number * unit)));
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
