/*
 * The tables of the datapath. Sizes are the least that loads; lbd sets them from its options before
 * loading. Each map says who writes it, who reads it and what happens when it is full.
 */
#pragma once

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>
#include "include/abi.h"
#include "include/hash.h"
#include "include/masquerade.h"
#include "include/network.h"
#include "include/verdict.h"

#define MAX_PORTS 4096 /* interfaces of one node that packets leave by */

/*
 * lbd writes, packets that start a connection read. Held at no more than half of its size, so the
 * LRU never evicts; should it all the same, lbd's audit puts the entry back and counts it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct service_key);
	__type(value, struct service_record);
	__uint(max_entries, 2);
} services SEC(".maps");

/*
 * The addresses of services, without those that the node has itself: what is for one and no service
 * of it is ours to refuse. lbd writes, packets read that the filter of address.h lets through. One
 * for each service at most.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct address);
	__type(value, __u32); /* means nothing: being there does */
	__uint(max_entries, 2);
} addresses SEC(".maps");

/* Denied prefixes. lbd writes and refuses one past the end; packets read, while there is any. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct deny_key);
	__type(value, struct denied);
	__uint(max_entries, MAX_DENIED);
} deny SEC(".maps");

/*
 * What they have dropped: one CPU's after another's, DENY_COUNTERS each, since a flood arrives on
 * many. Packets write, lbd reads, and clears for a new prefix.
 */
#define DENY_COUNTERS (MAX_DENIED + 1)

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct counter);
	__uint(max_entries, DENY_COUNTERS);
} deny_counters SEC(".maps");

/*
 * Whose sources are: prefixes of this node and of the cluster. lbd writes and refuses one past the
 * end; packets read that start a connection to a service which asks.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct network_key);
	__type(value, struct network_record);
	__uint(max_entries, MAX_NETWORKS);
} networks SEC(".maps");

/*
 * The ranges of the services that have some. lbd writes, packets that start a connection read. A
 * change holds old and new ones at once, so there is room for twice as many; lbd refuses more.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct source_range_key);
	__type(value, __u32); /* means nothing: being there does */
	__uint(max_entries, 2 * MAX_ALL_SOURCE_RANGES);
} source_ranges SEC(".maps");

/*
 * Packets write and read, lbd sweeps what has expired. Full: bpf/connection_table.h says who gives
 * way.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct connection_bucket);
	__uint(max_entries, 2);
} connections SEC(".maps");

/* How many entries of it have given way. Packets that start a connection write, each CPU its own.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 1);
} evictions SEC(".maps");

/*
 * By the ids of tables of connections, how they are laid out: there are two while one moves to
 * another, and one that died meanwhile may have left its own. lbd alone.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, struct table_layout);
	__uint(max_entries, MAX_LAYOUTS);
} layouts SEC(".maps");

/*
 * Masqueraded connections, two elements each. Packets that start one write, those of one read; lbd
 * removes them when their connection is gone, which is never before they are old. Full: a new
 * connection is dropped.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct flow);
	__type(value, struct masquerade_record);
	__uint(max_entries, 2);
} masquerades SEC(".maps");

/* By port. lbd writes, packets that start a masqueraded connection read. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct masquerade_source);
	__uint(max_entries, MAX_PORTS);
} masquerade_sources SEC(".maps");

/* Packets that start a masqueraded connection alone, each CPU its own: it is too much for a stack.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct masquerade_work);
	__uint(max_entries, 1);
} masquerade_work SEC(".maps");

/*
 * Where the clients of services with affinity went last. Packets that start a connection write and
 * read. Full: the LRU evicts the clients that were looked up longest ago, who are balanced again.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct affinity_key);
	__type(value, union affinity);
	__uint(max_entries, 2);
} affinity SEC(".maps");

/*
 * Where clients' frames came from, each once however many connections it has. Packets write and
 * read, lbd frees what no connection names. Full: connections that find no room have no way back of
 * their own, their replies are the stack's to forward.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct way_back);
	__uint(max_entries, CLIENT_HOPS);
} client_hops SEC(".maps");

/*
 * By the ends that replies come from, while there is a limit of new connections, and those that
 * tunnels lead to, while some end here; else empty. lbd writes, packets read. Twice as long as
 * backends.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct end_key);
	__type(value, struct backend_end);
	__uint(max_entries, 2);
} backend_ends SEC(".maps");

/* By clients' hashes. Packets of a flood write and read; a later one takes an earlier one's place.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, union stateless_hop);
	__uint(max_entries, 2);
} stateless_hops SEC(".maps");

/*
 * Which clients' ends may have connections with an alias. Packets write and read; a mark stays
 * until it is older than any connection. One that two share costs a look in vain.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64); /* jiffies; 0: none */
	__uint(max_entries, ALIAS_MARKS);
} alias_marks SEC(".maps");

/*
 * Bits by the hashes of what is in services and backends: a packet whose bit is clear need not be
 * looked up, one whose bit is set may be somebody else's. lbd sets a bit before what it stands for
 * can be found, and clears it after the last such is gone; packets read.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 2);
} service_filter SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 2);
} backend_filter SEC(".maps");

/* The same by address alone, of both services and backends: for fragments, which have no ports. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 2);
} address_filter SEC(".maps");

/* The seed of hash_endpoint, for the next lbd: its program gets it as a constant. lbd alone. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 1);
} seed SEC(".maps");

/*
 * What the first fragment of a datagram says of the others. Packets write and read. Full: the one
 * that was used least recently gives way, and what still comes of its datagram waits in vain.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct fragment_key);
	__type(value, struct fragment);
	__uint(max_entries, 2);
} fragments SEC(".maps");

/*
 * What packets hand to lbd: fragments that come before their first. lbd reads. Full, as when no lbd
 * reads: nothing is handed over, and the packet is dropped.
 */
#define EVENTS_BYTES (1 << 20)

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, EVENTS_BYTES);
} events SEC(".maps");

/* lbd writes through mapped memory, packets read. lbd refuses a backend past the end. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct backend_record);
	__uint(max_entries, 2);
} backends SEC(".maps");

/* lbd writes through mapped memory, packets that start a connection read. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct ring_row);
	__uint(max_entries, 2);
} rings SEC(".maps");

/* lbd writes, a word at a time through mapped memory, packets read. As long as backends. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct nexthop);
	__uint(max_entries, 2);
} nexthops SEC(".maps");

/* lbd writes, packets read. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct port);
	__uint(max_entries, MAX_PORTS);
} ports SEC(".maps");

/* By ifindex. lbd writes; read by the first packet of a connection and when its way changes. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, struct ingress);
	__uint(max_entries, MAX_PORTS);
} ingresses SEC(".maps");

/* By ifindex. lbd writes; the kernel removes the entry of a device that goes. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
	__uint(max_entries, MAX_PORTS);
} transmit SEC(".maps");

/* Packets write, each CPU its own; lbd reads and, when an index gets a new owner, clears. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct counter);
	__uint(max_entries, _VERDICT_COUNT);
} verdict_counters SEC(".maps");

/* The same by service, of what has no backend. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct service_counter);
	__uint(max_entries, 2);
} service_counters SEC(".maps");

/*
 * The same by backend, one CPU's after another's: a per-CPU array would cost two cache misses a
 * packet instead of one. What a service has carried is the sum of its backends.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct traffic_counter);
	__uint(max_entries, 2);
} backend_counters SEC(".maps");

/* By service, what its backends that are gone had counted. lbd alone. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct traffic_counter);
	__uint(max_entries, 2);
} retired_counters SEC(".maps");

/*
 * By enum program. lbd writes when it has loaded them, over what an earlier lbd has left there;
 * packets read. It must be pinned: the kernel empties it when user space holds it no more, and then
 * the stack gets those packets.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
	__uint(max_entries, _PROGRAM_COUNT);
} programs SEC(".maps");

/* From the program that refuses a packet to the one that answers it. Packets alone. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct refused);
	__uint(max_entries, 1);
} refused SEC(".maps");

/* Packets that are answered with an ICMP error write and read, each CPU its own. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct error_budget);
	__uint(max_entries, 1);
} error_budget SEC(".maps");

/* One load of what others change meanwhile: never half of the old and half of the new. */
static __always_inline __u64 load_word(const __u64 *word)
{
	return *(const volatile __u64 *)word;
}

static __always_inline bool filter_has(void *filter, __u32 mask, __u64 hash)
{
	const __u32 bit = hash_bit(hash, mask);
	const __u32 index = bit / 64;
	const __u64 *word = bpf_map_lookup_elem(filter, &index);

	return word && *word >> bit % 64 & 1;
}

/* NULL is an unresolved one. */
static __always_inline struct nexthop load_nexthop(const struct nexthop *hop)
{
	return (struct nexthop){.word = hop ? load_word(&hop->word) : 0};
}

/* The index of the port that frames of this interface come in by; 0 where lbd has told none. */
static __always_inline __u32 ingress_index(__u32 ifindex)
{
	struct ingress *ingress = bpf_map_lookup_elem(&ingresses, &ifindex);

	return ingress ? ingress->port : 0;
}
