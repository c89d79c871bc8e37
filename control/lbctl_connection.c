/*
 * `lbctl connection`: what the datapath remembers.
 */
#include "control/lbctl.h"

#include <stdio.h>
#include "control/lbctl_print.h"
#include "lb/address.h"

static int put_client(struct invocation *invocation, const struct argument *argument,
		      const char *word)
{
	char text[ADDRESS_TEXT_MAX];
	struct address address;

	if (address_parse(word, &address))
		return refuse(&invocation->refusal, "%s: \"%s\" is not an IPv4 or IPv6 address",
			      argument->name, word);
	return request_set_text(invocation, argument->key, address_format(&address, text));
}

const struct argument connection_list_arguments[] = {
	{"--service", "SERVICE", "service", put_service, .help = "only those to this service"},
	{"--client", "IP", "client", put_client, .help = "only those of this client"},
	{0},
};

const struct argument connection_flush_arguments[] = {
	{"--service", "SERVICE", "service", put_service, .help = "only those to this service"},
	{0},
};

/* What its backend knows the client by, where that is not the client's own. */
static void cell_known_as(struct table *table, const json_t *row, const char *key)
{
	if (json_is_true(json_object_get(row, "tunnelled")))
		table_add(table, "tunnel");
	else
		cell_value(table, row, key);
}

int print_connections(const struct invocation *invocation, const json_t *result)
{
	static const struct field FIELDS[] = {
		{"PROTOCOL", "protocol", cell_value, COLUMN_TEXT},
		{"CLIENT", "client", cell_value, COLUMN_TEXT},
		{"SERVICE", "service", cell_value, COLUMN_TEXT},
		{"BACKEND", "backend", cell_value, COLUMN_TEXT},
		{"ALIAS", "alias_port", cell_value, COLUMN_NUMBER},
		{"AS", "masquerade", cell_known_as, COLUMN_TEXT},
		{"STATE", "state", cell_value, COLUMN_STATE},
		{"IDLE", "idle_seconds", cell_duration, COLUMN_NUMBER},
		{0},
	};

	(void)invocation;
	return print_rows(json_object_get(result, "connections"), FIELDS);
}

int print_connection_count(const struct invocation *invocation, const json_t *result)
{
	static const struct field FIELDS[] = {
		{"connections", "connections", cell_value, COLUMN_TEXT},
		{"tcp", "tcp", cell_value, COLUMN_TEXT},
		{"udp", "udp", cell_value, COLUMN_TEXT},
		{"sctp", "sctp", cell_value, COLUMN_TEXT},
		{"limit", "limit", cell_value, COLUMN_TEXT},
		{0},
	};

	(void)invocation;
	return print_block(result, FIELDS);
}

int print_flushed(const struct invocation *invocation, const json_t *result)
{
	json_int_t count = object_get_integer(result, "flushed");

	(void)invocation;
	printf("flushed %" JSON_INTEGER_FORMAT " connection%s\n", count, count == 1 ? "" : "s");
	return 0;
}
