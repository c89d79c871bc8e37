/*
 * Metrics of each service and each backend, one after the other: a service a turn, so that a piece
 * of the answer is never long in the making. Counters are read anew for each metric; what is gone
 * since the scrape began is left out.
 */
#include "control/metrics_internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include "lb/traffic.h"

struct family {
	const char *name;
	const char *help;
	uint64_t (*read)(const struct traffic_counter *counter, bool reply);
	bool has_direction;
	bool of_backends;
};

static uint64_t connections_of(const struct traffic_counter *counter, bool reply)
{
	(void)reply;
	return counter->connections;
}

static uint64_t packets_of(const struct traffic_counter *counter, bool reply)
{
	return reply ? counter->reply.packets : counter->request.packets;
}

static uint64_t bytes_of(const struct traffic_counter *counter, bool reply)
{
	return reply ? counter->reply.bytes : counter->request.bytes;
}

static const struct family FAMILIES[] = {
	{"lbd_service_connections_total", "Connections of a service", connections_of, false, false},
	{"lbd_service_packets_total", "Packets of a service", packets_of, true, false},
	{"lbd_service_bytes_total", "Bytes of a service", bytes_of, true, false},
	{"lbd_backend_connections_total", "Connections of a service to a backend", connections_of,
	 false, true},
	{"lbd_backend_packets_total", "Packets of a service to and from a backend", packets_of,
	 true, true},
	{"lbd_backend_bytes_total", "Bytes of a service to and from a backend", bytes_of, true,
	 true},
};

#define LABELS_MAX 7

/* Those of the service, then maybe the backend's, then maybe the direction. */
struct labels {
	struct metric_label items[LABELS_MAX];
	size_t count;
	char address[ADDRESS_TEXT_MAX], port[8], backend[ENDPOINT_TEXT_MAX];
};

static void add_label(struct labels *labels, const char *name, const char *value)
{
	labels->items[labels->count++] = (struct metric_label){name, value};
}

static void label_service(struct labels *labels, const struct service *service)
{
	labels->count = 0;
	snprintf(labels->port, sizeof(labels->port), "%u", ntohs(service->key.port));
	add_label(labels, "service", service->name ? service->name : "");
	add_label(labels, "address", address_format(&service->key.address, labels->address));
	add_label(labels, "port", labels->port);
	add_label(labels, "protocol", protocol_name(service->key.protocol));
	add_label(labels, "scope", service->key.scope == SCOPE_INSIDE ? "inside" : "any");
}

static void label_backend(struct labels *labels, const struct backend *backend)
{
	add_label(labels, "backend",
		  endpoint_format(&backend->address, backend->port, labels->backend));
}

static void add_counter(struct metrics_text *text, const struct family *family,
			struct labels *labels, const struct traffic_counter *counter)
{
	static const char *const directions[] = {"request", "reply"};
	const size_t before = labels->count;

	if (!family->has_direction)
		metrics_add(text, family->name, (struct metric_labels){labels->items, before},
			    family->read(counter, false));
	for (int reply = 0; family->has_direction && reply < 2; reply++) {
		labels->count = before;
		add_label(labels, "direction", directions[reply]);
		metrics_add(text, family->name,
			    (struct metric_labels){labels->items, labels->count},
			    family->read(counter, reply));
	}
	labels->count = before;
}

static void write_backends(struct scrape *scrape, const struct family *family,
			   struct labels *labels, const struct entry *entry)
{
	const size_t before = labels->count;
	struct traffic_counter counter;

	for (size_t i = 0; i < entry->service->backend_count; i++) {
		if (datapath_read_backend(scrape->daemon->datapath,
					  entry->placement->places[i].backend, &counter))
			continue;
		labels->count = before;
		label_backend(labels, &entry->service->backends[i]);
		add_counter(&scrape->text, family, labels, &counter);
	}
}

static void write_service(struct scrape *scrape, const struct family *family,
			  const struct entry *entry)
{
	struct traffic_counter counter;
	struct labels labels;

	label_service(&labels, entry->service);
	if (family->of_backends)
		write_backends(scrape, family, &labels, entry);
	else if (!traffic_of_service(scrape->daemon->datapath, entry->placement, &counter))
		add_counter(&scrape->text, family, &labels, &counter);
}

bool metrics_write_services(struct scrape *scrape)
{
	const struct family *family = &FAMILIES[scrape->family];
	const struct entry *entry;

	if (!scrape->key_count)
		return true;
	if (!scrape->service)
		metrics_describe(&scrape->text, family->name, METRIC_COUNTER, family->help);
	entry = reconcile_find(scrape->daemon->reconcile, &scrape->keys[scrape->service]);
	if (entry)
		write_service(scrape, family, entry);
	if (++scrape->service < scrape->key_count)
		return false;
	scrape->service = 0;
	return ++scrape->family == sizeof(FAMILIES) / sizeof(FAMILIES[0]);
}
