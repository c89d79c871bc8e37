/*
 * The tables of the datapath. Sizes are the least that loads; lbd sets them from its options before
 * loading. Each map says who writes it, who reads it and what happens when it is full.
 */
#pragma once

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "include/abi.h"
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
 * Packets write and read, lbd sweeps what has expired. Full: the LRU evicts what was not looked up
 * longest. Written only after a miss, otherwise through the pointer: updating an existing key of a
 * full LRU map evicts strangers (kernel/bpf/hashtab.c, htab_lru_map_update_elem).
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct flow);
	__type(value, struct connection);
	__uint(max_entries, 2);
} connections SEC(".maps");

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

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct traffic_counter);
	__uint(max_entries, 2);
} service_counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct traffic_counter);
	__uint(max_entries, 2);
} backend_counters SEC(".maps");

/* One load: never half of an old next hop and half of a new one. NULL is an unresolved one. */
static __always_inline struct nexthop load_nexthop(const struct nexthop *hop)
{
	__u64 word = hop ? *(const volatile __u64 *)hop : 0;
	struct nexthop copy;

	__builtin_memcpy(&copy, &word, sizeof(copy));
	return copy;
}

/* The index of the port that frames of this interface come in by; 0 where lbd has told none. */
static __always_inline __u32 ingress_index(__u32 ifindex)
{
	struct ingress *ingress = bpf_map_lookup_elem(&ingresses, &ifindex);

	return ingress ? ingress->port : 0;
}
