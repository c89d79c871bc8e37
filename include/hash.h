/*
 * The hash that picks a slot of a ring, the same in the datapath and in what explains or tests it.
 * It must be even and cheap, not secret.
 */
#pragma once

#include "include/abi.h"

/* One round of multiply and fold; the constant is 2^64 divided by the golden ratio, made odd. */
static inline __attribute__((always_inline)) __u64 hash_mix(__u64 hash, __u64 value)
{
	hash = (hash ^ value) * 0x9E3779B97F4A7C15ull;
	return hash ^ (hash >> 32);
}

static inline __attribute__((always_inline)) __u64 hash_address(__u64 hash,
								const struct address *address)
{
	return hash_mix(hash_mix(hash, address->half[0]), address->half[1]);
}

/* Of all five values: a Maglev service spreads flows by it. */
static inline __attribute__((always_inline)) __u32 hash_flow(const struct flow *flow)
{
	__u64 hash = hash_address(0, &flow->src);

	hash = hash_address(hash, &flow->dst);
	hash = hash_mix(hash,
			(__u64)flow->src_port << 32 | (__u64)flow->dst_port << 16 | flow->protocol);
	return (__u32)hash_mix(hash, 0);
}

/* Of the client's address alone: source-hash keeps a client at one backend. */
static inline __attribute__((always_inline)) __u32 hash_client(const struct flow *flow)
{
	return (__u32)hash_mix(hash_address(0, &flow->src), 0);
}

/*
 * Of one end of a flow: finds its connection (bucket, entry, tag) and its place in a filter, each
 * from bits of its own. Clients choose their ports, so the seed is a secret of this node.
 */
static inline __attribute__((always_inline)) __u64
hash_endpoint(__u64 seed, const struct address *address, __be16 port, __u8 protocol)
{
	return hash_mix(hash_address(seed, address), (__u64)port << 8 | protocol);
}

/* What an address is of, whatever the port. */
enum address_role {
	ADDRESS_OF_SERVICE = 1,
	ADDRESS_OF_BACKEND,
};

/* Of an address alone: its place in the filter of addresses. */
static inline __attribute__((always_inline)) __u64
hash_role(__u64 seed, const struct address *address, enum address_role role)
{
	return hash_mix(hash_address(seed, address), role);
}

static inline __attribute__((always_inline)) __u16 hash_tag(__u64 hash)
{
	return (__u16)(hash >> 32);
}

/* Maps 32 even bits onto 0 … length - 1 without a division (Lemire, fast range reduction). */
static inline __attribute__((always_inline)) __u32 hash_slot(__u32 hash, __u32 length)
{
	return (__u32)(((__u64)hash * length) >> 32);
}

static inline __attribute__((always_inline)) __u32 hash_bucket(__u64 hash, __u32 count)
{
	return hash_slot((__u32)(hash >> 32), count);
}

/*
 * The place of an address in the filter of virtual addresses. Not seeded: whoever finds an address
 * that shares a place makes its packets cost a lookup, no more.
 */
static inline __attribute__((always_inline)) __u32 hash_virtual(const struct address *address)
{
	const __u64 hash = (address->half[0] ^ address->half[1]) * 0x9E3779B97F4A7C15ull;

	return (__u32)(hash >> (64 - VIRTUAL_FILTER_BITS));
}

/* The bit of a filter of mask + 1 bits, a power of two. */
static inline __attribute__((always_inline)) __u32 hash_bit(__u64 hash, __u32 mask)
{
	return (__u32)hash & mask;
}
