/*
 * Incremental Internet checksums (RFC 1624): what changes in a packet is added to its checksum as a
 * difference, so the rest of the packet is never read. Sums are of 16-bit words in network order as
 * they lie in memory; one's complement addition does not care (RFC 1071, 2 (B)).
 */
#pragma once

#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include "include/abi.h"

/* A difference, not yet folded: each step adds at most 33 bits, so 64 never overflow. */
static __always_inline __u64 checksum_replace(__u64 difference, __u32 from, __u32 to)
{
	return difference + (__u32)~from + to;
}

/* IPv4-mapped addresses differ in the last word alone: the same code serves both families. */
static __always_inline __u64 checksum_replace_address(__u64 difference, const struct address *from,
						      const struct address *to)
{
	difference = checksum_replace(difference, from->word[0], to->word[0]);
	difference = checksum_replace(difference, from->word[1], to->word[1]);
	difference = checksum_replace(difference, from->word[2], to->word[2]);
	return checksum_replace(difference, from->word[3], to->word[3]);
}

/* HC' = ~(~HC + ~m + m'), RFC 1624, equation 3. */
static __always_inline __sum16 checksum_update(__sum16 checksum, __u64 difference)
{
	__u64 sum = difference + (__u16)~checksum;

	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}
