/*
 * Is an address virtual: one of services, and none of the node's own? A filter in the program's
 * memory tells most packets that it is not, in a few instructions; the map `addresses` knows.
 */
#pragma once

#include "bpf/maps.h"
#include "bpf/packet.h"
#include "include/hash.h"

/*
 * How many virtual addresses there are whose hash leads here (255: no longer counted). A byte, not
 * a bit: half the instructions. lbd counts one before it is in the map, and takes it off after it
 * is gone.
 */
volatile __u8 virtual_filter[1 << VIRTUAL_FILTER_BITS];

/*
 * A global function: of where it looks the verifier wants to know the bounds, and would tell apart
 * all that it knows of the address, back to where the walk began.
 */
__noinline int may_be_virtual_address(__u64 first, __u64 second)
{
	const struct address address = {.half = {first, second}};

	return virtual_filter[hash_virtual(&address)];
}

static __always_inline bool may_be_virtual(const struct address *address)
{
	return may_be_virtual_address(address->half[0], address->half[1]);
}

static __always_inline bool is_virtual(const struct address *address)
{
	return bpf_map_lookup_elem(&addresses, address);
}
