/*
 * A service of the grammar to the model: one function for each of its values. It decides what a
 * service may say, not whether it may stand beside others.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include "control/tables_parts.h"
#include "control/wall_clock.h"

static const char *const SERVICE_KEYS[] = {"name",
					   "address",
					   "port",
					   "protocol",
					   "clients",
					   "algorithm",
					   "affinity_seconds",
					   "masquerade",
					   "unserved",
					   "source_ranges",
					   "backends",
					   NULL};
static const char *const BACKEND_KEYS[] = {"address", "port",     "weight", "state",
					   "remote",  "deadline", NULL};

static void drop_service(struct service **service)
{
	service_free(*service);
}

int tables_read_address(const struct cursor *at, struct address *address)
{
	const char *text;
	int error = cursor_read_text(at, &text);

	if (error)
		return error;
	if (address_parse(text, address))
		return cursor_refuse_value(at, "an IPv4 or IPv6 address");
	return 0;
}

static int decode_port(const struct cursor *object, __be16 *port)
{
	struct cursor at = cursor_member(object, "port");
	json_int_t number;
	int error = cursor_read_integer(&at, 1, UINT16_MAX, &number);

	if (error)
		return error;
	*port = htons(number);
	return 0;
}

/* A word that may be absent, which means `otherwise`. */
static int read_word(const struct cursor *object, const char *key, const char *otherwise,
		     struct cursor *at, const char **word)
{
	*at = cursor_member(object, key);
	*word = otherwise;
	return at->value ? cursor_read_text(at, word) : 0;
}

static int decode_protocol(const struct cursor *object, __u8 *protocol)
{
	struct cursor at;
	const char *text;
	int error = read_word(object, "protocol", "tcp", &at, &text);

	if (error)
		return error;
	if (protocol_parse(text, protocol))
		return cursor_refuse_value(&at, "tcp, udp or sctp");
	return 0;
}

static int decode_key(const struct cursor *object, struct service_key *key)
{
	struct cursor address = cursor_member(object, "address");
	int error = tables_read_address(&address, &key->address);

	if (!error)
		error = decode_port(object, &key->port);
	if (!error)
		error = decode_protocol(object, &key->protocol);
	if (error)
		return error;
	error = service_key_check(key, object->refusal);
	return error ? cursor_prefix(&address, error) : 0;
}

static int decode_name(const struct cursor *object, struct service *service)
{
	struct cursor at = cursor_member(object, "name");
	const char *text = NULL;
	int error = 0;

	if (!at.value || json_is_null(at.value))
		return 0;
	error = cursor_read_text(&at, &text);
	if (error)
		return error;
	error = service_set_name(service, text, at.refusal);
	return error ? cursor_prefix(&at, error) : 0;
}

static int decode_algorithm(const struct cursor *object, struct service *service)
{
	struct cursor at;
	const char *text;
	int error = read_word(object, "algorithm", "maglev", &at, &text);

	if (error)
		return error;
	if (algorithm_parse(text, &service->algorithm))
		return cursor_refuse_value(&at, "maglev, random, round-robin or source-hash");
	return 0;
}

static int decode_affinity(const struct cursor *object, struct service *service)
{
	struct cursor at = cursor_member(object, "affinity_seconds");
	json_int_t seconds = 0;
	int error = at.value ? cursor_read_integer(&at, 0, MAX_AFFINITY_SECONDS, &seconds) : 0;

	if (error)
		return error;
	service->affinity_seconds = seconds;
	return 0;
}

int tables_read_prefix(const struct cursor *at, struct prefix *prefix)
{
	const char *text;
	int error = cursor_read_text(at, &text);

	if (error)
		return error;
	error = prefix_parse(text, prefix, at->refusal);
	return error ? cursor_prefix(at, error) : 0;
}

static int decode_source_range(const struct cursor *at, struct service *service)
{
	struct prefix prefix;
	int error = tables_read_prefix(at, &prefix);

	if (error)
		return error;
	error = service_add_source_range(service, &prefix, at->refusal);
	return error ? cursor_prefix(at, error) : 0;
}

/* Which clients: those of the cluster, those from outside, or all. */
static int decode_clients(const struct cursor *object, struct service *service)
{
	struct cursor at;
	const char *text;
	int error = read_word(object, "clients", "all", &at, &text);

	if (error)
		return error;
	if (!strcmp(text, "inside"))
		service->key.scope = SCOPE_INSIDE;
	else if (!strcmp(text, "outside"))
		service->has_inside = true;
	else if (strcmp(text, "all"))
		return cursor_refuse_value(&at, "all, inside or outside");
	return 0;
}

static int decode_masquerade(const struct cursor *object, struct service *service)
{
	struct cursor at;
	const char *text;
	int error = read_word(object, "masquerade", "none", &at, &text);

	if (error)
		return error;
	if (masquerade_parse(text, &service->masquerade))
		return cursor_refuse_value(&at, "none, strangers or others");
	if (service->masquerade && service->key.protocol == IPPROTO_SCTP)
		return cursor_refuse(&at,
				     "SCTP's checksum covers ports, which masquerading changes");
	return 0;
}

static int decode_unserved(const struct cursor *object, struct service *service)
{
	struct cursor at;
	const char *text;
	int error = read_word(object, "unserved", "refuse", &at, &text);

	if (error)
		return error;
	if (strcmp(text, "refuse") && strcmp(text, "drop"))
		return cursor_refuse_value(&at, "refuse or drop");
	service->drops_unserved = !strcmp(text, "drop");
	return 0;
}

static int decode_remote(const struct cursor *object, struct backend *backend)
{
	struct cursor at = cursor_member(object, "remote");

	if (!at.value)
		return 0;
	if (!json_is_boolean(at.value))
		return cursor_refuse_value(&at, "true or false");
	backend->is_remote = json_is_true(at.value);
	return 0;
}

static int decode_state(const struct cursor *object, enum backend_state *state)
{
	struct cursor at;
	const char *text;
	int error = read_word(object, "state", "active", &at, &text);

	if (error)
		return error;
	if (backend_state_parse(text, state))
		return cursor_refuse_value(&at, "active, draining or down");
	return 0;
}

/* One that is over by now has been met, whoever should have seen to it then. */
static int decode_deadline(const struct cursor *object, struct backend *backend)
{
	struct cursor at = cursor_member(object, "deadline");
	const char *text;
	int64_t deadline;
	int error;

	if (!at.value || json_is_null(at.value))
		return 0;
	error = cursor_read_text(&at, &text);
	if (error)
		return error;
	if (wall_clock_parse(text, &deadline) || !deadline)
		return cursor_refuse_value(&at, "a time like 2025-12-31T23:59:59Z");
	if (backend->state != BACKEND_DRAINING)
		return cursor_refuse(&at, "only a backend that is draining has one");
	if (deadline > wall_clock_ms())
		backend->deadline_ms = deadline;
	else
		backend->state = BACKEND_DOWN;
	return 0;
}

static int read_backend(const struct cursor *at, struct backend *backend)
{
	struct backend decoded = {.state = BACKEND_ACTIVE};
	struct cursor address = cursor_member(at, "address");
	struct cursor weight = cursor_member(at, "weight");
	json_int_t number = 1;
	int error = cursor_check_object(at, BACKEND_KEYS);

	if (!error)
		error = tables_read_address(&address, &decoded.address);
	if (!error)
		error = decode_port(at, &decoded.port);
	if (!error && weight.value)
		error = cursor_read_integer(&weight, 0, UINT16_MAX, &number);
	if (!error)
		error = decode_state(at, &decoded.state);
	if (!error)
		error = decode_remote(at, &decoded);
	if (!error)
		error = decode_deadline(at, &decoded);
	if (error)
		return error;
	decoded.weight = number;
	*backend = decoded;
	return 0;
}

static int decode_backend(const struct cursor *at, struct service *service)
{
	struct backend backend;
	int error = read_backend(at, &backend);

	if (error)
		return error;
	error = service_add_backend(service, &backend, at->refusal);
	return error ? cursor_prefix(at, error) : 0;
}

/* A list that may be absent. */
static int decode_list(const struct cursor *list, struct service *service,
		       int (*decode_element)(const struct cursor *at, struct service *service))
{
	int error = list->value ? cursor_check_array(list) : 0;

	for (size_t i = 0; !error && i < json_array_size(list->value); i++) {
		struct cursor at = cursor_element(list, i);

		error = decode_element(&at, service);
	}
	return error;
}

int tables_read_service(const struct cursor *at, struct service **service)
{
	struct cursor ranges = cursor_member(at, "source_ranges");
	struct cursor backends = cursor_member(at, "backends");
	__attribute__((cleanup(drop_service))) struct service *decoded = NULL;
	struct service_key key = {0};
	int error = cursor_check_object(at, SERVICE_KEYS);

	if (!error)
		error = decode_key(at, &key);
	if (error)
		return error;
	decoded = service_new(&key);
	if (!decoded)
		return refuse_with(at->refusal, ENOMEM, "out of memory");
	error = decode_name(at, decoded);
	if (!error)
		error = decode_clients(at, decoded);
	if (!error)
		error = decode_algorithm(at, decoded);
	if (!error)
		error = decode_affinity(at, decoded);
	if (!error)
		error = decode_masquerade(at, decoded);
	if (!error)
		error = decode_unserved(at, decoded);
	if (!error)
		error = decode_list(&ranges, decoded, decode_source_range);
	if (!error)
		error = decode_list(&backends, decoded, decode_backend);
	if (error)
		return error;
	*service = decoded;
	decoded = NULL;
	return 0;
}

int tables_decode_service(const json_t *value, const char *path, struct service **service,
			  struct refusal *refusal)
{
	struct cursor root = cursor_root(value, path, refusal);

	return tables_read_service(&root, service);
}

int tables_decode_backend(const json_t *value, const char *path, struct backend *backend,
			  struct refusal *refusal)
{
	struct cursor root = cursor_root(value, path, refusal);

	return read_backend(&root, backend);
}
