/*
 * Services: see objects.h. What Kubernetes' API server does not let pass is refused here as well;
 * what it may come to allow later (a protocol, a type) is left out.
 */
#include "control/kube/objects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "control/kube/reader.h"
#include "control/wall_clock.h"
#include "lb/service.h"

#define AFFINITY_DEFAULT_SECONDS 10800 /* Kubernetes' three hours */
#define FOREIGN_PROXY_LABEL "service.kubernetes.io/service-proxy-name"
#define HEADLESS_LABEL "service.kubernetes.io/headless"

static bool is_skipped(struct reader *reader, const json_t *labels, const json_t *spec)
{
	const json_t *list = reader_list(reader, spec, "clusterIPs");
	const char *address = json_array_size(list) ? reader_element(reader, list, 0)
						    : reader_text(reader, spec, "clusterIP", "");

	return json_object_get(labels, FOREIGN_PROXY_LABEL) ||
	       json_object_get(labels, HEADLESS_LABEL) || !address[0] || !strcmp(address, "None") ||
	       !strcmp(reader_text(reader, spec, "type", ""), "ExternalName");
}

static void read_ports(struct reader *reader, const json_t *spec, struct kube_service *service)
{
	const json_t *list = reader_list(reader, spec, "ports");

	service->ports = reader_room(reader, json_array_size(list), sizeof(*service->ports));
	for (size_t i = 0; service->ports && i < json_array_size(list); i++) {
		const json_t *item = reader_item(reader, list, i);
		struct kube_port *port = &service->ports[service->port_count];

		port->protocol = kube_protocol(reader_text(reader, item, "protocol", "TCP"));
		port->port = (uint16_t)reader_number(reader, item, "port", UINT16_MAX, 0);
		port->node_port = (uint16_t)reader_number(reader, item, "nodePort", UINT16_MAX, 0);
		if (!port->protocol)
			continue;
		if (!port->port)
			reader_refuse(reader, "ports[%zu].port is missing", i);
		port->name = reader_copy(reader, reader_text(reader, item, "name", ""));
		service->port_count++;
	}
}

static struct address *next_address(struct kube_service *service)
{
	return &service->addresses[service->cluster_count + service->external_count +
				   service->ingress_count];
}

static void read_cluster(struct reader *reader, const json_t *spec, struct kube_service *service)
{
	const json_t *list = reader_list(reader, spec, "clusterIPs");

	if (!json_array_size(list)) {
		if (reader_address(reader, reader_text(reader, spec, "clusterIP", ""),
				   next_address(service)))
			service->cluster_count++;
		return;
	}
	for (size_t i = 0; i < json_array_size(list); i++)
		if (reader_address(reader, reader_element(reader, list, i), next_address(service)))
			service->cluster_count++;
}

static void read_external(struct reader *reader, const json_t *list, struct kube_service *service)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (reader_address(reader, reader_element(reader, list, i), next_address(service)))
			service->external_count++;
}

/* With mode Proxy the address is the load balancer's alone; one that only has a name has none. */
static void read_ingress(struct reader *reader, const json_t *list, struct kube_service *service)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *item = reader_item(reader, list, i);
		const char *text = reader_text(reader, item, "ip", "");

		if (text[0] && !strcmp(reader_text(reader, item, "ipMode", "VIP"), "VIP") &&
		    reader_address(reader, text, next_address(service)))
			service->ingress_count++;
	}
}

static void read_addresses(struct reader *reader, const json_t *object, const json_t *spec,
			   struct kube_service *service)
{
	const json_t *status = reader_object(reader, object, "status");
	const json_t *balancer = reader_object(reader, status, "loadBalancer");
	const json_t *ingress = reader_list(reader, balancer, "ingress");
	const json_t *external = reader_list(reader, spec, "externalIPs");
	const size_t listed = json_array_size(reader_list(reader, spec, "clusterIPs"));
	const size_t room =
		(listed ? listed : 1) + json_array_size(external) + json_array_size(ingress);

	service->addresses = reader_room(reader, room, sizeof(*service->addresses));
	if (!service->addresses)
		return;
	read_cluster(reader, spec, service);
	read_external(reader, external, service);
	read_ingress(reader, ingress, service);
}

static void read_ranges(struct reader *reader, const json_t *spec, struct kube_service *service)
{
	const json_t *list = reader_list(reader, spec, "loadBalancerSourceRanges");

	service->source_ranges =
		reader_room(reader, json_array_size(list), sizeof(*service->source_ranges));
	for (size_t i = 0; service->source_ranges && i < json_array_size(list); i++)
		if (reader_prefix(reader, reader_element(reader, list, i),
				  &service->source_ranges[service->range_count]))
			service->range_count++;
}

static uint32_t read_affinity(struct reader *reader, const json_t *spec)
{
	const json_t *config = reader_object(reader, spec, "sessionAffinityConfig");
	const json_t *client = reader_object(reader, config, "clientIP");
	const json_int_t seconds = reader_number(reader, client, "timeoutSeconds",
						 MAX_AFFINITY_SECONDS, AFFINITY_DEFAULT_SECONDS);

	if (strcmp(reader_text(reader, spec, "sessionAffinity", ""), "ClientIP"))
		return 0;
	return (uint32_t)(seconds ? seconds : AFFINITY_DEFAULT_SECONDS);
}

static bool is_local(struct reader *reader, const json_t *spec, const char *policy)
{
	return !strcmp(reader_text(reader, spec, policy, ""), "Local");
}

static void read_spec(struct reader *reader, const json_t *object, const json_t *spec,
		      struct kube_service *service)
{
	read_ports(reader, spec, service);
	read_addresses(reader, object, spec, service);
	read_ranges(reader, spec, service);
	service->affinity_seconds = read_affinity(reader, spec);
	service->is_local = is_local(reader, spec, "internalTrafficPolicy");
	service->external_local = is_local(reader, spec, "externalTrafficPolicy");
	if (service->external_local &&
	    !strcmp(reader_text(reader, spec, "type", ""), "LoadBalancer"))
		service->health_port =
			(uint16_t)reader_number(reader, spec, "healthCheckNodePort", UINT16_MAX, 0);
}

int kube_service_decode(const json_t *object, struct kube_service **decoded,
			struct refusal *refusal)
{
	struct reader reader = {.refusal = refusal};
	const json_t *metadata = reader_object(&reader, object, "metadata");
	const json_t *spec = reader_object(&reader, object, "spec");
	struct kube_service *service = reader_room(&reader, 1, sizeof(*service));

	if (!service)
		return reader.error;
	service->name = reader_name(&reader, metadata, reader_text(&reader, metadata, "name", ""));
	service->is_skipped = is_skipped(&reader, reader_object(&reader, metadata, "labels"), spec);
	if (wall_clock_parse(reader_text(&reader, metadata, "creationTimestamp", ""),
			     &service->created_ms))
		service->created_ms = 0;
	if (!service->is_skipped)
		read_spec(&reader, object, spec, service);
	if (!reader.error)
		*decoded = service;
	else
		kube_service_free(service);
	return reader.error;
}

void kube_service_free(struct kube_service *service)
{
	if (!service)
		return;
	free(service->name);
	kube_ports_free(service->ports, service->port_count);
	free(service->addresses);
	free(service->source_ranges);
	free(service);
}

static bool ranges_equal(const struct kube_service *a, const struct kube_service *b)
{
	for (size_t i = 0; i < a->range_count && i < b->range_count; i++)
		if (!prefix_equal(&a->source_ranges[i], &b->source_ranges[i]))
			return false;
	return a->range_count == b->range_count;
}

static bool addresses_equal(const struct kube_service *a, const struct kube_service *b)
{
	const size_t count = a->cluster_count + a->external_count + a->ingress_count;

	return a->cluster_count == b->cluster_count && a->external_count == b->external_count &&
	       a->ingress_count == b->ingress_count &&
	       (!count || !memcmp(a->addresses, b->addresses, count * sizeof(*a->addresses)));
}

bool kube_service_equal(const struct kube_service *a, const struct kube_service *b)
{
	return a->created_ms == b->created_ms && a->affinity_seconds == b->affinity_seconds &&
	       a->health_port == b->health_port && a->is_skipped == b->is_skipped &&
	       a->is_local == b->is_local && a->external_local == b->external_local &&
	       a->port_count == b->port_count && !strcmp(a->name, b->name) &&
	       kube_ports_equal(a->ports, b->ports, a->port_count) && addresses_equal(a, b) &&
	       ranges_equal(a, b);
}
