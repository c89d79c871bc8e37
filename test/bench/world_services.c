/*
 * The services of a world, as the model has them: addresses, shapes, source ranges.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include "lb/service.h"
#include "test/bench/world_internal.h"

const struct kind WORLD_KINDS[WORLD_KIND_COUNT] = {
	{IPV4, IPPROTO_TCP, "tcp over ipv4"},   {IPV4, IPPROTO_UDP, "udp over ipv4"},
	{IPV6, IPPROTO_TCP, "tcp over ipv6"},   {IPV6, IPPROTO_UDP, "udp over ipv6"},
	{IPV4, IPPROTO_SCTP, "sctp over ipv4"}, {IPV6, IPPROTO_SCTP, "sctp over ipv6"},
};

struct shape {
	const char *name;
	uint32_t backends;
	enum algorithm algorithm;
	uint32_t affinity_seconds;
	uint32_t ranges;
	bool admits_clients;
};

static const struct shape SHAPES[_SERVICE_SHAPE_COUNT] = {
	[SERVICE_FIVE] = {.name = "", .backends = BACKENDS_PER_SERVICE},
	[SERVICE_SINGLE] = {.name = "", .backends = 1},
	[SERVICE_EMPTY] = {.name = ""},
	[SERVICE_THOUSAND] = {.name = "1,000 backends", .backends = 1000},
	[SERVICE_RANDOM] = {.name = "random",
			    .backends = BACKENDS_PER_SERVICE,
			    .algorithm = ALGORITHM_RANDOM},
	[SERVICE_ROUND_ROBIN] = {.name = "round robin",
				 .backends = BACKENDS_PER_SERVICE,
				 .algorithm = ALGORITHM_ROUND_ROBIN},
	[SERVICE_SOURCE_HASH] = {.name = "source hash",
				 .backends = BACKENDS_PER_SERVICE,
				 .algorithm = ALGORITHM_SOURCE_HASH},
	[SERVICE_AFFINE] = {.name = "affinity",
			    .backends = BACKENDS_PER_SERVICE,
			    .affinity_seconds = 600},
	[SERVICE_RANGED] = {.name = "source ranges",
			    .backends = BACKENDS_PER_SERVICE,
			    .ranges = MAX_SOURCE_RANGES,
			    .admits_clients = true},
	[SERVICE_CLOSED] = {.name = "",
			    .backends = BACKENDS_PER_SERVICE,
			    .ranges = MAX_SOURCE_RANGES},
	[SERVICE_TWIN] = {.name = "", .backends = 1},
	[SERVICE_LOST] = {.name = "", .backends = 1},
};

struct address world_numbered(enum family family, const char *ipv4, const char *ipv6,
			      uint32_t number)
{
	struct address address = {};

	address_parse(family == IPV6 ? ipv6 : ipv4, &address);
	address.word[3] = htonl(ntohl(address.word[3]) + number);
	return address;
}

struct service_key world_service(const struct kind *kind, enum service_shape shape, uint32_t number)
{
	return (struct service_key){
		.address = world_numbered(kind->family, "10.96.0.0", "fd00:96::", number),
		.port = htons((uint16_t)(80 + shape)),
		.protocol = kind->protocol,
	};
}

const char *world_shape_name(enum service_shape shape)
{
	return SHAPES[shape].name;
}

uint32_t world_backend_count(enum service_shape shape)
{
	return SHAPES[shape].backends;
}

struct address world_backend(const struct kind *kind, uint32_t number)
{
	return world_numbered(kind->family, "10.128.0.0", "fd00:128::", number);
}

__be16 world_backend_port(const struct kind *kind, enum service_shape shape)
{
	if (kind->protocol == IPPROTO_SCTP)
		return world_service(kind, shape, 0).port;
	return htons((uint16_t)(8080 + (shape == SERVICE_TWIN ? SERVICE_SINGLE : shape)));
}

static int add_backends(struct service *service, const struct kind *kind, enum service_shape shape,
			uint32_t number)
{
	struct refusal refusal;
	int error = 0;

	for (uint32_t i = 0; !error && i < world_backend_count(shape); i++) {
		const struct backend backend = {
			.address = world_backend(kind, number * BACKENDS_PER_SERVICE + i),
			.port = world_backend_port(kind, shape),
			.weight = 1,
			.state = BACKEND_ACTIVE,
		};

		error = service_add_backend(service, &backend, &refusal);
	}
	return error;
}

/* All of the clients of wrapper.h: 100.64.0.0/10, and as much of IPv6. */
static struct prefix clients_of(enum family family)
{
	return (struct prefix){
		.address = world_numbered(family, "100.64.0.0", "2001:db8::6440:0", 0),
		.length = 128 - 22,
	};
}

/* Networks of 65,536 addresses side by side, far from the clients. */
static struct prefix stranger(enum family family, uint32_t number)
{
	return (struct prefix){
		.address = world_numbered(family, "172.0.0.0", "2001:db8::ac00:0", number << 16),
		.length = 128 - 16,
	};
}

static int add_ranges(struct service *service, const struct kind *kind, const struct shape *shape)
{
	struct refusal refusal;
	int error = 0;

	for (uint32_t i = 0; !error && i < shape->ranges; i++) {
		const bool admit = shape->admits_clients && !i;
		const struct prefix range =
			admit ? clients_of(kind->family) : stranger(kind->family, i);

		error = service_add_source_range(service, &range, &refusal);
	}
	return error;
}

struct service *world_make_service(const struct kind *kind, enum service_shape shape,
				   uint32_t number)
{
	const struct service_key key = world_service(kind, shape, number);
	struct service *service = service_new(&key);

	if (!service)
		return NULL;
	service->algorithm = SHAPES[shape].algorithm;
	service->affinity_seconds = SHAPES[shape].affinity_seconds;
	if (!add_backends(service, kind, shape, number) &&
	    !add_ranges(service, kind, &SHAPES[shape]))
		return service;
	service_free(service);
	return NULL;
}
