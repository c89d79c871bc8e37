/*
 * `lbctl backend`: the words that describe a backend, and backends printed.
 */
#include "control/lbctl.h"

#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "control/lbctl_print.h"
#include "lb/service.h"

#define WEIGHT_OPTION "weight="

/* `option` is what follows the comma of `word`. */
static int parse_weight(struct refusal *refusal, const char *word, const char *option,
			json_t **weight)
{
	unsigned long number;
	int error;

	if (strncmp(option, WEIGHT_OPTION, strlen(WEIGHT_OPTION)))
		return refuse(refusal, "\"%s\" in \"%s\" is not weight=N", option, word);
	error = word_parse_number(refusal, word, option + strlen(WEIGHT_OPTION), UINT16_MAX,
				  &number);
	if (error)
		return error;
	*weight = json_integer((json_int_t)number);
	return *weight ? 0 : refuse_with(refusal, ENOMEM, "%s: out of memory", word);
}

/* A weight that is not given is left to lbd. */
int put_weighted_backend(struct invocation *invocation, const struct argument *argument,
			 const char *word)
{
	size_t length = strcspn(word, ",");
	char text[ENDPOINT_TEXT_MAX];
	json_t *weight = NULL;
	struct address address;
	__be16 port;
	int error = 0;

	/* longer than any endpoint: the parser refuses what fits in */
	if (length >= sizeof(text))
		length = sizeof(text) - 1;
	memcpy(text, word, length);
	text[length] = '\0';
	error = endpoint_parse(text, &address, &port, &invocation->refusal);
	if (!error && word[length])
		error = parse_weight(&invocation->refusal, word, word + length + 1, &weight);
	if (error)
		return error;
	return request_append(invocation, argument->key,
			      json_pack("{sssiso*}", "address", address_format(&address, text),
					"port", (int)be16toh(port), "weight", weight));
}

int put_backend(struct invocation *invocation, const struct argument *argument, const char *word)
{
	char text[ENDPOINT_TEXT_MAX];
	struct address address;
	__be16 port;
	int error = endpoint_parse(word, &address, &port, &invocation->refusal);

	if (error)
		return error;
	return request_set_text(invocation, argument->key, endpoint_format(&address, port, text));
}

static int put_weight(struct invocation *invocation, const struct argument *argument,
		      const char *word)
{
	unsigned long weight;
	int error =
		word_parse_number(&invocation->refusal, argument->name, word, UINT16_MAX, &weight);

	if (error)
		return error;
	return request_set(invocation, argument->key, json_integer((json_int_t)weight));
}

static int put_state(struct invocation *invocation, const struct argument *argument,
		     const char *word)
{
	enum backend_state state;

	if (backend_state_parse(word, &state))
		return refuse(&invocation->refusal, "%s: \"%s\" is not one of %s", argument->name,
			      word, argument->value);
	return request_set_text(invocation, argument->key, backend_state_name(state));
}

#define BACKEND_PLACES                                                                             \
	{"SERVICE", .key = "service", .put = put_service,                                          \
	 .help = "ADDR:PORT[/tcp|udp|sctp], or its name: NS/NAME[:PORT[/PROTO]]"},                 \
	{                                                                                          \
		"BACKEND", .key = "backend", .put = put_backend, .help = "ADDR:PORT"               \
	}

#define WEIGHT_ARGUMENT                                                                            \
	{                                                                                          \
		"--weight", "N", "weight", put_weight,                                             \
			.help = "its share of new connections, 0–65535 (1)"                      \
	}

const struct argument backend_arguments[] = {
	BACKEND_PLACES,
	{0},
};

const struct argument backend_add_arguments[] = {
	BACKEND_PLACES,
	WEIGHT_ARGUMENT,
	{0},
};

const struct argument backend_set_arguments[] = {
	BACKEND_PLACES,
	WEIGHT_ARGUMENT,
	{"--state", "active|draining|down", "state", put_state,
	 .help = "draining: keeps what it has, gets nothing new; down: gets nothing"},
	{"--deadline", "DURATION", "deadline_seconds", put_duration,
	 .help = "of one that drains: it goes down after 30s, 10m, 2h, 1d or so many seconds"},
	{0},
};

const struct argument backend_list_arguments[] = {
	{"SERVICE", .key = "service", .put = put_service, .help = "all where none is given",
	 .flags = ARGUMENT_OPTIONAL},
	{0},
};

int print_backend_added(const struct invocation *invocation, const json_t *result)
{
	char backend[ENDPOINT_TEXT_MAX];
	char service[OBJECT_TEXT_MAX];

	(void)invocation;
	printf("added %s to %s\n", endpoint_text(result, backend),
	       object_text(result, "service", service));
	return 0;
}

int print_backend_changed(const struct invocation *invocation, const json_t *result)
{
	const bool ends = json_object_get(result, "deadline");
	char state[OBJECT_TEXT_MAX], until[OBJECT_TEXT_MAX];
	char backend[ENDPOINT_TEXT_MAX];
	char service[OBJECT_TEXT_MAX];

	(void)invocation;
	printf("changed %s of %s: %s%s%s, weight %lld\n", endpoint_text(result, backend),
	       object_text(result, "service", service), object_text(result, "state", state),
	       ends ? " until " : "", ends ? object_text(result, "deadline", until) : "",
	       object_get_integer(result, "weight"));
	return 0;
}

int print_backend_removed(const struct invocation *invocation, const json_t *result)
{
	char backend[ENDPOINT_TEXT_MAX];
	char service[OBJECT_TEXT_MAX];

	(void)invocation;
	printf("removed %s from %s\n", endpoint_text(result, backend),
	       object_text(result, "service", service));
	return 0;
}

int print_backends(const struct invocation *invocation, const json_t *result)
{
	static const struct field FIELDS[] = {
		{"SERVICE", "service", cell_value, COLUMN_TEXT},
		{"BACKEND", NULL, cell_endpoint, COLUMN_TEXT},
		{"WEIGHT", "weight", cell_value, COLUMN_NUMBER},
		{"STATE", "state", cell_value, COLUMN_STATE},
		{"REMAINING", "remaining_seconds", cell_duration, COLUMN_NUMBER},
		{"CONNECTIONS", "connections", cell_value, COLUMN_NUMBER},
		{"REQUEST-BYTES", "request.bytes", cell_bytes, COLUMN_NUMBER},
		{"REPLY-BYTES", "reply.bytes", cell_bytes, COLUMN_NUMBER},
		{0},
	};

	(void)invocation;
	return print_rows(json_object_get(result, "backends"), FIELDS);
}
