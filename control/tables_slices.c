/*
 * EndpointSlices to backends, by the rules of kube-proxy. Topology hints and traffic policies are
 * not looked at.
 */
#include "control/tables_slices.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "control/tables_parts.h"

#define SERVICE_LABEL "kubernetes.io/service-name"

const char *kubernetes_text(const json_t *object, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : otherwise;
}

__u8 kubernetes_protocol(const json_t *port)
{
	const char *word = kubernetes_text(port, "protocol", "TCP");

	if (!strcmp(word, "TCP"))
		return IPPROTO_TCP;
	return strcmp(word, "UDP") ? 0 : IPPROTO_UDP;
}

static int compare(const void *a, const void *b)
{
	const struct slice *left = a, *right = b;
	int order = strcmp(left->namespace, right->namespace);

	if (!order)
		order = strcmp(left->service, right->service);
	return order ? order : (left->index > right->index) - (left->index < right->index);
}

int slices_collect(const struct cursor *items, struct slices *slices)
{
	size_t count = json_array_size(items->value);

	*slices = (struct slices){.items = items};
	slices->sorted = calloc(count + 1, sizeof(*slices->sorted));
	if (!slices->sorted)
		return refuse_with(items->refusal, ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++) {
		const json_t *item = json_array_get(items->value, i);
		const json_t *metadata = json_object_get(item, "metadata");
		const char *service =
			kubernetes_text(json_object_get(metadata, "labels"), SERVICE_LABEL, NULL);

		if (strcmp(kubernetes_text(item, "kind", ""), "EndpointSlice") || !service)
			continue;
		slices->sorted[slices->count++] = (struct slice){
			kubernetes_text(metadata, "namespace", "default"), service, i};
	}
	qsort(slices->sorted, slices->count, sizeof(*slices->sorted), compare);
	return 0;
}

void slices_finish(struct slices *slices)
{
	free(slices->sorted);
	*slices = (struct slices){0};
}

/* The position in `sorted` of the first slice that is not before `sought`. */
static size_t find_first(const struct slices *slices, const struct slice *sought)
{
	size_t low = 0, high = slices->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(&slices->sorted[middle], sought) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool has_family(const json_t *slice, const struct service *service)
{
	const char *family = address_is_ipv4(&service->key.address) ? "IPv4" : "IPv6";

	return !strcmp(kubernetes_text(slice, "addressType", ""), family);
}

/* 1 and *port, 0 where the slice has no such port, or -EINVAL with a refusal. */
static int find_port(const struct cursor *slice, const char *name, __u8 protocol, __be16 *port)
{
	struct cursor ports = cursor_member(slice, "ports");
	int error = cursor_check_optional_array(&ports);

	for (size_t i = 0; !error && i < json_array_size(ports.value); i++) {
		struct cursor at = cursor_element(&ports, i);
		struct cursor number = cursor_member(&at, "port");
		json_int_t value = 0;

		if (strcmp(kubernetes_text(at.value, "name", ""), name) ||
		    kubernetes_protocol(at.value) != protocol || !json_is_integer(number.value))
			continue;
		error = cursor_read_integer(&number, 0, UINT16_MAX, &value);
		if (error || !value)
			return error;
		*port = htons(value);
		return 1;
	}
	return error;
}

/* An absent or null condition counts as `otherwise` (discovery.k8s.io/v1). */
static bool has_condition(const json_t *endpoint, const char *condition, bool otherwise)
{
	const json_t *value = json_object_get(json_object_get(endpoint, "conditions"), condition);

	return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

/* Not ready, but serving while it terminates: its connections are let end in peace. */
static enum backend_state find_state(const json_t *endpoint)
{
	if (has_condition(endpoint, "ready", true))
		return BACKEND_ACTIVE;
	return has_condition(endpoint, "terminating", false) &&
			       has_condition(endpoint, "serving", true)
		       ? BACKEND_DRAINING
		       : BACKEND_NONE;
}

/* Slices of one Service may name an endpoint twice while they change; ready in one is ready. */
static int add_endpoint(const struct cursor *endpoint, __be16 port, struct service *service)
{
	struct backend backend = {.port = port, .weight = 1, .state = find_state(endpoint->value)};
	struct cursor addresses = cursor_member(endpoint, "addresses");
	struct cursor first = cursor_element(&addresses, 0);
	struct backend *known;
	int error;

	if (backend.state == BACKEND_NONE)
		return 0;
	error = tables_read_address(&first, &backend.address);
	if (error)
		return error;
	known = service_find_backend(service, &backend.address, port);
	if (known) {
		if (backend.state == BACKEND_ACTIVE)
			known->state = BACKEND_ACTIVE;
		return 0;
	}
	error = service_add_backend(service, &backend, endpoint->refusal);
	return error ? cursor_prefix(&first, error) : 0;
}

static int add_slice(const struct cursor *slice, const char *port_name, struct service *service)
{
	struct cursor endpoints = cursor_member(slice, "endpoints");
	__be16 port = 0;
	int found, error;

	if (!has_family(slice->value, service))
		return 0;
	found = find_port(slice, port_name, service->key.protocol, &port);
	if (found <= 0)
		return found;
	error = cursor_check_optional_array(&endpoints);
	for (size_t i = 0; !error && i < json_array_size(endpoints.value); i++) {
		struct cursor at = cursor_element(&endpoints, i);

		error = add_endpoint(&at, port, service);
	}
	return error;
}

/* Better an endpoint that is about to go than none. */
static void activate_where_none_is(struct service *service)
{
	for (size_t i = 0; i < service->backend_count; i++)
		if (service->backends[i].state == BACKEND_ACTIVE)
			return;
	for (size_t i = 0; i < service->backend_count; i++)
		service->backends[i].state = BACKEND_ACTIVE;
}

int slices_add_backends(const struct slices *slices, const struct slice_query *query,
			struct service *service)
{
	const struct slice sought = {query->namespace, query->service, 0};

	for (size_t i = find_first(slices, &sought); i < slices->count; i++) {
		const struct slice *slice = &slices->sorted[i];
		struct cursor at = cursor_element(slices->items, slice->index);
		int error;

		if (strcmp(slice->namespace, query->namespace) ||
		    strcmp(slice->service, query->service))
			break;
		error = add_slice(&at, query->port, service);
		if (error)
			return error;
	}
	activate_where_none_is(service);
	return 0;
}
