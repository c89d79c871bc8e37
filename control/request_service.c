/*
 * Services and backends by request: read, change a copy, put it in place.
 */
#include "control/request_service.h"

#include <arpa/inet.h>
#include "control/report.h"
#include "control/request_words.h"
#include "control/tables.h"
#include "control/wall_clock.h"

/* The service in the place of the one with its key; consumed. What is in force then, or NULL. */
static const struct entry *put(struct daemon *daemon, struct service *service,
			       struct refusal *refusal)
{
	struct change change = {.key = service->key, .service = service};
	const struct service_key key = service->key;
	struct transaction_counts counts;

	if (operator_change(daemon->operator, & change, 1, &counts, refusal))
		return NULL;
	request_is_done(refusal);
	return reconcile_find(daemon->reconcile, &key);
}

/*
 * The request's own keys laid over `base` make a service object of the grammar, so files and the
 * command line are checked by the same code. NULL with a refusal.
 */
static struct service *decode_over(json_t *base, const json_t *request, struct refusal *refusal)
{
	static const char *const KEYS[] = {"name", "algorithm", "affinity_seconds", "source_ranges",
					   "backends"};
	struct service *service = NULL;
	bool failed = !base;
	json_t *value;

	for (size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++) {
		value = json_object_get(request, KEYS[i]);
		if (value)
			failed |= json_object_set(base, KEYS[i], value) != 0;
	}
	if (failed)
		refuse(refusal, "out of memory");
	else if (tables_decode_service(base, "service", &service, refusal))
		service = NULL;
	json_decref(base);
	return service;
}

json_t *request_service_add(struct daemon *daemon, const json_t *request, struct refusal *refusal)
{
	const char *text = request_text(request, "service", refusal);
	char address[ADDRESS_TEXT_MAX], canonical[ENDPOINT_TEXT_MAX];
	const struct entry *entry;
	struct service *service;
	struct service_key key;

	if (!text || service_key_parse(text, &key, refusal))
		return NULL;
	entry = reconcile_find(daemon->reconcile, &key);
	if (entry) {
		refuse(refusal,
		       "service %s exists already, brought by the %s; `lbctl service set` "
		       "changes what the operator brought",
		       service_key_format(&key, canonical), source_name(entry->service->source));
		return NULL;
	}
	service = decode_over(json_pack("{s:s, s:i, s:s}", "address",
					address_format(&key.address, address), "port",
					ntohs(key.port), "protocol", protocol_name(key.protocol)),
			      request, refusal);
	entry = service ? put(daemon, service, refusal) : NULL;
	return entry ? report_service(entry) : NULL;
}

json_t *request_service_set(struct daemon *daemon, const json_t *request, struct refusal *refusal)
{
	const struct entry *entry = request_entry(daemon, request, refusal);
	struct service *service;

	if (!entry)
		return NULL;
	service = decode_over(tables_encode_service(entry->service), request, refusal);
	entry = service ? put(daemon, service, refusal) : NULL;
	return entry ? report_service(entry) : NULL;
}

json_t *request_service_del(struct daemon *daemon, const json_t *request, struct refusal *refusal)
{
	const struct entry *entry = request_entry(daemon, request, refusal);
	struct transaction_counts counts;
	struct change change;
	json_t *was;

	if (!entry)
		return NULL;
	was = report_service(entry);
	change = (struct change){.key = entry->service->key};
	if (!operator_change(daemon->operator, & change, 1, &counts, refusal)) {
		request_is_done(refusal);
		return was;
	}
	json_decref(was);
	return NULL;
}

json_t *request_service_list(struct daemon *daemon, const json_t *request, struct refusal *refusal)
{
	(void)request;
	(void)refusal;
	return report_services(daemon);
}

json_t *request_service_show(struct daemon *daemon, const json_t *request, struct refusal *refusal)
{
	const struct entry *entry = request_entry(daemon, request, refusal);

	return entry ? report_service(entry) : NULL;
}

/* A weight of the request, if there is one. 0, or -EINVAL. */
static int read_weight(const json_t *request, __u16 *weight, struct refusal *refusal)
{
	const json_t *value = json_object_get(request, "weight");

	if (!value)
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > 65535)
		return refuse(refusal, "weight: not 0–65535");
	*weight = (__u16)json_integer_value(value);
	return 0;
}

/* The service with its changed clone in place, and the backend of that address as it is now. */
static json_t *put_backend(struct daemon *daemon, struct service *service,
			   const struct backend *which, struct refusal *refusal)
{
	const struct backend wanted = *which;
	const struct entry *entry = put(daemon, service, refusal);
	const struct backend *backend;

	if (!entry)
		return NULL;
	backend = service_find_backend(entry->service, &wanted.address, wanted.port);
	return report_backend(daemon, entry, (size_t)(backend - entry->service->backends));
}

json_t *request_backend_add(struct daemon *daemon, const json_t *request, struct refusal *refusal)
{
	const struct entry *entry = request_entry(daemon, request, refusal);
	struct backend backend = {.weight = 1, .state = BACKEND_ACTIVE};
	struct service *service;
	const char *text;

	if (!entry)
		return NULL;
	text = request_text(request, "backend", refusal);
	if (!text || endpoint_parse(text, &backend.address, &backend.port, refusal) ||
	    read_weight(request, &backend.weight, refusal))
		return NULL;
	service = service_clone(entry->service);
	if (!service) {
		refuse(refusal, "out of memory");
		return NULL;
	}
	if (service_add_backend(service, &backend, refusal)) {
		service_free(service);
		return NULL;
	}
	return put_backend(daemon, service, &backend, refusal);
}

static int read_state(const json_t *request, enum backend_state *state, struct refusal *refusal)
{
	const json_t *value = json_object_get(request, "state");
	const char *text = json_string_value(value);

	if (!value)
		return 0;
	if (!text || backend_state_parse(text, state))
		return refuse(refusal, "state: not active, draining or down");
	return 0;
}

/*
 * A state that is named takes the place of state and deadline, so `active` or `draining` alone ends
 * no draining any more.
 */
static int read_deadline(const json_t *request, struct backend *backend, struct refusal *refusal)
{
	const json_t *value = json_object_get(request, "deadline_seconds");
	const json_int_t seconds = json_integer_value(value);
	char text[ENDPOINT_TEXT_MAX];

	if (json_object_get(request, "state"))
		backend->deadline_ms = 0;
	if (!value)
		return 0;
	if (backend->state != BACKEND_DRAINING)
		return refuse(refusal,
			      "%s: only a backend that is draining has a deadline, and this one is "
			      "%s; add --state draining",
			      endpoint_format(&backend->address, backend->port, text),
			      backend_state_name(backend->state));
	if (!json_is_integer(value) || seconds < 1 || seconds > MAX_REQUEST_SECONDS)
		return refuse(refusal, "deadline_seconds: not 1–%d", MAX_REQUEST_SECONDS);
	backend->deadline_ms = wall_clock_ms() + (int64_t)seconds * 1000;
	return 0;
}

json_t *request_backend_set(struct daemon *daemon, const json_t *request, struct refusal *refusal)
{
	const struct entry *entry = request_entry(daemon, request, refusal);
	const struct backend *backend =
		entry ? request_backend(entry->service, request, refusal) : NULL;
	struct backend changed;
	struct service *service;

	if (!backend)
		return NULL;
	changed = *backend;
	if (read_weight(request, &changed.weight, refusal) ||
	    read_state(request, &changed.state, refusal) ||
	    read_deadline(request, &changed, refusal))
		return NULL;
	service = service_clone(entry->service);
	if (!service) {
		refuse(refusal, "out of memory");
		return NULL;
	}
	*service_find_backend(service, &changed.address, changed.port) = changed;
	return put_backend(daemon, service, &changed, refusal);
}

json_t *request_backend_del(struct daemon *daemon, const json_t *request, struct refusal *refusal)
{
	const struct entry *entry = request_entry(daemon, request, refusal);
	const struct backend *backend =
		entry ? request_backend(entry->service, request, refusal) : NULL;
	struct service *service;
	json_t *was;

	if (!backend)
		return NULL;
	was = report_backend(daemon, entry, (size_t)(backend - entry->service->backends));
	service = service_clone(entry->service);
	if (service) {
		service_remove_backend(
			service, service_find_backend(service, &backend->address, backend->port));
		if (put(daemon, service, refusal))
			return was;
	} else {
		refuse(refusal, "out of memory");
	}
	json_decref(was);
	return NULL;
}

json_t *request_backend_list(struct daemon *daemon, const json_t *request, struct refusal *refusal)
{
	const struct entry *only = NULL;

	if (json_object_get(request, "service")) {
		only = request_entry(daemon, request, refusal);
		if (!only)
			return NULL;
	}
	return report_backends(daemon, only);
}
