/*
 * Incremental Internet checksums (RFC 1624): what changes in a packet is added to its checksum as a
 * difference, so the rest of the packet is never read. Sums are of 16-bit words in network order as
 * they lie in memory; one's complement addition does not care (RFC 1071, 2 (B)). lbd works out what
 * is the same for all packets to a backend, the datapath does the rest.
 */
#pragma once

#include "include/abi.h"

/* A difference, not yet folded: each step adds at most 33 bits, so 64 never overflow. */
static inline __attribute__((always_inline)) __u64 checksum_replace(__u64 difference, __u32 from,
								    __u32 to)
{
	return difference + (__u32)~from + to;
}

/* IPv4-mapped addresses differ in the last word alone: the same code serves both families. */
static inline __attribute__((always_inline)) __u64
checksum_replace_address(__u64 difference, const struct address *from, const struct address *to)
{
	for (int i = 0; i < 4; i++)
		difference = checksum_replace(difference, from->word[i], to->word[i]);
	return difference;
}

static inline __attribute__((always_inline)) __u16 checksum_fold(__u64 difference)
{
	difference = (difference & 0xffffffff) + (difference >> 32);
	difference = (difference & 0xffffffff) + (difference >> 32);
	difference = (difference & 0xffff) + (difference >> 16);
	return (__u16)((difference & 0xffff) + (difference >> 16));
}

/* HC' = ~(~HC + ~m + m'), RFC 1624, equation 3; the change is a sum of a few folded ones. */
static inline __attribute__((always_inline)) __u16 checksum_update(__u16 checksum, __u32 change)
{
	__u32 sum = (__u16)~checksum + change;

	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16) ~(sum + (sum >> 16));
}
