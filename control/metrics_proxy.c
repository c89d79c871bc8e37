/*
 * The metrics of kube-proxy, and whether the API server is there.
 */
#include "control/metrics_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "control/kube/kube.h"

#define MS_PER_SECOND 1e3

static const char *const FAMILIES[_PROXY_FAMILY_COUNT] = {
	[PROXY_IPV4] = "IPv4",
	[PROXY_IPV6] = "IPv6",
};
static const char *const POLICIES[_PROXY_POLICY_COUNT] = {
	[PROXY_INTERNAL] = "internal",
	[PROXY_EXTERNAL] = "external",
};

/* One histogram of an IP family, as cumulative counts. */
static void add_histogram(struct metrics_text *text, const char *name, const char *family,
			  enum histogram_bounds bounds, const struct histogram *histogram)
{
	const size_t count = histogram_bound_count(bounds);
	char sample[96], bound[32];
	struct metric_label labels[] = {{"ip_family", family}, {"le", "+Inf"}};
	uint64_t sum = 0;

	snprintf(sample, sizeof(sample), "%s_bucket", name);
	for (size_t i = 0; i <= count; i++) {
		sum += histogram->counts[i];
		labels[1].value =
			i < count ? metrics_format_bound(text, histogram_bound(bounds, i), bound)
				  : "+Inf";
		metrics_add(text, sample, (struct metric_labels){labels, 2}, sum);
	}
	snprintf(sample, sizeof(sample), "%s_sum", name);
	metrics_add_real(text, sample, (struct metric_labels){labels, 1}, histogram->sum);
	snprintf(sample, sizeof(sample), "%s_count", name);
	metrics_add(text, sample, (struct metric_labels){labels, 1}, sum);
}

/* What lbd does for both families at once counts for each. */
static void write_shared(struct metrics_text *text, const char *name, const char *help,
			 const struct histogram *histogram)
{
	metrics_describe(text, name, METRIC_HISTOGRAM, help);
	for (int family = 0; family < _PROXY_FAMILY_COUNT; family++)
		add_histogram(text, name, FAMILIES[family], BOUNDS_SYNC, histogram);
}

static void write_histograms(struct metrics_text *text, const struct proxy_metrics *proxy)
{
	const char *programming = "kubeproxy_network_programming_duration_seconds";

	write_shared(text, "kubeproxy_sync_proxy_rules_duration_seconds",
		     "SyncProxyRules latency in seconds", &proxy->sync);
	write_shared(text, "kubeproxy_sync_full_proxy_rules_duration_seconds",
		     "SyncProxyRules latency in seconds for full resyncs", &proxy->full_sync);
	write_shared(text, "kubeproxy_sync_partial_proxy_rules_duration_seconds",
		     "SyncProxyRules latency in seconds for partial resyncs", &proxy->partial_sync);
	metrics_describe(text, programming, METRIC_HISTOGRAM,
			 "In Cluster Network Programming Latency in seconds");
	for (int family = 0; family < _PROXY_FAMILY_COUNT; family++)
		add_histogram(text, programming, FAMILIES[family], BOUNDS_PROGRAMMING,
			      &proxy->programming[family]);
}

static void write_changes(struct metrics_text *text, const struct proxy_metrics *proxy)
{
	metrics_add_single(text, "kubeproxy_sync_proxy_rules_endpoint_changes_pending",
			   METRIC_GAUGE, "Pending proxy rules Endpoint changes",
			   proxy->pending_changes[PROXY_ENDPOINT]);
	metrics_add_single(text, "kubeproxy_sync_proxy_rules_endpoint_changes_total",
			   METRIC_COUNTER, "Cumulative proxy rules Endpoint changes",
			   proxy->changes[PROXY_ENDPOINT]);
	metrics_add_single(text, "kubeproxy_sync_proxy_rules_service_changes_pending", METRIC_GAUGE,
			   "Pending proxy rules Service changes",
			   proxy->pending_changes[PROXY_SERVICE]);
	metrics_add_single(text, "kubeproxy_sync_proxy_rules_service_changes_total", METRIC_COUNTER,
			   "Cumulative proxy rules Service changes", proxy->changes[PROXY_SERVICE]);
}

static void write_time(struct metrics_text *text, const char *name, const char *help, int64_t ms)
{
	metrics_describe(text, name, METRIC_GAUGE, help);
	for (int family = 0; family < _PROXY_FAMILY_COUNT; family++) {
		const struct metric_label label = {"ip_family", FAMILIES[family]};

		metrics_add_real(text, name, (struct metric_labels){&label, 1},
				 (double)ms / MS_PER_SECOND);
	}
}

/* A gauge in spite of its name, as kube-proxy has it. */
static void write_no_local_endpoints(struct metrics_text *text, const struct proxy_metrics *proxy)
{
	const char *name = "kubeproxy_sync_proxy_rules_no_local_endpoints_total";

	metrics_describe(text, name, METRIC_GAUGE,
			 "Number of services with a Local traffic policy and no endpoints");
	for (int family = 0; family < _PROXY_FAMILY_COUNT; family++)
		for (int policy = 0; policy < _PROXY_POLICY_COUNT; policy++) {
			const struct metric_label labels[] = {
				{"ip_family", FAMILIES[family]},
				{"traffic_policy", POLICIES[policy]},
			};

			metrics_add(text, name, (struct metric_labels){labels, 2},
				    proxy->no_local_endpoints[family][policy]);
		}
}

static void write_removed_flows(struct metrics_text *text, const struct proxy_metrics *proxy)
{
	const char *name = "kubeproxy_conntrack_reconciler_deleted_entries_total";

	metrics_describe(text, name, METRIC_COUNTER,
			 "Cumulative UDP flows removed because their endpoint is gone");
	for (int family = 0; family < _PROXY_FAMILY_COUNT; family++) {
		const struct metric_label label = {"ip_family", FAMILIES[family]};

		metrics_add(text, name, (struct metric_labels){&label, 1},
			    proxy->flows_removed[family]);
	}
}

static void write_probes(struct metrics_text *text, const char *name, const char *help,
			 struct health_answers answers)
{
	const struct metric_label ok = {"code", "200"}, unavailable = {"code", "503"};

	metrics_describe(text, name, METRIC_COUNTER, help);
	metrics_add(text, name, (struct metric_labels){&ok, 1}, answers.ok);
	metrics_add(text, name, (struct metric_labels){&unavailable, 1}, answers.unavailable);
}

/* Of each watch: an API server that is away is nobody's ill health, so it is told here. */
static void write_watches(struct metrics_text *text, const struct kube *kube)
{
	json_t *report = kube_report(kube);
	const json_t *watches = json_object_get(report, "watches"), *watch;
	const char *resource, *state;
	size_t i;

	if (report)
		metrics_describe(text, "lbd_kubernetes_connected", METRIC_GAUGE,
				 "Whether the API server tells of changes of this resource");
	json_array_foreach ((json_t *)watches, i, watch) {
		resource = json_string_value(json_object_get(watch, "resource"));
		state = json_string_value(json_object_get(watch, "state"));
		const struct metric_label label = {"resource", resource ? resource : ""};

		metrics_add(text, "lbd_kubernetes_connected", (struct metric_labels){&label, 1},
			    state && !strcmp(state, "connected"));
	}
	json_decref(report);
}

bool metrics_write_proxy(struct scrape *scrape)
{
	const struct daemon *daemon = scrape->daemon;
	const struct proxy_metrics *proxy = &daemon->proxy;
	struct metrics_text *text = &scrape->text;

	write_probes(text, "kubeproxy_proxy_healthz_total", "Cumulative proxy healthz HTTP status",
		     health_answers(daemon->health, HEALTH_HEALTHZ));
	write_probes(text, "kubeproxy_proxy_livez_total", "Cumulative proxy livez HTTP status",
		     health_answers(daemon->health, HEALTH_LIVEZ));
	if (!options_name_cluster(&daemon->options))
		return true;
	write_watches(text, daemon->kube);
	write_histograms(text, proxy);
	write_changes(text, proxy);
	write_time(text, "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds",
		   "The last time a sync of proxy rules was queued", proxy->queued_ms);
	write_time(text, "kubeproxy_sync_proxy_rules_last_timestamp_seconds",
		   "The last time proxy rules were successfully synced", proxy->synced_ms);
	write_no_local_endpoints(text, proxy);
	write_removed_flows(text, proxy);
	return true;
}
