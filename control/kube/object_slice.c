/*
 * EndpointSlices: see objects.h.
 */
#include "control/kube/objects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "control/kube/reader.h"
#include "control/wall_clock.h"

#define SERVICE_LABEL "kubernetes.io/service-name"
#define TRIGGER_ANNOTATION "endpoints.kubernetes.io/last-change-trigger-time"
#define ZONES_TEXT_MAX 1024 /* of one endpoint's hints, which the API limits to eight zones */

/* A port without a number means any, and one without a name comes from no API server. */
static void read_ports(struct reader *reader, const json_t *object, struct kube_slice *slice)
{
	const json_t *list = reader_list(reader, object, "ports");

	slice->ports = reader_room(reader, json_array_size(list), sizeof(*slice->ports));
	for (size_t i = 0; slice->ports && i < json_array_size(list); i++) {
		const json_t *item = reader_item(reader, list, i);
		const char *name = reader_text(reader, item, "name", NULL);
		struct kube_port *port = &slice->ports[slice->port_count];

		port->protocol = kube_protocol(reader_text(reader, item, "protocol", "TCP"));
		port->port = (uint16_t)reader_number(reader, item, "port", UINT16_MAX, 0);
		if (!name || !port->protocol || !port->port)
			continue;
		port->name = reader_copy(reader, name);
		slice->port_count++;
	}
}

/* The zones of the hints, a line each, sorted by nobody: the API server keeps their order. */
static void join_zones(struct reader *reader, const json_t *list, char joined[ZONES_TEXT_MAX])
{
	size_t used = 0;

	joined[0] = '\0';
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *zone = reader_text(reader, reader_item(reader, list, i), "name", "");
		const size_t length = strlen(zone);

		if (!length || strchr(zone, '\n') || used + length + 2 > ZONES_TEXT_MAX)
			continue;
		if (used)
			joined[used++] = '\n';
		memcpy(joined + used, zone, length + 1);
		used += length;
	}
}

/* Its number among the slice's lists. */
static uint16_t keep_zones(struct reader *reader, struct kube_slice *slice, const char *joined)
{
	const uint16_t count = slice->zone_count;
	char **zones;

	if (!joined[0])
		return 0;
	for (uint16_t i = count; i > 0; i--)
		if (!strcmp(slice->zones[i - 1], joined))
			return i;
	zones = reallocarray(slice->zones, count + 1u, sizeof(*zones));
	if (!zones) {
		reader_lack_memory(reader);
		return 0;
	}
	slice->zones = zones;
	zones[count] = reader_copy(reader, joined);
	return zones[count] ? ++slice->zone_count : 0;
}

static __u8 read_node_hints(struct reader *reader, const json_t *hints, const char *node)
{
	const json_t *list = reader_list(reader, hints, "forNodes");
	__u8 flags = 0;

	for (size_t i = 0; i < json_array_size(list); i++) {
		flags |= KUBE_NODE_HINTS;
		if (!strcmp(reader_text(reader, reader_item(reader, list, i), "name", ""), node))
			flags |= KUBE_NODE_OURS;
	}
	return flags;
}

static __u8 read_conditions(struct reader *reader, const json_t *item)
{
	const json_t *conditions = reader_object(reader, item, "conditions");
	__u8 flags = 0;

	if (reader_flag(reader, conditions, "ready", true))
		flags |= KUBE_READY;
	if (reader_flag(reader, conditions, "serving", true))
		flags |= KUBE_SERVING;
	if (reader_flag(reader, conditions, "terminating", false))
		flags |= KUBE_TERMINATING;
	return flags;
}

static void read_endpoint(struct reader *reader, const json_t *item, const char *node,
			  struct kube_slice *slice)
{
	struct kube_endpoint *endpoint = &slice->endpoints[slice->endpoint_count];
	const json_t *addresses = reader_list(reader, item, "addresses");
	const json_t *hints = reader_object(reader, item, "hints");
	char zones[ZONES_TEXT_MAX];

	if (!json_array_size(addresses) ||
	    !reader_address(reader, reader_element(reader, addresses, 0), &endpoint->address) ||
	    address_is_ipv4(&endpoint->address) == slice->is_ipv6)
		return;
	endpoint->flags = read_conditions(reader, item) | read_node_hints(reader, hints, node);
	if (!strcmp(reader_text(reader, item, "nodeName", ""), node))
		endpoint->flags |= KUBE_LOCAL;
	join_zones(reader, reader_list(reader, hints, "forZones"), zones);
	endpoint->zones = keep_zones(reader, slice, zones);
	slice->endpoint_count++;
}

static void read_endpoints(struct reader *reader, const json_t *object, const char *node,
			   struct kube_slice *slice)
{
	const json_t *list = reader_list(reader, object, "endpoints");

	slice->endpoints = reader_room(reader, json_array_size(list), sizeof(*slice->endpoints));
	for (size_t i = 0; slice->endpoints && i < json_array_size(list); i++) {
		read_endpoint(reader, reader_item(reader, list, i), node, slice);
		if (reader->error)
			return;
	}
}

/* Those of names (FQDN) have no addresses, and what comes later is unknown. */
static bool has_addresses(struct reader *reader, const json_t *object, struct kube_slice *slice)
{
	const char *type = reader_text(reader, object, "addressType", "");

	slice->is_ipv6 = !strcmp(type, "IPv6");
	return slice->is_ipv6 || !strcmp(type, "IPv4");
}

static void read_metadata(struct reader *reader, const json_t *metadata, struct kube_slice *slice)
{
	const json_t *labels = reader_object(reader, metadata, "labels");
	const json_t *annotations = reader_object(reader, metadata, "annotations");
	const char *service = reader_text(reader, labels, SERVICE_LABEL, "");

	slice->name = reader_name(reader, metadata, reader_text(reader, metadata, "name", ""));
	if (service[0])
		slice->service = reader_name(reader, metadata, service);
	if (wall_clock_parse(reader_text(reader, annotations, TRIGGER_ANNOTATION, ""),
			     &slice->triggered_ms))
		slice->triggered_ms = 0;
}

int kube_slice_decode(const json_t *object, const char *node, struct kube_slice **decoded,
		      struct refusal *refusal)
{
	struct reader reader = {.refusal = refusal};
	struct kube_slice *slice = reader_room(&reader, 1, sizeof(*slice));

	if (!slice)
		return reader.error;
	read_metadata(&reader, reader_object(&reader, object, "metadata"), slice);
	if (has_addresses(&reader, object, slice) && slice->service) {
		read_ports(&reader, object, slice);
		read_endpoints(&reader, object, node, slice);
	}
	if (!reader.error)
		*decoded = slice;
	else
		kube_slice_free(slice);
	return reader.error;
}

void kube_slice_free(struct kube_slice *slice)
{
	if (!slice)
		return;
	for (size_t i = 0; i < slice->zone_count; i++)
		free(slice->zones[i]);
	free(slice->zones);
	kube_ports_free(slice->ports, slice->port_count);
	free(slice->endpoints);
	free(slice->service);
	free(slice->name);
	free(slice);
}

static bool zones_equal(const struct kube_slice *a, const struct kube_slice *b)
{
	for (size_t i = 0; i < a->zone_count && i < b->zone_count; i++)
		if (strcmp(a->zones[i], b->zones[i]))
			return false;
	return a->zone_count == b->zone_count;
}

static bool endpoints_equal(const struct kube_slice *a, const struct kube_slice *b)
{
	for (size_t i = 0; i < a->endpoint_count && i < b->endpoint_count; i++) {
		const struct kube_endpoint *left = &a->endpoints[i], *right = &b->endpoints[i];

		if (!address_equal(&left->address, &right->address) ||
		    left->flags != right->flags || left->zones != right->zones)
			return false;
	}
	return a->endpoint_count == b->endpoint_count;
}

bool kube_slice_equal(const struct kube_slice *a, const struct kube_slice *b)
{
	return a->is_ipv6 == b->is_ipv6 && a->port_count == b->port_count &&
	       !strcmp(a->name, b->name) && kube_texts_equal(a->service, b->service) &&
	       kube_ports_equal(a->ports, b->ports, a->port_count) && zones_equal(a, b) &&
	       endpoints_equal(a, b);
}
