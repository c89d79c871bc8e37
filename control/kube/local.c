/*
 * This node's part of a cluster: see local.h.
 */
#include "control/kube/local.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "control/daemon.h"
#include "control/log.h"
#include "control/takeover.h"
#include "control/upkeep.h"
#include "control/wall_clock.h"

struct kube_local {
	struct daemon *daemon;
	struct kube_sync *sync;
	struct address *addresses; /* where node ports are served */
	size_t address_count;
	uint64_t *used; /* a bit for each backend: of the pass */
};

/* --nodeport-address, or all but those that nobody reaches from elsewhere. */
static bool takes_node_ports(const struct options *options, const struct address *address)
{
	const struct prefix_list *ranges = &options->nodeport_addresses;

	if (!ranges->count)
		return !address_is_loopback(address) && !address_is_link_local(address);
	for (size_t i = 0; i < ranges->count; i++)
		if (prefix_covers(&ranges->items[i], address))
			return true;
	return false;
}

static bool has_address(const struct address *list, size_t count, const struct address *address)
{
	for (size_t i = 0; i < count; i++)
		if (address_equal(&list[i], address))
			return true;
	return false;
}

/* Strangers can be told where it is known whose the pods are. */
static bool knows_cluster(const struct kube_local *local)
{
	const struct kube_node *node = kube_store_node(kube_sync_store(local->sync));

	return local->daemon->options.cluster.count || (node && node->range_count);
}

static void set_rules(struct kube_local *local)
{
	const struct prefix_list *external = &local->daemon->options.external_ranges;
	const struct kube_rules rules = {
		.node_addresses = local->addresses,
		.node_address_count = local->address_count,
		.external_ranges = external->items,
		.external_range_count = external->count,
		.knows_cluster = knows_cluster(local),
	};

	kube_sync_set_rules(local->sync, &rules);
}

/* As metrics have them, which are read when somebody scrapes. */
static void count(const struct kube_local *local)
{
	struct proxy_metrics *proxy = &local->daemon->proxy;
	struct kube_sync_status status;

	kube_sync_describe(local->sync, &status);
	proxy->changes[PROXY_SERVICE] = status.counts.service_changes;
	proxy->changes[PROXY_ENDPOINT] = status.counts.endpoint_changes;
	proxy->pending_changes[PROXY_SERVICE] = status.counts.service_changes_pending;
	proxy->pending_changes[PROXY_ENDPOINT] = status.counts.endpoint_changes_pending;
	proxy->queued_ms = status.queued_ms;
	for (int family = 0; family < _PROXY_FAMILY_COUNT; family++) {
		proxy->no_local_endpoints[family][PROXY_INTERNAL] =
			status.counts.no_local_internal[family];
		proxy->no_local_endpoints[family][PROXY_EXTERNAL] =
			status.counts.no_local_external[family];
	}
}

static void note_queued(void *context)
{
	const struct kube_local *local = context;

	count(local);
	health_queued(local->daemon->health, loop_now_ms());
}

static void observe_sync(void *context, double seconds, bool is_full)
{
	const struct kube_local *local = context;

	proxy_metrics_synced(&local->daemon->proxy, is_full, seconds, wall_clock_ms());
}

static void observe_programmed(void *context, double seconds, bool is_ipv6)
{
	const struct kube_local *local = context;

	proxy_metrics_programmed(&local->daemon->proxy, is_ipv6 ? PROXY_IPV6 : PROXY_IPV4, seconds);
}

static void note_synced(void *context)
{
	const struct kube_local *local = context;

	count(local);
	health_synced(local->daemon->health, loop_now_ms());
	if (kube_local_any_leaving(local))
		upkeep_hasten_sweep(local->daemon);
}

static void note_begin(void *context)
{
	const struct kube_local *local = context;

	takeover_begin(local->daemon);
}

/* What is adopted and nobody has brought by now was Kubernetes' at some time, or a file's. */
static void note_complete(void *context)
{
	const struct kube_local *local = context;

	takeover_run(local->daemon);
	if (!operator_is_incomplete(local->daemon->operator))
		kube_store_take_orphans(kube_sync_store(local->sync));
}

static void note_node(void *context, const struct kube_node *node)
{
	struct kube_local *local = context;
	struct daemon *daemon = local->daemon;
	int error = networks_set(daemon->networks, NETWORKS_OF_KUBERNETES, node->pod_ranges,
				 node->range_count);

	if (error)
		log_error("kube-networks", "error=%s", log_quote(strerror(-error)));
	health_set_node_eligible(daemon->health, !node->is_leaving);
	set_rules(local);
}

/* NS/NAME parts at its slash, in a copy. */
static bool split_name(const char *name, struct health_service *service)
{
	char *copy = strdup(name);
	char *slash = copy ? strchr(copy, '/') : NULL;

	if (!slash) {
		free(copy);
		return false;
	}
	*slash = '\0';
	service->namespace = copy;
	service->name = slash + 1;
	return true;
}

static int tell_health(struct kube_local *local, const struct kube_health_check *checks,
		       size_t count)
{
	struct health_service *services = calloc(count + 1, sizeof(*services));
	int error = services ? 0 : -ENOMEM;
	size_t told = 0;

	for (; !error && told < count; told++) {
		services[told].port = checks[told].port;
		services[told].local_endpoints = (uint32_t)checks[told].local_endpoints;
		if (!split_name(checks[told].name, &services[told]))
			error = -ENOMEM;
	}
	if (!error)
		error = health_set_services(local->daemon->health, services, count);
	for (size_t i = 0; i < told; i++)
		free((char *)services[i].namespace);
	free(services);
	return error;
}

static void note_health(void *context)
{
	struct kube_local *local = context;
	struct kube_health_check *checks = NULL;
	size_t count = 0;
	int error = kube_store_list_health(kube_sync_store(local->sync), &checks, &count);

	if (!error)
		error = tell_health(local, checks, count);
	if (error)
		log_error("out-of-memory", "what=%s", log_quote("health checks of services"));
	free(checks);
}

struct kube_local *kube_local_new(struct daemon *daemon, const char *node)
{
	struct kube_local *local = calloc(1, sizeof(*local));
	const struct kube_sync_hooks hooks = {
		.context = local,
		.queued = note_queued,
		.synced = note_synced,
		.begin = note_begin,
		.complete = note_complete,
		.node_changed = note_node,
		.health_changed = note_health,
	};
	const struct kube_observer observer = {local, observe_sync, observe_programmed};

	if (!local)
		return NULL;
	local->daemon = daemon;
	local->used =
		calloc(datapath_capacity_backends(daemon->datapath) / 64 + 1, sizeof(*local->used));
	if (local->used)
		local->sync = kube_sync_new(daemon->loop, daemon->reconcile, node, &hooks);
	if (local->sync) {
		kube_sync_observe(local->sync, &observer);
		set_rules(local);
		return local;
	}
	kube_local_free(local);
	return NULL;
}

void kube_local_free(struct kube_local *local)
{
	if (!local)
		return;
	kube_sync_free(local->sync);
	free(local->addresses);
	free(local->used);
	free(local);
}

static void set_health_addresses(const struct kube_local *local)
{
	const bool is_limited = local->daemon->options.nodeport_addresses.count;

	if (health_set_addresses(local->daemon->health, is_limited ? local->addresses : NULL,
				 local->address_count))
		log_error("out-of-memory", "what=%s", log_quote("addresses of health checks"));
}

static bool are_same(const struct kube_local *local, const struct address *addresses, size_t count)
{
	return local->addresses && count == local->address_count &&
	       !memcmp(addresses, local->addresses, count * sizeof(*addresses));
}

/* The kernel tells of addresses of pods' links all the time: mostly nothing changes here. */
void kube_local_set_addresses(struct kube_local *local, const struct address *addresses,
			      size_t count)
{
	struct address *taken, *before;
	size_t taken_count = 0;

	if (!local)
		return;
	taken = calloc(count + 1, sizeof(*taken));
	if (!taken) {
		log_error("out-of-memory", "what=%s", log_quote("addresses of node ports"));
		return;
	}
	for (size_t i = 0; i < count; i++)
		if (takes_node_ports(&local->daemon->options, &addresses[i]) &&
		    !has_address(taken, taken_count, &addresses[i]))
			taken[taken_count++] = addresses[i];
	if (are_same(local, taken, taken_count)) {
		free(taken);
		return;
	}
	before = local->addresses;
	local->addresses = taken;
	local->address_count = taken_count;
	set_rules(local);
	set_health_addresses(local);
	free(before);
}

void kube_local_begin_pass(struct kube_local *local)
{
	if (!local)
		return;
	memset(local->used, 0,
	       (datapath_capacity_backends(local->daemon->datapath) / 64 + 1) * sizeof(uint64_t));
	kube_store_begin_pass(kube_sync_store(local->sync));
}

void kube_local_note_used(struct kube_local *local, uint32_t backend)
{
	const uint32_t index = backend & BACKEND_INDEX_MASK;

	if (local && index < datapath_capacity_backends(local->daemon->datapath))
		local->used[index / 64] |= 1ull << index % 64;
}

void kube_local_end_pass(struct kube_local *local)
{
	if (local)
		kube_store_end_pass(kube_sync_store(local->sync),
				    (struct used_backends){local->used});
}

bool kube_local_any_leaving(const struct kube_local *local)
{
	return local && kube_store_any_leaving(kube_sync_store(local->sync));
}

struct kube_sync *kube_local_sync(struct kube_local *local)
{
	return local->sync;
}

json_t *kube_local_report(const struct kube_local *local)
{
	struct kube_sync_status status;

	kube_sync_describe(local->sync, &status);
	return json_pack("{s:b, s:I, s:I, s:I, s:I}", "synced", status.is_complete, "services",
			 (json_int_t)status.counts.services, "endpointslices",
			 (json_int_t)status.counts.slices, "blocked",
			 (json_int_t)status.counts.blocked, "syncs", (json_int_t)status.syncs);
}
