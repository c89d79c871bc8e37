/*
 * Findings: one function for each thing that may be wrong. It asks those who know and changes
 * nothing.
 */
#include "control/doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "control/kube/kube.h"
#include "control/kube/local.h"
#include "control/netfilter.h"

#define PROXY_TABLES 8
#define FULL_PERCENT 90
#define FINDING_MAX 400

enum severity {
	SEVERITY_ERROR,   /* packets go astray, or are not balanced */
	SEVERITY_WARNING, /* it works, but not as well as it might, or not for long */
	SEVERITY_NOTE,    /* nothing is wrong */
	_SEVERITY_COUNT,
};

static const char *const SEVERITY_NAMES[_SEVERITY_COUNT] = {
	[SEVERITY_ERROR] = "error",
	[SEVERITY_WARNING] = "warning",
	[SEVERITY_NOTE] = "note",
};

struct findings {
	struct daemon *daemon;
	json_t *lists[_SEVERITY_COUNT];
};

/* What is wrong comes by a format; NULL as an advice: there is nothing to do. */
__attribute__((format(printf, 5, 6))) static void find(struct findings *findings,
						       enum severity severity, const char *about,
						       const char *advice, const char *format, ...)
{
	char text[FINDING_MAX];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	json_array_append_new(findings->lists[severity],
			      json_pack("{s:s, s:s, s:s, s:s?}", "severity",
					SEVERITY_NAMES[severity], "about", about, "finding", text,
					"advice", advice));
}

static void look_at_interface(void *context, const struct interface_status *status)
{
	struct findings *findings = context;
	const char *name = status->link.name[0] ? status->link.name : status->asked;
	char about[64];

	snprintf(about, sizeof(about), "interface %.48s", name);
	if (!status->attached)
		find(findings, SEVERITY_ERROR, about,
		     "remove what is in the way, or leave it alone: lbctl interface del",
		     "not attached: %s", status->error[0] ? status->error : "it does not exist");
	else if (status->error[0])
		find(findings, SEVERITY_WARNING, about, NULL, "%s", status->error);
	if (status->attached && status->mode == MODE_GENERIC)
		find(findings, SEVERITY_WARNING, about,
		     "a driver with native XDP, or a kernel that has it",
		     "generic mode: the kernel makes an skb of every packet first");
	if (status->attached && !status->redirect)
		find(findings, SEVERITY_WARNING, about, NULL,
		     "frames redirected to it would be lost; the stack forwards instead");
}

static void look_at_neighbours(struct findings *findings)
{
	const size_t pending = neighbours_pending(findings->daemon->neighbours);

	if (pending)
		find(findings, SEVERITY_WARNING, "neighbours",
		     "lbctl neighbour list shows which, and why",
		     "%zu backends have no next hop: the stack forwards their packets", pending);
}

static void look_at_room(struct findings *findings, const char *about, size_t used, size_t limit)
{
	if (used * 100 >= limit * FULL_PERCENT)
		find(findings, SEVERITY_WARNING, about, "a higher limit, which keeps connections",
		     "%zu of %zu are in use", used, limit);
}

static void look_at_limits(struct findings *findings)
{
	const struct datapath_options *limits = &findings->daemon->options.datapath;

	look_at_room(findings, "--max-services",
		     reconcile_count_services(findings->daemon->reconcile), limits->max_services);
	look_at_room(findings, "--max-backends",
		     reconcile_count_backends(findings->daemon->reconcile), limits->max_backends);
}

/* While netfilter still has connections of services, its rules are to stay. */
static void look_at_netfilter(struct findings *findings)
{
	const bool takes_over = findings->daemon->conntrack;
	struct proxy_table tables[PROXY_TABLES];
	int count = netfilter_find_proxy(tables, PROXY_TABLES);
	char about[NETFILTER_TABLE_MAX + 16];

	if (takes_over)
		find(findings, SEVERITY_NOTE, "takeover",
		     "leave netfilter's rules until this is gone",
		     "connections that netfilter translates are being taken over");
	if (count < 0 && count != -EPROTONOSUPPORT)
		find(findings, SEVERITY_NOTE, "netfilter", NULL,
		     "could not be asked for rules of kube-proxy: %s", strerror(-count));
	for (int i = 0; i < count; i++) {
		snprintf(about, sizeof(about), "table %s %s", tables[i].family, tables[i].name);
		find(findings, takes_over ? SEVERITY_NOTE : SEVERITY_WARNING, about,
		     takes_over ? "stop kube-proxy; remove its rules when the takeover has ended"
				: "stop kube-proxy, then kube-proxy --cleanup",
		     "%u chains of kube-proxy translate for services beside lbd", tables[i].chains);
	}
}

static void look_at_watch(struct findings *findings, const json_t *watch)
{
	const char *error = json_string_value(json_object_get(watch, "last_error"));
	const char *resource = json_string_value(json_object_get(watch, "resource"));
	const char *state = json_string_value(json_object_get(watch, "state"));
	char about[64];

	if (!state || !resource || strcmp(state, "waiting"))
		return;
	snprintf(about, sizeof(about), "watch of %.48s", resource);
	find(findings, SEVERITY_WARNING, about, "what is in force goes on; lbd tries again",
	     "the API server does not answer: %s", error ? error : "not yet");
}

static void look_at_cluster(struct findings *findings)
{
	const struct daemon *daemon = findings->daemon;
	json_t *watch, *report = kube_report(daemon->kube), *tables;
	json_int_t blocked;
	size_t i;

	if (!report)
		return;
	tables = kube_local_report(daemon->kube_local);
	blocked = json_integer_value(json_object_get(tables, "blocked"));
	json_decref(tables);
	json_array_foreach (json_object_get(report, "watches"), i, watch)
		look_at_watch(findings, watch);
	if (blocked)
		find(findings, SEVERITY_ERROR, "kubernetes",
		     "the log names them: event=kube-blocked, kube-clash",
		     "%lld services of the cluster cannot be written", (long long)blocked);
	if (daemon->options.datapath.socket_lb == SOCKET_LB_OFF)
		find(findings, SEVERITY_WARNING, "--socket-lb", "--socket-lb host-only",
		     "processes of this node reach no Service by lbd");
	json_decref(report);
}

static void look_at_sockets(struct findings *findings)
{
	struct socket_status status;

	datapath_get_sockets(findings->daemon->datapath, &status);
	if (status.attached < status.wanted)
		find(findings, SEVERITY_ERROR, "sockets",
		     "lbd tries again; the log names what is in the way",
		     "%u of %u programs are attached to the cgroup", status.attached,
		     status.wanted);
}

static void look_at_repairs(struct findings *findings)
{
	const struct repairs *repairs = &findings->daemon->repairs;
	uint64_t sum = 0;

	for (size_t i = 0; i < _REPAIR_COUNT; i++)
		sum += repairs->done[i];
	if (sum)
		find(findings, SEVERITY_WARNING, "tables",
		     "find out who else writes to maps and links: the log names what",
		     "%llu things were put right since lbd started", (unsigned long long)sum);
}

json_t *doctor_report(struct daemon *daemon)
{
	struct findings findings = {.daemon = daemon};
	json_t *all = json_array();

	for (size_t i = 0; i < _SEVERITY_COUNT; i++)
		findings.lists[i] = json_array();
	interfaces_visit(daemon->interfaces, look_at_interface, &findings);
	look_at_neighbours(&findings);
	look_at_limits(&findings);
	look_at_netfilter(&findings);
	look_at_cluster(&findings);
	look_at_sockets(&findings);
	look_at_repairs(&findings);
	for (size_t i = 0; i < _SEVERITY_COUNT; i++) {
		json_array_extend(all, findings.lists[i]);
		json_decref(findings.lists[i]);
	}
	return json_pack("{s:o}", "findings", all);
}
