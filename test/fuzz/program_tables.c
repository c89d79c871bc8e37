/*
 * Tables: knobs, ports, next hops and filters, and changes of them.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include <string.h>
#include "test/bpf/cast.h"
#include "test/fuzz/fuzz.h"
#include "test/fuzz/program_tables.h"

#define VLAN_PORT 3 /* of UPLINK */
#define FILTER_WORDS 2

void table_put(const char *map, uint32_t index, const void *value)
{
	must(!native_put(map, &index, value), "there is room for what a test writes");
}

uint32_t table_nexthop(enum role role, enum family family)
{
	return 1 + (uint32_t)role * _FAMILY_COUNT + family;
}

static void set_knobs(struct input *input)
{
	const uint8_t flags = take(input), sizes = take(input);
	struct native_knobs knobs = {
		.timeouts = {30 * 250, 21600 * 250, 120 * 250, 10 * 250, 120 * 250},
		.max_new_connections = flags >> 2 & 3,
		.hash_seed = take(input),
		.connection_buckets = 1 + sizes % 4,
		.backend_count = BACKEND_COUNT,
		.has_metadata = flags & 1,
		.answer_refused = !(flags & 2),
		.icmp_errors = sizes >> 2 & 3,
		.tunnels = flags & 0x10,
	};

	native_set_knobs(&knobs);
	native_resize("connections", knobs.connection_buckets);
	native_resize("services", 4 * MAX_SERVICES);
	native_resize("addresses", MAX_SERVICES);
	native_resize("backend_ends", 4 * BACKEND_COUNT);
	native_resize("stateless_hops", STATELESS_HOPS);
	native_resize("backends", BACKEND_COUNT);
	native_resize("rings", 2 * MAX_SERVICES);
	native_resize("nexthops", BACKEND_COUNT);
	native_resize("service_counters", 1 + MAX_SERVICES);
	native_resize("backend_counters", NATIVE_CPUS * BACKEND_COUNT);
	native_resize("deny_counters", NATIVE_CPUS * (MAX_DENIED + 1));
	native_resize("affinity", 2);
	native_resize("fragments", 2);
}

/* All programs, but those whose bit is set. */
static void put_programs(uint8_t missing)
{
	for (uint32_t i = 0; i < _PROGRAM_COUNT; i++)
		if (!(missing >> i & 1))
			table_put("programs", i, &native_programs[i]);
	if (!(missing & 0x40))
		table_put("bridge", BRIDGE_NEXT, &native_bring);
	if (!(missing & 0x80))
		table_put("bridge", BRIDGE_LB, &native_lb);
}

static void put_port(uint32_t index, uint32_t ifindex, uint8_t choice)
{
	static const uint32_t MTUS[] = {1500, 1280, 100, 65535};
	struct port port = {
		.flags = choice & (PORT_TX_BY_REDIRECT | PORT_BY_STACK | PORT_GENERIC),
		.ifindex = choice & 0x80 ? 0 : ifindex,
		.mtu = MTUS[choice >> 4 & 3],
	};

	memcpy(port.mac, interface_mac(index == POD ? POD : UPLINK), sizeof(port.mac));
	if (index == VLAN_PORT) {
		port.flags |= PORT_TAGGED;
		port.tags.tag[0] = (struct tag){htons(ETH_P_8021Q), htons(7)};
		if (choice & 8)
			port.tags.tag[1] = port.tags.tag[0];
	}
	table_put("ports", index, &port);
	if (!(choice & 0x40))
		table_put("transmit", ifindex, &ifindex);
}

static void put_ports(struct input *input)
{
	const struct ingress uplink = {UPLINK}, pod = {POD};

	put_port(UPLINK, UPLINK_IFINDEX, take(input));
	put_port(POD, POD_IFINDEX, take(input));
	put_port(VLAN_PORT, UPLINK_IFINDEX, take(input));
	table_put("ingresses", UPLINK_IFINDEX, &uplink);
	table_put("ingresses", POD_IFINDEX, &pod);
}

/* Where whoever has this role is: by a port, of which there may be none. */
static void put_nexthops(enum role role, uint32_t port)
{
	struct nexthop hop = {.port = (__u16)port};

	if (port)
		memcpy(hop.mac, role_mac(role), sizeof(hop.mac));
	table_put("nexthops", table_nexthop(role, IPV4), &hop);
	table_put("nexthops", table_nexthop(role, IPV6), &hop);
}

/* Filters say either that everything may be one of ours, or that nothing is. */
static void put_filters(uint8_t empty)
{
	static const char *const FILTERS[] = {"service_filter", "backend_filter", "address_filter"};
	const uint64_t all = UINT64_MAX;

	for (uint32_t i = 0; i < sizeof(FILTERS) / sizeof(*FILTERS); i++)
		for (uint32_t word = 0; word < FILTER_WORDS && !(empty >> i & 1); word++)
			table_put(FILTERS[i], word, &all);
}

static void clear_memory(void)
{
	const struct address ipv4 = role_address(SERVICE, IPV4), ipv6 = role_address(SERVICE, IPV6);

	native_set_denied_prefixes(0);
	native_set_virtual(&ipv4, false);
	native_set_virtual(&ipv6, false);
}

void tables_fill(struct input *input)
{
	uint8_t choice;

	clear_memory();
	services_clear();
	set_knobs(input);
	put_programs(take(input));
	put_ports(input);
	choice = take(input);
	put_filters(choice);
	for (uint32_t id = 1; id <= 1 + (choice >> 6 & 3u); id++)
		service_put(input, id);
	choice = ~take(input);
	put_nexthops(BACKEND_A, choice & 3);
	put_nexthops(BACKEND_B, choice >> 2 & 3);
	put_nexthops(CLIENT, choice >> 4 & 3);
}

static void deny_client(uint8_t choice)
{
	const struct address client = role_address(CLIENT, choice & 1 ? IPV6 : IPV4);
	const struct denied denied = {.counter = 1, .is_ipv6 = choice & 1};
	struct deny_key key = {.length = choice >> 1 & 1 ? 128 : choice >> 2};

	memcpy(key.address, &client, sizeof(key.address));
	native_set_denied_prefixes(1);
	must(!native_put("deny", &key, &denied), "there is room for a prefix");
}

static void change_state(uint8_t choice)
{
	const uint32_t index = 1 + choice % (BACKEND_COUNT - 1);
	struct backend_record *record = native_find("backends", &index);

	if (record->state)
		record->state = (uint8_t)(1 + choice / BACKEND_COUNT % BACKEND_DOWN);
}

/* The connections are those of an earlier lbd, whose table has one bucket. */
static void age_connections(void)
{
	const uint32_t first = 0;
	struct connection_bucket *bucket = native_find("connections", &first);

	table_put("older_connections", first, bucket);
	native_remove("connections", &first);
}

void tables_change(struct input *input)
{
	static const enum role MOVING[] = {BACKEND_A, BACKEND_B, CLIENT};
	const uint8_t kind = take(input), choice = take(input);

	if (kind % 6 == 0)
		change_state(choice);
	else if (kind % 6 == 1)
		put_nexthops(MOVING[choice % 3], choice >> 4 & 3);
	else if (kind % 6 == 2)
		deny_client(choice);
	else if (kind % 6 == 3)
		put_port(1 + choice % 3, choice % 3 == 1 ? POD_IFINDEX : UPLINK_IFINDEX,
			 take(input));
	else if (kind % 6 == 4)
		service_put(input, 1 + choice % MAX_SERVICES);
	else
		age_connections();
}
