/*
 * Requests: handlers of a few lines each, and the table that names them.
 */
#include "control/requests.h"

#include <errno.h>
#include <string.h>
#include "control/admission.h"
#include "control/connections.h"
#include "control/doctor.h"
#include "control/report.h"
#include "control/request_deny.h"
#include "control/request_service.h"
#include "control/request_words.h"
#include "control/tables.h"
#include "control/upkeep.h"

#define ABI 1 /* of the protocol: raised when an answer's meaning changes */

/* A result, or NULL with a refusal. */
typedef json_t *(*handler)(struct daemon *daemon, const json_t *request, struct refusal *refusal);

static json_t *report_counts(const struct transaction_counts *counts)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "added", (json_int_t)counts->added, "changed",
			 (json_int_t)counts->changed, "removed", (json_int_t)counts->removed,
			 "unchanged", (json_int_t)counts->unchanged);
}

static json_t *apply(struct daemon *daemon, const json_t *request, struct refusal *refusal)
{
	const json_t *document = json_object_get(request, "document");
	const struct apply_options options = {
		.prune = request_flag(request, "prune"),
		.dry_run = request_flag(request, "dry_run"),
	};
	struct apply_counts counts = {};
	struct tables tables = {};
	json_t *result;
	int error;

	if (!document) {
		refuse(refusal, "document: missing");
		return NULL;
	}
	if (tables_decode(document, SOURCE_OPERATOR, &tables, refusal))
		return NULL;
	error = operator_apply(daemon->operator, & tables, options, &counts, refusal);
	tables_finish(&tables);
	if (error)
		return NULL;
	request_is_done(refusal);
	upkeep_expire(daemon);
	result = report_counts(&counts.services);
	json_object_set_new(result, "dry_run", json_boolean(options.dry_run));
	json_object_set_new(result, "deny", report_counts(&counts.deny));
	return result;
}

static json_t *export_tables(struct daemon *daemon, const json_t *request, struct refusal *refusal)
{
	(void)request;
	(void)refusal;
	return report_export(daemon);
}

/* By what an interface is to be attached: `xdp`, which need not be said, or `tc`. */
static int read_hook(const json_t *request, bool *by_tc, struct refusal *refusal)
{
	const json_t *hook = json_object_get(request, "hook");
	const char *word = json_is_string(hook) ? json_string_value(hook) : "";

	*by_tc = !strcmp(word, "tc");
	return !hook || *by_tc || !strcmp(word, "xdp") ? 0 : refuse(refusal, "hook: not xdp or tc");
}

static json_t *interface_add(struct daemon *daemon, const json_t *request, struct refusal *refusal)
{
	const char *name = request_text(request, "interface", refusal);
	bool by_tc = false;

	if (!name || read_hook(request, &by_tc, refusal) ||
	    interfaces_want(daemon->interfaces, name, by_tc, refusal))
		return NULL;
	request_is_done(refusal);
	return report_interface(daemon, name);
}

static json_t *interface_del(struct daemon *daemon, const json_t *request, struct refusal *refusal)
{
	const char *name = request_text(request, "interface", refusal);
	json_t *was;

	if (!name)
		return NULL;
	was = report_interface(daemon, name);
	if (!interfaces_unwant(daemon->interfaces, name, refusal)) {
		request_is_done(refusal);
		return was;
	}
	json_decref(was);
	return NULL;
}

static json_t *interface_list(struct daemon *daemon, const json_t *request, struct refusal *refusal)
{
	(void)request;
	(void)refusal;
	return report_interfaces(daemon);
}

static json_t *neighbour_list(struct daemon *daemon, const json_t *request, struct refusal *refusal)
{
	(void)request;
	(void)refusal;
	return report_neighbours(daemon);
}

/* 0 with what the request asks for; the key and address must outlive the filter. */
static int read_filter(struct daemon *daemon, const json_t *request,
		       struct connection_filter *filter, struct address *client,
		       struct refusal *refusal)
{
	const struct entry *entry;
	const char *text;

	*filter = (struct connection_filter){};
	if (json_object_get(request, "service")) {
		entry = request_entry(daemon, request, refusal);
		if (!entry)
			return -ENOENT;
		filter->service = &entry->service->key;
	}
	if (!json_object_get(request, "client"))
		return 0;
	text = request_text(request, "client", refusal);
	if (!text || address_parse(text, client))
		return refuse(refusal, "client %.64s: not an IPv4 or IPv6 address",
			      text ? text : "");
	filter->client = client;
	return 0;
}

static json_t *connection_list(struct daemon *daemon, const json_t *request,
			       struct refusal *refusal)
{
	struct connection_filter filter;
	struct address client;

	if (read_filter(daemon, request, &filter, &client, refusal))
		return NULL;
	return connections_list(daemon, filter);
}

static json_t *connection_count(struct daemon *daemon, const json_t *request,
				struct refusal *refusal)
{
	(void)request;
	(void)refusal;
	return connections_count(daemon);
}

static json_t *connection_flush(struct daemon *daemon, const json_t *request,
				struct refusal *refusal)
{
	struct connection_filter filter;
	struct address client;
	size_t flushed = 0;
	int error;

	if (read_filter(daemon, request, &filter, &client, refusal))
		return NULL;
	error = connections_flush(daemon, filter, &flushed);
	if (error) {
		refuse(refusal, "cannot walk the connection table: %s", strerror(-error));
		return NULL;
	}
	request_is_done(refusal);
	return json_pack("{s:I}", "flushed", (json_int_t)flushed);
}

static json_t *stats(struct daemon *daemon, const json_t *request, struct refusal *refusal)
{
	const struct entry *only = NULL;

	if (json_object_get(request, "service")) {
		only = request_entry(daemon, request, refusal);
		if (!only)
			return NULL;
	}
	return report_stats(daemon, only);
}

static json_t *status(struct daemon *daemon, const json_t *request, struct refusal *refusal)
{
	(void)request;
	(void)refusal;
	return report_status(daemon);
}

static json_t *doctor(struct daemon *daemon, const json_t *request, struct refusal *refusal)
{
	(void)request;
	(void)refusal;
	return doctor_report(daemon);
}

static json_t *version(struct daemon *daemon, const json_t *request, struct refusal *refusal)
{
	(void)daemon;
	(void)request;
	(void)refusal;
	return json_pack("{s:s, s:i}", "version", LB_VERSION, "abi", ABI);
}

static const struct {
	const char *command;
	handler handle;
	enum level level; /* that it takes */
} COMMANDS[] = {
	{"service add", request_service_add, LEVEL_CHANGE},
	{"service set", request_service_set, LEVEL_CHANGE},
	{"service del", request_service_del, LEVEL_CHANGE},
	{"service list", request_service_list, LEVEL_READ},
	{"service show", request_service_show, LEVEL_READ},
	{"backend add", request_backend_add, LEVEL_CHANGE},
	{"backend set", request_backend_set, LEVEL_CHANGE},
	{"backend del", request_backend_del, LEVEL_CHANGE},
	{"backend list", request_backend_list, LEVEL_READ},
	{"apply", apply, LEVEL_CHANGE},
	{"export", export_tables, LEVEL_READ},
	{"interface add", interface_add, LEVEL_CHANGE},
	{"interface del", interface_del, LEVEL_CHANGE},
	{"interface list", interface_list, LEVEL_READ},
	{"neighbour list", neighbour_list, LEVEL_READ},
	{"connection list", connection_list, LEVEL_READ},
	{"connection count", connection_count, LEVEL_READ},
	{"connection flush", connection_flush, LEVEL_CHANGE},
	{"deny add", request_deny_add, LEVEL_CHANGE},
	{"deny del", request_deny_del, LEVEL_CHANGE},
	{"deny list", request_deny_list, LEVEL_READ},
	{"doctor", doctor, LEVEL_READ},
	{"stats", stats, LEVEL_READ},
	{"status", status, LEVEL_READ},
	{"version", version, LEVEL_READ},
};

static json_t *handle(struct daemon *daemon, size_t command, enum level level,
		      const json_t *request, struct refusal *refusal)
{
	if (level == LEVEL_CHANGE || COMMANDS[command].level == LEVEL_READ)
		return COMMANDS[command].handle(daemon, request, refusal);
	refuse(refusal,
	       "permission denied: %s is for root and the user of lbd; members of its "
	       "--socket-group may only read",
	       COMMANDS[command].command);
	return NULL;
}

static json_t *answer(struct daemon *daemon, enum level level, const json_t *request)
{
	struct refusal refusal = {"out of memory"}; /* of what fails without a word */
	json_t *result = NULL;
	const char *command = request_text(request, "command", &refusal);
	size_t i;

	for (i = 0; command && i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++) {
		if (strcmp(command, COMMANDS[i].command))
			continue;
		result = handle(daemon, i, level, request, &refusal);
		break;
	}
	if (command && i == sizeof(COMMANDS) / sizeof(COMMANDS[0]))
		refuse(&refusal, "command %.64s: unknown; see docs/protocol.md", command);
	if (result)
		return json_pack("{s:o}", "result", result);
	return json_pack("{s:s}", "error", refusal.text);
}

json_t *requests_answer(struct daemon *daemon, const json_t *request)
{
	return answer(daemon, LEVEL_CHANGE, request);
}

json_t *requests_answer_reader(struct daemon *daemon, const json_t *request)
{
	return answer(daemon, LEVEL_READ, request);
}
