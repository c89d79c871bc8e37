/*
 * Fills a service's ring: an array whose slots hold indexes of backends in proportion to their
 * weights. Maglev hashing (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load
 * Balancer", NSDI 2016, 3.4), with weights as turns; or, for round robin, interleaved turns.
 */
#pragma once

#include <stddef.h>
#include "include/abi.h"

struct ring_member {
	struct address address;
	__be16 port;
	__u16 weight;  /* above 0 */
	__u32 backend; /* what its slots will hold: an index in the map backends */
};

/*
 * The number of slots for members of these weights: at least ten for the lightest share where that
 * fits RING_LENGTH_MAX, so that the default spread stays within 10% of fair. A prime of the list in
 * maglev.c (the paper's permutations need one); 1 for one member, 0 for none.
 */
#define RING_LENGTH_MAX 65521
__u32 maglev_length(const struct ring_member *members, size_t count);

/*
 * Fills length slots; `length` is a prime or 1. The result depends on the members' addresses, ports
 * and weights alone, not on their order or indexes, so every node (of one byte order) agrees on it.
 * No address and port may occur twice. A member of a vanishing share still gets a slot while there
 * are more slots than members. 0 or -ENOMEM; `slots` is untouched on error.
 */
int maglev_fill(const struct ring_member *members, size_t count, __u32 length, __u32 *slots);

/*
 * Round robin: the length is the sum of the weights divided by their greatest common divisor, at
 * most RING_LENGTH_MAX (heavier sums are scaled, each member keeping a slot); turns are interleaved
 * (a, b, a, c, not a, a, b, c), also where the end of the ring meets its start. `length` must be
 * what interleave_length gave. 0 or -ENOMEM; `slots` is untouched on error.
 */
__u32 interleave_length(const struct ring_member *members, size_t count);
int interleave_fill(const struct ring_member *members, size_t count, __u32 length, __u32 *slots);
