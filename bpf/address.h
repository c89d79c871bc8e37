/*
 * Is an address virtual: one of services, and none of the node's own? A filter in the program's
 * memory tells most packets that it is not, in a few instructions; the map `addresses` knows.
 */
#pragma once

#include "bpf/maps.h"
#include "bpf/packet.h"
#include "include/hash.h"

/* lbd sets a bit before the address is in the map, and clears it after the last such is gone. */
volatile __u64 virtual_filter[VIRTUAL_FILTER_WORDS];

static __always_inline bool may_be_virtual(const struct address *address)
{
	const __u32 bit = hash_address_bit(address);

	return virtual_filter[bit / 64] >> bit % 64 & 1;
}

static __always_inline bool is_virtual(const struct address *address)
{
	return bpf_map_lookup_elem(&addresses, address);
}
