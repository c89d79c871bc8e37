/*
 * A few services of the cast (test/bpf/cast.h), whose records are those that lbd makes of a
 * service. Rings are short and made here, since which slot names which backend is nothing to the
 * program.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include <string.h>
#include "lb/encode.h"
#include "test/fuzz/fuzz.h"
#include "test/fuzz/program_tables.h"

#define RING_LENGTH RING_ROW_SLOTS

static const enum role BACKEND_ROLES[MAX_BACKENDS] = {BACKEND_A, BACKEND_B, CLIENT};
static struct service_key keys[MAX_SERVICES]; /* of those that there are, by id; port 0: none */

void services_clear(void)
{
	memset(keys, 0, sizeof(keys));
}

static void put_range(uint32_t service, enum family family)
{
	const struct address client = role_address(CLIENT, family);
	struct source_range_key key = {
		.length = SOURCE_RANGE_SERVICE_BITS + 120,
		.service = service,
	};

	memcpy(key.address, &client, sizeof(key.address));
	must(!native_put("source_ranges", &key, &(uint32_t){0}), "there is room for a range");
}

/* As lb/datapath_ends.c counts them: one more, or one less. */
static void count_at(const struct end_key *key, const struct backend_record *record, uint32_t more)
{
	const struct backend_end *known = native_find("backend_ends", key);
	struct backend_end end = known ? *known : (struct backend_end){};

	end.backends ^= record->handle & BACKEND_INDEX_MASK;
	end.count += more;
	must(!native_put("backend_ends", key, &end), "there is room for an end");
}

static void count_end(const struct backend_record *record, uint32_t more)
{
	const struct end_key of_replies = {
		.address = record->address, .port = record->port, .protocol = record->protocol};
	const struct end_key of_tunnels = {.address = record->address, .service = record->service};

	count_at(&of_replies, record, more);
	count_at(&of_tunnels, record, more);
}

static void put_ring(uint32_t row, const struct placement *placement, uint32_t first)
{
	struct ring_row slots = {};

	for (uint32_t i = 0; i < RING_ROW_SLOTS && placement->count; i++)
		slots.backend[i] = placement->places[(first + i) % placement->count].backend;
	table_put("rings", row, &slots);
}

static struct service *make_service(const struct service_key *key, uint8_t states)
{
	const enum family family = key->address.word[2] == htonl(0xffff) ? IPV4 : IPV6;
	struct service *service = service_new(key);
	struct refusal refusal;

	must(service, "there is memory");
	for (int i = 0; i < MAX_BACKENDS; i++) {
		const struct backend backend = {
			.address = role_address(BACKEND_ROLES[i], family),
			.port = htons(BACKEND_PORT),
			.weight = 1,
			.state = (enum backend_state)(states >> 2 * i & 3),
		};

		if (backend.state)
			must(!service_add_backend(service, &backend, &refusal), "it is a backend");
	}
	return service;
}

static uint32_t index_of(uint32_t service, size_t backend)
{
	return 1 + (service - 1) * MAX_BACKENDS + (uint32_t)backend;
}

/* Nothing is left of what had this id but old handles, which no new backend of an index has. */
static void remove_service(uint32_t id)
{
	struct service_key *key = &keys[id - 1];
	struct backend_record *record;

	for (size_t i = 0; i < MAX_BACKENDS && key->port; i++) {
		const uint32_t index = index_of(id, i);

		record = native_find("backends", &index);
		if (record->state)
			count_end(record, UINT32_MAX);
		record->state = BACKEND_NONE;
	}
	native_remove("services", key);
	*key = (struct service_key){};
}

static void put_backends(const struct service *service, struct placement *placement)
{
	const bool is_ipv4 = service->key.address.word[2] == htonl(0xffff);
	const struct backend_record *before;
	struct backend_record record;

	for (size_t i = 0; i < placement->count; i++) {
		const uint32_t index = index_of(placement->service, i);
		const enum role role = role_of_address(&service->backends[i].address);

		before = native_find("backends", &index);
		placement->places[i] = (struct place){
			.backend = index,
			.nexthop = table_nexthop(role, is_ipv4 ? IPV4 : IPV6),
			.handle = encode_next_handle(index, before->handle),
		};
		record = encode_backend(service, placement, i, placement->places[i].handle);
		table_put("backends", index, &record);
		count_end(&record, 1);
	}
}

/* Two are often of one address; or of one port, protocol and address, and then the second counts.
 */
static struct service_key choose_key(uint8_t choice)
{
	static const uint8_t PROTOCOLS[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_TCP, IPPROTO_SCTP};
	const uint8_t protocol = PROTOCOLS[choice >> 1 & 3];
	uint16_t port = choice & 8 ? SERVICE_PORT + 1 : SERVICE_PORT;

	if (protocol == IPPROTO_SCTP)
		port = BACKEND_PORT;
	return (struct service_key){
		.address = role_address(SERVICE, choice & 1 ? IPV6 : IPV4),
		.port = htons(port),
		.protocol = protocol,
	};
}

void service_put(struct input *input, uint32_t id)
{
	const uint8_t choice = take(input), states = take(input), more = take(input);
	const struct service_key key = choose_key(choice);
	struct service *service = make_service(&key, states);
	const uint32_t row = (id - 1) * 2, length = more & 0x80 || !states ? 0 : RING_LENGTH;
	const struct address *address = &key.address;
	union {
		struct placement placement;
		uint8_t room[sizeof(struct placement) + MAX_BACKENDS * sizeof(struct place)];
	} space = {.placement = {.service = id, .count = service->backend_count}};
	struct service_record record;

	remove_service(id);
	keys[id - 1] = key;
	space.placement.ring = (struct ring){row * RING_ROW_SLOTS, length};
	space.placement.previous = (struct ring){(row + 1) * RING_ROW_SLOTS, more & 1 ? length : 0};
	service->algorithm = (enum algorithm)(choice >> 4 & 3);
	service->affinity_seconds = choice & 0x40 ? 60 : 0;
	put_backends(service, &space.placement);
	put_ring(row, &space.placement, 0);
	put_ring(row + 1, &space.placement, 1);
	record = encode_service(service, &space.placement);
	if (choice & 0x80)
		record.flags = SERVICE_HAS_SOURCE_RANGES;
	if (more & 2)
		put_range(id, choice & 1 ? IPV6 : IPV4);
	must(!native_put("services", &key, &record), "there is room for a service");
	if (!(more & 4))
		must(!native_put("addresses", address, &(uint32_t){0}), "and for its address");
	native_set_virtual(address, !(more & 8));
	service_free(service);
}
