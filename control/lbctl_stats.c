/*
 * `lbctl stats`: what was counted; with --watch also how fast it grows (lbctl_watch.c).
 */
#include "control/lbctl.h"

#include <errno.h>
#include <stdio.h>
#include "control/lbctl_print.h"

#define RATE STATS_RATE_KEY

static int put_watch(struct invocation *invocation, const struct argument *argument,
		     const char *word)
{
	(void)argument; /* lbd is asked the same, only more often */
	(void)word;
	invocation->watch = true;
	return 0;
}

const struct argument stats_arguments[] = {
	{"SERVICE", .key = "service", .put = put_service, .help = "all where none is given",
	 .flags = ARGUMENT_OPTIONAL},
	{"--watch", .put = put_watch,
	 .help = "again each second, with rates, until interrupted; as JSON a value a line"},
	{0},
};

static const struct field VERDICT_FIELDS[] = {
	{"VERDICT", "verdict", cell_value, COLUMN_TEXT},
	{"PACKETS", "packets", cell_value, COLUMN_NUMBER},
	{"BYTES", "bytes", cell_bytes, COLUMN_NUMBER},
	{"MEANING", "meaning", cell_value, COLUMN_TEXT},
	{0},
};

static const struct field VERDICT_RATE_FIELDS[] = {
	{"VERDICT", "verdict", cell_value, COLUMN_TEXT},
	{"PACKETS", "packets", cell_value, COLUMN_NUMBER},
	{"PACKETS/S", RATE ".packets", cell_value, COLUMN_NUMBER},
	{"BYTES/S", RATE ".bytes", cell_bytes, COLUMN_NUMBER},
	{"MEANING", "meaning", cell_value, COLUMN_TEXT},
	{0},
};

static const struct field SERVICE_FIELDS[] = {
	{"SERVICE", "service", cell_value, COLUMN_TEXT},
	{"NAME", "name", cell_value, COLUMN_TEXT},
	{"CONNECTIONS", "connections", cell_value, COLUMN_NUMBER},
	{"REQUEST-PACKETS", "request.packets", cell_value, COLUMN_NUMBER},
	{"REQUEST-BYTES", "request.bytes", cell_bytes, COLUMN_NUMBER},
	{"REPLY-PACKETS", "reply.packets", cell_value, COLUMN_NUMBER},
	{"REPLY-BYTES", "reply.bytes", cell_bytes, COLUMN_NUMBER},
	{0},
};

static const struct field SERVICE_RATE_FIELDS[] = {
	{"SERVICE", "service", cell_value, COLUMN_TEXT},
	{"NAME", "name", cell_value, COLUMN_TEXT},
	{"CONNECTIONS", "connections", cell_value, COLUMN_NUMBER},
	{"CONNECTIONS/S", RATE ".connections", cell_value, COLUMN_NUMBER},
	{"REQUEST-PACKETS/S", RATE ".request.packets", cell_value, COLUMN_NUMBER},
	{"REQUEST-BYTES/S", RATE ".request.bytes", cell_bytes, COLUMN_NUMBER},
	{"REPLY-PACKETS/S", RATE ".reply.packets", cell_value, COLUMN_NUMBER},
	{"REPLY-BYTES/S", RATE ".reply.bytes", cell_bytes, COLUMN_NUMBER},
	{0},
};

static const struct field BACKEND_FIELDS[] = {
	{"BACKEND", NULL, cell_endpoint, COLUMN_TEXT},
	{"WEIGHT", "weight", cell_value, COLUMN_NUMBER},
	{"STATE", "state", cell_value, COLUMN_STATE},
	{"CONNECTIONS", "connections", cell_value, COLUMN_NUMBER},
	{"REQUEST-PACKETS", "request.packets", cell_value, COLUMN_NUMBER},
	{"REQUEST-BYTES", "request.bytes", cell_bytes, COLUMN_NUMBER},
	{"REPLY-PACKETS", "reply.packets", cell_value, COLUMN_NUMBER},
	{"REPLY-BYTES", "reply.bytes", cell_bytes, COLUMN_NUMBER},
	{0},
};

/* The verdicts that were met, as a list whose rows carry their names. NULL: out of memory. */
static json_t *list_verdicts(json_t *verdicts)
{
	json_t *list = json_array();
	const char *name;
	json_t *verdict;

	json_object_foreach (verdicts, name, verdict) {
		json_t *row;

		if (!object_get_integer(verdict, "packets"))
			continue;
		row = json_pack("{ss}", "verdict", name);
		if (!row || json_object_update(row, verdict) || json_array_append(list, row)) {
			json_decref(row);
			json_decref(list);
			return NULL;
		}
		json_decref(row);
	}
	return list;
}

static int print_verdicts(const struct invocation *invocation, const json_t *result)
{
	json_auto_t *list = list_verdicts(json_object_get(result, "verdicts"));

	if (!list)
		return -ENOMEM;
	return print_rows(list, invocation->watch ? VERDICT_RATE_FIELDS : VERDICT_FIELDS);
}

int print_stats(const struct invocation *invocation, const json_t *result)
{
	const json_t *services = json_object_get(result, "services");
	int error = print_verdicts(invocation, result);

	if (error)
		return error;
	putchar('\n');
	error = print_rows(services, invocation->watch ? SERVICE_RATE_FIELDS : SERVICE_FIELDS);
	if (error || !json_object_get(invocation->request, "service"))
		return error;
	putchar('\n');
	return print_rows(json_object_get(json_array_get(services, 0), "backends"), BACKEND_FIELDS);
}
