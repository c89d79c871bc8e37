/*
 * Services and their backends as values: made, copied, compared and changed within their limits. A
 * change that is refused changes nothing. Which services exist side by side is not known here.
 */
#include "lb/service.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

struct service *service_new(const struct service_key *key)
{
	struct service *service = calloc(1, sizeof(*service));

	if (!service)
		return NULL;
	service->key = *key;
	service->algorithm = ALGORITHM_MAGLEV;
	service->source = SOURCE_OPERATOR;
	return service;
}

/* A copy of the items. NULL for none, and with *failed set when out of memory. */
static void *copy_items(const void *items, size_t count, size_t size, bool *failed)
{
	void *copy = NULL;

	if (!count)
		return NULL;
	copy = reallocarray(NULL, count, size);
	if (copy)
		memcpy(copy, items, count * size);
	else
		*failed = true;
	return copy;
}

struct service *service_clone(const struct service *service)
{
	struct service *clone = service_new(&service->key);
	bool failed = false;

	if (!clone)
		return NULL;
	*clone = *service;
	clone->name = copy_items(service->name, service->name ? strlen(service->name) + 1 : 0, 1,
				 &failed);
	clone->backends = copy_items(service->backends, service->backend_count,
				     sizeof(*service->backends), &failed);
	clone->source_ranges = copy_items(service->source_ranges, service->source_range_count,
					  sizeof(*service->source_ranges), &failed);
	if (!failed)
		return clone;
	service_free(clone);
	return NULL;
}

void service_free(struct service *service)
{
	if (!service)
		return;
	free(service->name);
	free(service->source_ranges);
	free(service->backends);
	free(service);
}

static bool is_name(const char *text)
{
	size_t namespace_length = strspn(text, NAME_CHARACTERS);
	const char *name = text + namespace_length + 1;

	return namespace_length && text[namespace_length] == '/' && *name &&
	       !name[strspn(name, NAME_CHARACTERS)];
}

int service_set_name(struct service *service, const char *name, struct refusal *refusal)
{
	char *copy = NULL;

	if (name && !is_name(name))
		return refuse(refusal,
			      "\"%.64s\" is not a name; write NAMESPACE/NAME, each of "
			      "letters, digits, '.', '_' and '-'",
			      name);
	if (name && strlen(name) > MAX_NAME)
		return refuse(refusal, "name \"%.64s…\" is longer than %d characters", name,
			      MAX_NAME);
	if (name) {
		copy = strdup(name);
		if (!copy)
			return refuse_with(refusal, ENOMEM, "out of memory");
	}
	free(service->name);
	service->name = copy;
	return 0;
}

static bool is_multicast(const struct address *address)
{
	if (address_is_ipv4(address))
		return (ntohl(address->word[3]) >> 28) == 0xe;
	return (ntohl(address->word[0]) >> 24) == 0xff;
}

/* What makes it no destination of unicast packets, or NULL. */
static const char *find_fault(const struct address *address)
{
	if (address_is_unspecified(address))
		return "an unspecified";
	if (is_multicast(address))
		return "a multicast";
	if (address_is_ipv4(address) && address->word[3] == htonl(INADDR_BROADCAST))
		return "a broadcast";
	return NULL;
}

static const char *family_name(const struct address *address)
{
	return address_is_ipv4(address) ? "IPv4" : "IPv6";
}

static bool is_of_family(const struct service *service, const struct address *address)
{
	return address_is_ipv4(&service->key.address) == address_is_ipv4(address);
}

/* `words` say what would be added: `10.1.0.5:8080`. */
static int refuse_family(const struct service *service, const struct address *address,
			 const char *words, struct refusal *refusal)
{
	const struct address *own = &service->key.address;
	char text[ADDRESS_TEXT_MAX];

	return refuse(refusal, "%s is %s, but the service's address %s is %s", words,
		      family_name(address), address_format(own, text), family_name(own));
}

/*
 * SCTP's CRC32c covers the ports (RFC 9260, 3.1) and the datapath cannot compute one: the service's
 * port must be the backend's.
 */
static bool is_of_port(const struct service *service, const struct backend *backend)
{
	return service->key.protocol != IPPROTO_SCTP || backend->port == service->key.port;
}

/* Apart from the refusals, whose words take longer to write than all else there is to check. */
static bool is_addable(const struct service *service, const struct backend *backend)
{
	return !find_fault(&backend->address) && backend->port &&
	       is_of_family(service, &backend->address) && is_of_port(service, backend) &&
	       !service_find_backend(service, &backend->address, backend->port) &&
	       service->backend_count < MAX_BACKENDS_PER_SERVICE;
}

static int refuse_backend(const struct service *service, const struct backend *backend,
			  struct refusal *refusal)
{
	const char *fault = find_fault(&backend->address);
	char text[ENDPOINT_TEXT_MAX];

	endpoint_format(&backend->address, backend->port, text);
	if (fault)
		return refuse(refusal, "%s is %s address; a backend needs a unicast one", text,
			      fault);
	if (!backend->port)
		return refuse(refusal, "port 0 of %s is not 1–65535", text);
	if (!is_of_family(service, &backend->address))
		return refuse_family(service, &backend->address, text, refusal);
	if (!is_of_port(service, backend))
		return refuse(refusal,
			      "port %u of %s is not %u: SCTP's checksum covers ports, so backends "
			      "have the service's",
			      ntohs(backend->port), text, ntohs(service->key.port));
	if (service_find_backend(service, &backend->address, backend->port))
		return refuse_with(refusal, EEXIST, "%s is already a backend of this service",
				   text);
	return refuse_with(refusal, ENOSPC,
			   "%s is one more than the %d backends a service may have", text,
			   MAX_BACKENDS_PER_SERVICE);
}

int service_add_backend(struct service *service, const struct backend *backend,
			struct refusal *refusal)
{
	struct backend *backends;

	if (!is_addable(service, backend))
		return refuse_backend(service, backend, refusal);
	backends = reallocarray(service->backends, service->backend_count + 1, sizeof(*backends));
	if (!backends)
		return refuse_with(refusal, ENOMEM, "out of memory");
	backends[service->backend_count++] = *backend;
	service->backends = backends;
	return 0;
}

struct backend *service_find_backend(const struct service *service, const struct address *address,
				     __be16 port)
{
	for (size_t i = 0; i < service->backend_count; i++) {
		struct backend *backend = &service->backends[i];

		if (backend->port == port && address_equal(&backend->address, address))
			return backend;
	}
	return NULL;
}

void service_remove_backend(struct service *service, struct backend *backend)
{
	size_t index = backend - service->backends;
	size_t after = --service->backend_count - index;

	memmove(backend, backend + 1, after * sizeof(*backend));
}

static int check_source_range(const struct service *service, const struct prefix *prefix,
			      struct refusal *refusal)
{
	char text[ENDPOINT_TEXT_MAX];

	if (!is_of_family(service, &prefix->address))
		return refuse_family(service, &prefix->address, prefix_format(prefix, text),
				     refusal);
	for (size_t i = 0; i < service->source_range_count; i++)
		if (prefix_equal(&service->source_ranges[i], prefix))
			return refuse_with(refusal, EEXIST,
					   "%s is already a source range of this service",
					   prefix_format(prefix, text));
	if (service->source_range_count >= MAX_SOURCE_RANGES)
		return refuse_with(refusal, ENOSPC,
				   "%s is one more than the %d source ranges a "
				   "service may have",
				   prefix_format(prefix, text), MAX_SOURCE_RANGES);
	return 0;
}

int service_add_source_range(struct service *service, const struct prefix *prefix,
			     struct refusal *refusal)
{
	struct prefix *ranges;
	int error = check_source_range(service, prefix, refusal);

	if (error)
		return error;
	ranges = reallocarray(service->source_ranges, service->source_range_count + 1,
			      sizeof(*ranges));
	if (!ranges)
		return refuse_with(refusal, ENOMEM, "out of memory");
	ranges[service->source_range_count++] = *prefix;
	service->source_ranges = ranges;
	return 0;
}

int service_key_check(const struct service_key *key, struct refusal *refusal)
{
	const char *fault =
		address_is_loopback(&key->address) ? "a loopback" : find_fault(&key->address);
	char text[ADDRESS_TEXT_MAX];

	address_format(&key->address, text);
	if (fault)
		return refuse(refusal, "%s is %s address; a service needs a unicast one", text,
			      fault);
	if (!key->port)
		return refuse(refusal, "port 0 of %s is not 1–65535", text);
	return 0;
}

static bool backends_equal(const struct service *a, const struct service *b)
{
	for (size_t i = 0; i < a->backend_count && i < b->backend_count; i++) {
		const struct backend *left = &a->backends[i], *right = &b->backends[i];

		if (!address_equal(&left->address, &right->address) || left->port != right->port ||
		    left->weight != right->weight || left->state != right->state ||
		    left->is_remote != right->is_remote || left->deadline_ms != right->deadline_ms)
			return false;
	}
	return a->backend_count == b->backend_count;
}

static bool source_ranges_equal(const struct service *a, const struct service *b)
{
	for (size_t i = 0; i < a->source_range_count && i < b->source_range_count; i++)
		if (!prefix_equal(&a->source_ranges[i], &b->source_ranges[i]))
			return false;
	return a->source_range_count == b->source_range_count;
}

bool service_equal(const struct service *a, const struct service *b)
{
	bool same_name = a->name && b->name ? !strcmp(a->name, b->name) : a->name == b->name;

	return same_name && !memcmp(&a->key, &b->key, sizeof(a->key)) &&
	       a->algorithm == b->algorithm && a->masquerade == b->masquerade &&
	       a->has_inside == b->has_inside && a->drops_unserved == b->drops_unserved &&
	       a->affinity_seconds == b->affinity_seconds && source_ranges_equal(a, b) &&
	       backends_equal(a, b);
}

size_t service_count_deadlines(const struct service *service)
{
	size_t count = 0;

	for (size_t i = 0; i < service->backend_count; i++)
		count += service->backends[i].deadline_ms != 0;
	return count;
}

__s64 service_deadline(const struct service *service)
{
	__s64 first = 0;

	for (size_t i = 0; i < service->backend_count; i++) {
		const __s64 deadline = service->backends[i].deadline_ms;

		if (deadline && (!first || deadline < first))
			first = deadline;
	}
	return first;
}

bool backend_takes_connections(const struct backend *backend)
{
	return backend->state == BACKEND_ACTIVE && backend->weight;
}
