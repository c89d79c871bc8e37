/*
 * bpf/lb.bpf.c for this processor. Knobs are constants that lbd sets before it loads the program;
 * here a test does, so they are not constant.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>
#include "include/abi.h"

#define const
#include "bpf/knobs.h"
#undef const

#define clock program_clock /* the C library has one */
#include "bpf/lb.bpf.c"
#undef clock

#define LENGTH(array) (sizeof(*(array)) / sizeof(int))
#define MAP(map)                                                                                   \
	{                                                                                          \
#map, &map, LENGTH(map.type), sizeof(*map.key), sizeof(*map.value),                \
			LENGTH(map.max_entries)                                                    \
	}
#define MAP_OF(map, value_size)                                                                    \
	{                                                                                          \
#map, &map, LENGTH(map.type), LENGTH(map.key_size), value_size,                    \
			LENGTH(map.max_entries)                                                    \
	}

struct native_map native_maps[] = {
	MAP(services),
	MAP(addresses),
	MAP(deny),
	MAP(deny_counters),
	MAP(source_ranges),
	MAP(connections),
	MAP(older_connections),
	MAP(evictions),
	MAP(affinity),
	MAP(client_hops),
	MAP(backend_ends),
	MAP(stateless_hops),
	MAP(alias_marks),
	MAP(service_filter),
	MAP(backend_filter),
	MAP(address_filter),
	MAP(fragments),
	MAP(backends),
	MAP(rings),
	MAP(nexthops),
	MAP(ports),
	MAP(ingresses),
	MAP_OF(transmit, sizeof(__u32)),
	MAP(verdict_counters),
	MAP(service_counters),
	MAP(backend_counters),
	MAP_OF(programs, sizeof(native_program)),
	MAP_OF(bridge, sizeof(native_program)),
	MAP(refused),
	MAP(error_budget),
	MAP(networks),
	MAP(masquerades),
	MAP(masquerade_sources),
	MAP(masquerade_work),
	{},
};

const native_program native_lb = lb, native_cross = cross, native_bring = bring;

const native_program native_programs[_PROGRAM_COUNT] = {
	[PROGRAM_ICMP] = icmp,
	[PROGRAM_RARE] = rare,
	[PROGRAM_STATELESS] = stateless,
	[PROGRAM_ANSWER] = answer,
	[PROGRAM_GONE] = gone,
	[PROGRAM_MASQUERADE] = masquerade,
	[PROGRAM_ENCAPSULATE] = encapsulate,
	[PROGRAM_DECAPSULATE] = decapsulate,
};

void native_set_knobs(const struct native_knobs *knobs)
{
	timeouts = knobs->timeouts;
	max_new_connections = knobs->max_new_connections;
	hash_seed = knobs->hash_seed;
	connection_buckets = knobs->connection_buckets;
	backend_count = knobs->backend_count;
	has_metadata = knobs->has_metadata;
	answer_refused = knobs->answer_refused;
	icmp_errors = knobs->icmp_errors;
	tunnels = knobs->tunnels;
	tunnel_sources.count = knobs->tunnels ? 2 : 0; /* of either family all */
	tunnel_sources.of[1].is_ipv6 = true;
}

void native_set_denied_prefixes(uint32_t count)
{
	denied_prefixes = count;
}

void native_set_virtual(const struct address *address, bool is_virtual)
{
	virtual_filter[hash_virtual(address)] = is_virtual;
}
