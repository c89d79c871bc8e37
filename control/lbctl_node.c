/*
 * What lbctl shows of the node: interfaces, neighbours, lbd itself.
 */
#include "control/lbctl.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include "control/lbctl_print.h"
#include "include/abi.h"

#define GLOB_CHARACTERS "*?["

/* A glob may be longer than the names it stands for. */
static int put_interface(struct invocation *invocation, const struct argument *argument,
			 const char *word)
{
	bool is_glob = strpbrk(word, GLOB_CHARACTERS);

	if (!word[0] || strpbrk(word, "/ \t\n"))
		return refuse(&invocation->refusal, "\"%s\" is not the name of an interface", word);
	if (!is_glob && strlen(word) >= IF_NAMESIZE)
		return refuse(&invocation->refusal,
			      "\"%s\" is not the name of an interface: those have up to %d bytes",
			      word, IF_NAMESIZE - 1);
	return request_set_text(invocation, argument->key, word);
}

static int put_hook(struct invocation *invocation, const struct argument *argument,
		    const char *word)
{
	if (strcmp(word, "xdp") && strcmp(word, "tc"))
		return refuse(&invocation->refusal, "\"%s\" is not xdp or tc", word);
	return request_set_text(invocation, argument->key, word);
}

const struct argument interface_add_arguments[] = {
	{"NAME", .key = "interface", .put = put_interface,
	 .help = "an interface, or a glob in quotes: 'veth*'; it need not exist yet"},
	{"--hook", "xdp|tc", "hook", put_hook,
	 .help = "by XDP (default), or by tc, which keeps segmentation offload: lbd must run with "
		 "--tc-interface"},
	{0},
};

const struct argument interface_arguments[] = {
	{"NAME", .key = "interface", .put = put_interface,
	 .help = "an interface, or a glob in quotes: 'veth*'; it need not exist yet"},
	{0},
};

int print_interface_added(const struct invocation *invocation, const json_t *result)
{
	char name[OBJECT_TEXT_MAX];
	char mode[OBJECT_TEXT_MAX];

	object_text(invocation->request, "interface", name);
	if (json_is_string(object_find(result, "error")))
		printf("added %s, not attached: %s\n", name, object_text(result, "error", mode));
	else
		printf("added %s (%s)\n", name, object_text(result, "mode", mode));
	return 0;
}

int print_interface_removed(const struct invocation *invocation, const json_t *result)
{
	char name[OBJECT_TEXT_MAX];

	(void)result;
	printf("removed %s\n", object_text(invocation->request, "interface", name));
	return 0;
}

int print_interfaces(const struct invocation *invocation, const json_t *result)
{
	static const struct field FIELDS[] = {
		{"INTERFACE", "name", cell_value, COLUMN_TEXT},
		{"INDEX", "index", cell_value, COLUMN_NUMBER},
		{"MODE", "mode", cell_value, COLUMN_STATE},
		{"ASKED", "asked", cell_value, COLUMN_TEXT},
		{"KIND", "kind", cell_value, COLUMN_TEXT},
		{"MTU", "mtu", cell_value, COLUMN_NUMBER},
		{"TRANSMIT", "transmit", cell_value, COLUMN_TEXT},
		{"PEER", "peer", cell_value, COLUMN_TEXT},
		{"ERROR", "error", cell_value, COLUMN_TEXT},
		{0},
	};

	(void)invocation;
	return print_rows(json_object_get(result, "interfaces"), FIELDS);
}

int print_neighbours(const struct invocation *invocation, const json_t *result)
{
	static const struct field FIELDS[] = {
		{"BACKEND", "address", cell_value, COLUMN_TEXT},
		{"GATEWAY", "gateway", cell_value, COLUMN_TEXT},
		{"INTERFACE", "interface", cell_value, COLUMN_TEXT},
		{"MAC", "mac", cell_value, COLUMN_TEXT},
		{"STATE", "state", cell_value, COLUMN_STATE},
		{"MANAGED", "managed", cell_value, COLUMN_TEXT},
		{0},
	};

	(void)invocation;
	return print_rows(json_object_get(result, "neighbours"), FIELDS);
}

static void cell_sources(struct table *table, const json_t *row, const char *key)
{
	const char *source;
	json_t *sources = json_object_get(row, key);
	json_t *count;
	bool is_first = true;

	if (!json_object_size(sources))
		table_add(table, NULL);
	json_object_foreach (sources, source, count) {
		char text[OBJECT_TEXT_MAX];

		snprintf(text, sizeof(text), "%s%s %" JSON_INTEGER_FORMAT, is_first ? "" : ", ",
			 source, json_integer_value(count));
		(is_first ? table_add : table_append)(table, text);
		is_first = false;
	}
}

/* `3 of 65536`: what there is, and the limit of the same name. */
static void cell_of_limit(struct table *table, const json_t *row, const char *key)
{
	table_addf(table, "%" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT,
		   object_get_integer(row, key),
		   object_get_integer(json_object_get(row, "limits"), key));
}

static void cell_attached(struct table *table, const json_t *row, const char *key)
{
	table_addf(table, "%" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " attached",
		   object_get_integer(json_object_get(row, key), "attached"),
		   object_get_integer(json_object_get(row, key), "wanted"));
}

static void cell_resolved(struct table *table, const json_t *row, const char *key)
{
	table_addf(table, "%" JSON_INTEGER_FORMAT " resolved, %" JSON_INTEGER_FORMAT " unresolved",
		   object_get_integer(json_object_get(row, key), "resolved"),
		   object_get_integer(json_object_get(row, key), "unresolved"));
}

static void cell_fragments(struct table *table, const json_t *row, const char *key)
{
	const json_t *fragments = json_object_get(row, key);

	table_addf(table,
		   "%" JSON_INTEGER_FORMAT " held, %" JSON_INTEGER_FORMAT
		   " sent, %" JSON_INTEGER_FORMAT " given up",
		   object_get_integer(fragments, "held"), object_get_integer(fragments, "sent"),
		   object_get_integer(fragments, "given_up"));
}

static void append_watch(struct table *table, const json_t *watch, bool is_first)
{
	char word[OBJECT_TEXT_MAX], number[24];

	if (!is_first)
		table_append(table, ", ");
	object_text(watch, "resource", word);
	(is_first ? table_add : table_append)(table, word);
	table_append(table, " ");
	table_append(table, object_text(watch, "state", word));
	snprintf(number, sizeof(number), " %" JSON_INTEGER_FORMAT,
		 object_get_integer(watch, "objects"));
	table_append(table, number);
	if (strcmp(object_text(watch, "state", word), "waiting"))
		return;
	table_append(table, ": ");
	table_append(table, object_text(watch, "last_error", word));
}

/* `services connected 12, nodes waiting 1: HTTP 403: …`: states, objects, and what is wrong. */
static void cell_cluster(struct table *table, const json_t *row, const char *key)
{
	const json_t *watch, *watches = json_object_get(json_object_get(row, key), "watches");
	size_t i;

	if (!json_array_size(watches))
		table_add(table, NULL);
	json_array_foreach ((json_t *)watches, i, watch)
		append_watch(table, watch, !i);
}

static void cell_sockets(struct table *table, const json_t *row, const char *key)
{
	const json_t *sockets = json_object_get(row, key);
	const char *mode = json_string_value(json_object_get(sockets, "mode"));

	if (!mode || !object_get_integer(sockets, "wanted"))
		table_add(table, mode);
	else
		table_addf(table,
			   "%s, %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT
			   " programs attached",
			   mode, object_get_integer(sockets, "attached"),
			   object_get_integer(sockets, "wanted"));
}

int print_status(const struct invocation *invocation, const json_t *result)
{
	static const struct field FIELDS[] = {
		{"ready", "ready", cell_value, COLUMN_TEXT},
		{"version", "version", cell_value, COLUMN_TEXT},
		{"pid", "pid", cell_value, COLUMN_TEXT},
		{"uptime", "uptime_seconds", cell_duration, COLUMN_TEXT},
		{"services", "services", cell_of_limit, COLUMN_TEXT},
		{"sources", "sources", cell_sources, COLUMN_TEXT},
		{"backends", "backends", cell_of_limit, COLUMN_TEXT},
		{"denied", "denied", cell_value, COLUMN_TEXT},
		{"connections", "limits.connections", cell_value, COLUMN_TEXT},
		{"interfaces", "interfaces", cell_attached, COLUMN_TEXT},
		{"sockets", "sockets", cell_sockets, COLUMN_TEXT},
		{"neighbours", "neighbours", cell_resolved, COLUMN_TEXT},
		{"fragments", "fragments", cell_fragments, COLUMN_TEXT},
		{"kubernetes", "kubernetes", cell_cluster, COLUMN_TEXT},
		{"repaired", "repaired", cell_value, COLUMN_TEXT},
		{"socket", "socket", cell_value, COLUMN_TEXT},
		{"state", "state", cell_value, COLUMN_TEXT},
		{"pin", "pin", cell_value, COLUMN_TEXT},
		{0},
	};

	(void)invocation;
	return print_block(result, FIELDS);
}

int print_findings(const struct invocation *invocation, const json_t *result)
{
	static const struct field FIELDS[] = {
		{"SEVERITY", "severity", cell_value, COLUMN_STATE},
		{"ABOUT", "about", cell_value, COLUMN_TEXT},
		{"FINDING", "finding", cell_value, COLUMN_TEXT},
		{"ADVICE", "advice", cell_value, COLUMN_TEXT},
		{0},
	};
	const json_t *findings = json_object_get(result, "findings");

	(void)invocation;
	if (json_is_array(findings) && !json_array_size(findings)) {
		puts("nothing is wrong");
		return 0;
	}
	return print_rows(findings, FIELDS);
}

int print_version(const struct invocation *invocation, const json_t *result)
{
	char version[OBJECT_TEXT_MAX];

	(void)invocation;
	printf("lbctl %s\nlbd %s (abi %" JSON_INTEGER_FORMAT ")\n", LB_VERSION,
	       object_text(result, "version", version), object_get_integer(result, "abi"));
	return 0;
}
