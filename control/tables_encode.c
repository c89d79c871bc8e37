/*
 * The model to the grammar's JSON in the grammar's order, every key present but for a deadline
 * where there is none and what nodes of a cluster alone have (clients, masquerade, unserved,
 * remote) where it is not theirs.
 */
#include "control/tables.h"

#include <arpa/inet.h>
#include "control/wall_clock.h"

json_t *tables_encode_backend(const struct backend *backend)
{
	const __s64 deadline = backend->deadline_ms;
	char address[ADDRESS_TEXT_MAX], time[WALL_CLOCK_TEXT_MAX];

	return json_pack("{s:s, s:i, s:i, s:s, s:o*, s:s*}", "address",
			 address_format(&backend->address, address), "port", ntohs(backend->port),
			 "weight", backend->weight, "state", backend_state_name(backend->state),
			 "remote", backend->is_remote ? json_true() : NULL, "deadline",
			 deadline ? wall_clock_format(deadline, time) : NULL);
}

/* json_array_append_new frees the item where it fails, and takes NULL for a failure. */
static json_t *encode_backends(const struct service *service)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < service->backend_count; i++) {
		if (!json_array_append_new(list, tables_encode_backend(&service->backends[i])))
			continue;
		json_decref(list);
		return NULL;
	}
	return list;
}

static json_t *encode_source_ranges(const struct service *service)
{
	char text[ENDPOINT_TEXT_MAX];
	json_t *list = json_array();

	for (size_t i = 0; list && i < service->source_range_count; i++) {
		json_t *item = json_string(prefix_format(&service->source_ranges[i], text));

		if (!json_array_append_new(list, item))
			continue;
		json_decref(list);
		return NULL;
	}
	return list;
}

/* NULL: anybody's. */
static const char *clients_of(const struct service *service)
{
	if (service->key.scope == SCOPE_INSIDE)
		return "inside";
	return service->has_inside ? "outside" : NULL;
}

/* json_pack's `o` takes the lists over, also where it fails, and fails for NULL. */
json_t *tables_encode_service(const struct service *service)
{
	const struct service_key *key = &service->key;
	char address[ADDRESS_TEXT_MAX];

	return json_pack("{s:s?, s:s, s:i, s:s, s:s*, s:s, s:I, s:s*, s:s*, s:o, s:o}", "name",
			 service->name, "address", address_format(&key->address, address), "port",
			 ntohs(key->port), "protocol", protocol_name(key->protocol), "clients",
			 clients_of(service), "algorithm", algorithm_name(service->algorithm),
			 "affinity_seconds", (json_int_t)service->affinity_seconds, "masquerade",
			 service->masquerade ? masquerade_name(service->masquerade) : NULL,
			 "unserved", service->drops_unserved ? "drop" : NULL, "source_ranges",
			 encode_source_ranges(service), "backends", encode_backends(service));
}
