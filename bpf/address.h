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
__noinline int may_be_virtual(const struct address *address)
{
	if (!address)
		return false; /* VERIFIER: a global function's pointers may be NULL */
	return virtual_filter[hash_virtual(address)];
}

static __always_inline bool is_virtual(const struct address *address)
{
	return bpf_map_lookup_elem(&addresses, address);
}
