/*
 * What `kubectl get services,endpointslices -A -o json` prints, to tables: each cluster address and
 * port of a Service becomes a service of ours, by the rules of kube-proxy. What makes no cluster
 * address is left out, silently: node ports, external addresses, headless Services, SCTP.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "control/tables_parts.h"
#include "control/tables_slices.h"

#define AFFINITY_DEFAULT_SECONDS 10800 /* Kubernetes' three hours */
#define FOREIGN_PROXY_LABEL "service.kubernetes.io/service-proxy-name"
#define HEADLESS_LABEL "service.kubernetes.io/headless"

/* A Service of the document while it is converted. */
struct origin {
	struct cursor item;
	struct cursor spec;
	const struct slices *slices;
	struct slice_query query;
};

static bool has_cluster_address(const json_t *service)
{
	const json_t *spec = json_object_get(service, "spec");
	const json_t *labels = json_object_get(json_object_get(service, "metadata"), "labels");
	const json_t *first = json_array_get(json_object_get(spec, "clusterIPs"), 0);
	const char *address = json_is_string(first) ? json_string_value(first)
						    : kubernetes_text(spec, "clusterIP", "");

	return !json_object_get(labels, FOREIGN_PROXY_LABEL) &&
	       !json_object_get(labels, HEADLESS_LABEL) &&
	       strcmp(kubernetes_text(spec, "type", "ClusterIP"), "ExternalName") && address[0] &&
	       strcmp(address, "None");
}

static int convert_affinity(const struct origin *origin, struct service *service)
{
	struct cursor config = cursor_member(&origin->spec, "sessionAffinityConfig");
	struct cursor client = cursor_member(&config, "clientIP");
	struct cursor timeout = cursor_member(&client, "timeoutSeconds");
	json_int_t seconds = AFFINITY_DEFAULT_SECONDS;
	int error = 0;

	if (strcmp(kubernetes_text(origin->spec.value, "sessionAffinity", "None"), "ClientIP"))
		return 0;
	if (timeout.value && !json_is_null(timeout.value))
		error = cursor_read_integer(&timeout, 1, MAX_AFFINITY_SECONDS, &seconds);
	if (error)
		return error;
	service->affinity_seconds = seconds;
	return 0;
}

static int convert_name(const struct origin *origin, struct service *service)
{
	char name[MAX_NAME + 2]; /* one byte more than allowed, so that what is cut is refused */
	int error;

	snprintf(name, sizeof(name), "%s/%s", origin->query.namespace, origin->query.service);
	error = service_set_name(service, name, origin->item.refusal);
	return error ? cursor_prefix(&origin->item, error) : 0;
}

/* The tables own the service from the start. The array doubles whenever it is full. */
static struct service *append_service(struct tables *tables, const struct service_key *key)
{
	size_t count = tables->service_count;
	struct service **services = tables->services;

	if (!(count & (count - 1))) {
		services = reallocarray(services, count ? 2 * count : 1, sizeof(*services));
		if (!services)
			return NULL;
		tables->services = services;
	}
	services[count] = service_new(key);
	if (services[count])
		tables->service_count++;
	return services[count];
}

static int convert_port(const struct origin *origin, const struct cursor *port,
			const struct address *address, struct tables *tables)
{
	struct service_key key = {.address = *address,
				  .protocol = kubernetes_protocol(port->value)};
	struct cursor number = cursor_member(port, "port");
	struct slice_query query = origin->query;
	struct service *service;
	json_int_t value;
	int error;

	if (!key.protocol)
		return 0;
	error = cursor_read_integer(&number, 1, UINT16_MAX, &value);
	if (error)
		return error;
	key.port = htons(value);
	error = service_key_check(&key, port->refusal);
	if (error)
		return cursor_prefix(&origin->item, error);
	service = append_service(tables, &key);
	if (!service)
		return refuse_with(port->refusal, ENOMEM, "out of memory");
	query.port = kubernetes_text(port->value, "name", "");
	error = convert_name(origin, service);
	if (!error)
		error = convert_affinity(origin, service);
	return error ? error : slices_add_backends(origin->slices, &query, service);
}

static int convert_address(const struct origin *origin, const struct cursor *at,
			   struct tables *tables)
{
	struct cursor ports = cursor_member(&origin->spec, "ports");
	struct address address;
	int error = tables_read_address(at, &address);

	if (!error)
		error = cursor_check_optional_array(&ports);
	for (size_t i = 0; !error && i < json_array_size(ports.value); i++) {
		struct cursor port = cursor_element(&ports, i);

		error = convert_port(origin, &port, &address, tables);
	}
	return error;
}

/* clusterIPs has one address for each family; before Kubernetes 1.20 there was only clusterIP. */
static int convert_service(const struct origin *origin, struct tables *tables)
{
	struct cursor addresses = cursor_member(&origin->spec, "clusterIPs");
	struct cursor single = cursor_member(&origin->spec, "clusterIP");
	int error = cursor_check_optional_array(&addresses);

	if (!error && !json_array_size(addresses.value))
		error = convert_address(origin, &single, tables);
	for (size_t i = 0; !error && i < json_array_size(addresses.value); i++) {
		struct cursor at = cursor_element(&addresses, i);

		error = convert_address(origin, &at, tables);
	}
	return error;
}

/* Other kinds are refused, so that a list of something else does not pass for empty tables. */
static int check_kind(const struct cursor *item, const char *kind, const char *version)
{
	struct cursor at = cursor_member(item, "apiVersion");

	if (!at.value || !strcmp(kubernetes_text(item->value, "apiVersion", ""), version))
		return 0;
	return cursor_refuse(&at, "a%s %s must be of %s", kind[0] == 'E' ? "n" : "", kind, version);
}

static int convert_item(const struct slices *slices, size_t index, struct tables *tables)
{
	struct cursor item = cursor_element(slices->items, index);
	struct cursor kind = cursor_member(&item, "kind");
	struct cursor metadata = cursor_member(&item, "metadata");
	struct cursor name = cursor_member(&metadata, "name");
	struct origin origin = {
		.item = item, .spec = cursor_member(&item, "spec"), .slices = slices};
	const char *word;
	int error = cursor_read_text(&kind, &word);

	if (error)
		return error;
	if (!strcmp(word, "EndpointSlice"))
		return check_kind(&item, word, "discovery.k8s.io/v1");
	if (strcmp(word, "Service"))
		return cursor_refuse_value(&kind, "Service or EndpointSlice");
	error = check_kind(&item, word, "v1");
	if (error || !has_cluster_address(item.value))
		return error;
	error = cursor_read_text(&name, &origin.query.service);
	if (error)
		return error;
	origin.query.namespace = kubernetes_text(metadata.value, "namespace", "default");
	return convert_service(&origin, tables);
}

static int check_services_differ(const struct cursor *items, const struct tables *tables)
{
	const struct service *first, *second;
	struct repetition repetition;
	char text[ENDPOINT_TEXT_MAX];
	int found = tables_find_repeated_service(tables, &repetition);

	if (found < 0)
		return refuse_with(items->refusal, ENOMEM, "out of memory");
	if (!found)
		return 0;
	first = tables->services[repetition.first];
	second = tables->services[repetition.second];
	cursor_refuse(items, "%s of %s is already that of %s",
		      service_key_format(&second->key, text), second->name, first->name);
	return -EEXIST;
}

int tables_read_kubernetes(const struct cursor *document, struct tables *tables)
{
	struct cursor kind = cursor_member(document, "kind");
	struct cursor items = cursor_member(document, "items");
	__attribute__((cleanup(slices_finish))) struct slices slices = {0};
	int error;

	if (strcmp(kubernetes_text(document->value, "kind", ""), "List"))
		return cursor_refuse_value(&kind, "List, as `kubectl get services,endpointslices "
						  "-A -o json` prints");
	error = cursor_check_array(&items);
	if (!error)
		error = slices_collect(&items, &slices);
	for (size_t i = 0; !error && i < json_array_size(items.value); i++)
		error = convert_item(&slices, i, tables);
	return error ? error : check_services_differ(&items, tables);
}
