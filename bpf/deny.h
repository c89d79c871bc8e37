/*
 * Step deny: is the source of the packet denied? Asked before anything else, of every packet whose
 * IP header can be read, whatever it carries: fragments, other protocols, malformed packets too.
 * Only neighbour discovery goes on, as ARP does, which is not asked: without them nobody on the
 * link could reach what else the neighbour is good for.
 *
 * Ends with DROP_DENIED.
 */
#pragma once

#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include "bpf/maps.h"
#include "bpf/packet.h"
#include "bpf/tag.h"
#include "include/verdict.h"

/* ICMPv6 types of neighbour discovery (RFC 4861, 4). */
#define ND_FIRST 133 /* router solicitation */
#define ND_LAST 137  /* redirect */

/* How many prefixes there are, so that none cost nothing. lbd writes it: never 0 while one is. */
volatile __u32 denied_prefixes = 0;

static __always_inline bool is_neighbour_discovery(const struct ipv6hdr *ip, const void *end)
{
	const __u8 *type = (const __u8 *)(ip + 1);

	return ip->nexthdr == IPPROTO_ICMPV6 && (const void *)(type + 1) <= end &&
	       *type >= ND_FIRST && *type <= ND_LAST;
}

/* Right before the network header. struct ethhdr is packed: read a byte at a time. */
static __always_inline __be16 ethertype_of(const struct ethhdr *ethernet)
{
	return ((const __be16 *)(ethernet + 1))[-1];
}

/*
 * The packet's source as a key; false where it is not to be asked for. Reads for itself: a denied
 * packet need not be one that parse understands.
 */
static __always_inline bool read_source(struct hook_context *ctx, struct deny_key *key,
					bool *is_ipv6)
{
	const void *end = (const void *)(long)ctx->data_end;
	const struct ethhdr *ethernet = (const void *)(long)ctx->data;
	const struct ipv6hdr *ipv6;
	const struct iphdr *ipv4;

	/* As if it began so many bytes later, where it would without tags. */
	if ((const void *)(ethernet + 1) <= end && is_tag(ethertype_of(ethernet)))
		ethernet =
			(const void *)ethernet + tags_length((union tags){.word = read_tags(ctx)});
	ipv4 = (const void *)(ethernet + 1);
	ipv6 = (const void *)(ethernet + 1);
	if ((const void *)(ipv4 + 1) > end)
		return false;
	*is_ipv6 = ethertype_of(ethernet) == bpf_htons(ETH_P_IPV6);
	if (ethertype_of(ethernet) == bpf_htons(ETH_P_IP)) {
		key->address[2] = IPV4_MAPPED;
		key->address[3] = ipv4->saddr;
		return true;
	}
	if (!*is_ipv6 || (const void *)(ipv6 + 1) > end || is_neighbour_discovery(ipv6, end))
		return false;
	__builtin_memcpy(key->address, &ipv6->saddr, sizeof(key->address));
	return true;
}

/*
 * The counter of the prefix that denies a source; 0: none does. ::/0 and its like hold the mapped
 * form of IPv4 addresses, too, and do not mean them.
 */
static __always_inline __u32 counter_of_denied(const struct deny_key *key, bool is_ipv6)
{
	const struct denied *denied = bpf_map_lookup_elem(&deny, key);

	return denied && denied->is_ipv6 == is_ipv6 ? denied->counter : 0;
}

/*
 * Of the packet's source. A global function: verified once, and out of the way of packets while
 * nothing is denied.
 */
__noinline int find_denied(struct hook_context *ctx)
{
	struct deny_key key = {.length = 8 * sizeof(key.address)};
	bool is_ipv6;

	if (!read_source(ctx, &key, &is_ipv6))
		return 0;
	return counter_of_denied(&key, is_ipv6);
}
