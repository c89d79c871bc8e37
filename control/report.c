/*
 * Reports on services, backends, traffic and the daemon itself.
 */
#include "control/report.h"

#include <time.h>
#include <unistd.h>
#include "control/kube/kube.h"
#include "control/kube/local.h"
#include "control/tables.h"
#include "control/wall_clock.h"
#include "lb/traffic.h"

json_t *report_service(const struct entry *entry)
{
	json_t *service = tables_encode_service(entry->service);

	json_object_set_new(service, "source", json_string(source_name(entry->service->source)));
	json_object_set_new(service, "id", json_integer(entry->placement->service));
	return service;
}

json_t *report_services(const struct daemon *daemon)
{
	json_t *services = json_array();
	const struct entry *entry = NULL;

	reconcile_sort(daemon->reconcile);
	while ((entry = reconcile_next(daemon->reconcile, entry)))
		json_array_append_new(services, report_service(entry));
	return json_pack("{s:o}", "services", services);
}

static json_t *report_counter(const struct counter *counter)
{
	return json_pack("{s:I, s:I}", "packets", (json_int_t)counter->packets, "bytes",
			 (json_int_t)counter->bytes);
}

static void add_traffic(json_t *object, const struct traffic_counter *counter)
{
	json_object_set_new(object, "connections", json_integer((json_int_t)counter->connections));
	json_object_set_new(object, "request", report_counter(&counter->request));
	json_object_set_new(object, "reply", report_counter(&counter->reply));
}

json_t *report_backend(const struct daemon *daemon, const struct entry *entry, size_t i)
{
	const int64_t deadline = entry->service->backends[i].deadline_ms;
	json_t *fields = tables_encode_backend(&entry->service->backends[i]);
	struct traffic_counter counter = {};
	char key[ENDPOINT_TEXT_MAX];
	json_t *backend =
		json_pack("{s:s}", "service", service_key_format(&entry->service->key, key));

	datapath_read_backend(daemon->datapath, entry->placement->places[i].backend, &counter);
	json_object_update(backend, fields);
	json_decref(fields);
	if (deadline)
		json_object_set_new(backend, "remaining_seconds",
				    json_integer(wall_clock_seconds_until(deadline)));
	add_traffic(backend, &counter);
	return backend;
}

static void add_backends(const struct daemon *daemon, const struct entry *entry, json_t *list)
{
	for (size_t i = 0; i < entry->service->backend_count; i++)
		json_array_append_new(list, report_backend(daemon, entry, i));
}

json_t *report_backends(const struct daemon *daemon, const struct entry *only)
{
	json_t *backends = json_array();
	const struct entry *entry = NULL;

	reconcile_sort(daemon->reconcile);
	if (only)
		add_backends(daemon, only, backends);
	while (!only && (entry = reconcile_next(daemon->reconcile, entry)))
		add_backends(daemon, entry, backends);
	return json_pack("{s:o}", "backends", backends);
}

json_t *report_export(const struct daemon *daemon)
{
	json_t *services = json_array();
	const struct entry *entry = NULL;

	reconcile_sort(daemon->reconcile);
	while ((entry = reconcile_next(daemon->reconcile, entry)))
		json_array_append_new(services, tables_encode_service(entry->service));
	return json_pack("{s:o, s:o}", "services", services, "deny", report_exported_deny(daemon));
}

static json_t *report_verdicts(const struct daemon *daemon)
{
#define VERDICT_TEXT(name, text, meaning) {text, meaning},
	static const struct {
		const char *name;
		const char *meaning;
	} texts[] = {VERDICTS(VERDICT_TEXT)};
#undef VERDICT_TEXT
	struct counter counters[_VERDICT_COUNT] = {};
	json_t *verdicts = json_object();
	json_t *verdict;

	datapath_read_verdicts(daemon->datapath, counters);
	for (int i = VERDICT_CONTINUE + 1; i < _VERDICT_COUNT; i++) {
		verdict = report_counter(&counters[i]);
		json_object_set_new(verdict, "meaning", json_string(texts[i].meaning));
		json_object_set_new(verdicts, texts[i].name, verdict);
	}
	return verdicts;
}

static json_t *report_service_stats(const struct daemon *daemon, const struct entry *entry)
{
	const struct service *service = entry->service;
	struct traffic_counter counter = {};
	char key[ENDPOINT_TEXT_MAX];
	json_t *stats = json_pack("{s:s, s:s?}", "service", service_key_format(&service->key, key),
				  "name", service->name);
	json_t *backends = json_array();

	traffic_of_service(daemon->datapath, entry->placement, &counter);
	add_traffic(stats, &counter);
	add_backends(daemon, entry, backends);
	json_object_set_new(stats, "backends", backends);
	return stats;
}

json_t *report_stats(const struct daemon *daemon, const struct entry *only)
{
	json_t *services = json_array();
	const struct entry *entry = NULL;

	reconcile_sort(daemon->reconcile);
	if (only)
		json_array_append_new(services, report_service_stats(daemon, only));
	while (!only && (entry = reconcile_next(daemon->reconcile, entry)))
		json_array_append_new(services, report_service_stats(daemon, entry));
	return json_pack("{s:o, s:o}", "verdicts", report_verdicts(daemon), "services", services);
}

struct interface_counts {
	size_t wanted;
	size_t attached;
};

static void count_interface(void *context, const struct interface_status *status)
{
	struct interface_counts *counts = context;

	counts->wanted++;
	counts->attached += status->attached;
}

struct neighbour_counts {
	size_t resolved;
	size_t unresolved;
};

static void count_neighbour(void *context, const struct neighbour_entry *entry)
{
	struct neighbour_counts *counts = context;

	counts->resolved += entry->state == NEIGHBOUR_RESOLVED;
	counts->unresolved += entry->state != NEIGHBOUR_RESOLVED;
}

static json_t *report_sources(const struct daemon *daemon)
{
	json_t *sources = json_object();

	for (enum source source = 0; source < _SOURCE_COUNT; source++)
		json_object_set_new(sources, source_name(source),
				    json_integer((json_int_t)reconcile_count_source(
					    daemon->reconcile, source)));
	return sources;
}

static void add_number(json_t *object, const char *key, uint64_t number)
{
	json_object_set_new(object, key, json_integer((json_int_t)number));
}

static void add_fragments(json_t *status, const struct fragments *fragments)
{
	const struct fragment_counts counts = fragments_count(fragments);

	json_object_set_new(status, "fragments",
			    json_pack("{s:I, s:I, s:I}", "held", (json_int_t)counts.held, "sent",
				      (json_int_t)counts.sent, "given_up",
				      (json_int_t)counts.given_up));
}

static void add_repairs(json_t *status, const struct repairs *repairs)
{
	json_t *kinds = json_object();
	uint64_t total = 0;

	for (enum repair what = 0; what < _REPAIR_COUNT; what++) {
		total += repairs->done[what];
		add_number(kinds, repair_name(what), repairs->done[what]);
	}
	add_number(status, "repaired", total);
	json_object_set_new(status, "repairs", kinds);
}

/* What is watched, and what became of it. */
static json_t *report_cluster(const struct daemon *daemon)
{
	json_t *report = kube_report(daemon->kube);

	if (report)
		json_object_set_new(report, "tables", kube_local_report(daemon->kube_local));
	return report;
}

static void add_sockets(json_t *status, const struct daemon *daemon)
{
	struct socket_status sockets;

	datapath_get_sockets(daemon->datapath, &sockets);
	json_object_set_new(status, "sockets",
			    json_pack("{s:s, s:I, s:I}", "mode",
				      socket_lb_name(daemon->options.datapath.socket_lb), "wanted",
				      (json_int_t)sockets.wanted, "attached",
				      (json_int_t)sockets.attached));
}

json_t *report_status(const struct daemon *daemon)
{
	const struct options *options = &daemon->options;
	struct interface_counts interfaces = {};
	struct neighbour_counts neighbours = {};
	json_t *status = json_pack("{s:s}", "version", LB_VERSION);
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	interfaces_visit(daemon->interfaces, count_interface, &interfaces);
	neighbours_visit(daemon->neighbours, count_neighbour, &neighbours);
	add_number(status, "pid", (uint64_t)getpid());
	add_number(status, "uptime_seconds",
		   (uint64_t)now.tv_sec - daemon->started_ns / 1000000000);
	json_object_set_new(status, "ready", json_boolean(daemon->ready));
	add_number(status, "services", reconcile_count_services(daemon->reconcile));
	add_number(status, "backends", reconcile_count_backends(daemon->reconcile));
	add_number(status, "denied", deny_list_count(daemon->deny));
	json_object_set_new(status, "limits",
			    json_pack("{s:I, s:I, s:I, s:I, s:I}", "services",
				      (json_int_t)options->datapath.max_services, "backends",
				      (json_int_t)options->datapath.max_backends, "connections",
				      (json_int_t)options->datapath.max_connections, "affinity",
				      (json_int_t)options->datapath.max_affinity, "fragments",
				      (json_int_t)options->datapath.max_fragments));
	json_object_set_new(status, "sources", report_sources(daemon));
	json_object_set_new(status, "interfaces",
			    json_pack("{s:I, s:I}", "wanted", (json_int_t)interfaces.wanted,
				      "attached", (json_int_t)interfaces.attached));
	json_object_set_new(status, "neighbours",
			    json_pack("{s:I, s:I}", "resolved", (json_int_t)neighbours.resolved,
				      "unresolved", (json_int_t)neighbours.unresolved));
	add_sockets(status, daemon);
	add_fragments(status, daemon->fragments);
	add_repairs(status, &daemon->repairs);
	if (daemon->kube)
		json_object_set_new(status, "kubernetes", report_cluster(daemon));
	json_object_set_new(status, "pin", json_string(options->pin_path));
	json_object_set_new(status, "state", json_string(options->state_path));
	json_object_set_new(status, "socket", json_string(options->socket_path));
	return status;
}
