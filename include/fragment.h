/*
 * What the entries of the map fragments mean. The datapath acts on it, lbd waits by it, so both
 * compile this.
 */
#pragma once

#include <stdbool.h>
#include "include/abi.h"

/*
 * Identifications come again (IPv4 has 65,536 for each pair of addresses): an older entry is of
 * another datagram. One of 64 KiB takes no longer at 100 kbit/s.
 */
#define FRAGMENT_SECONDS 5

/* Of the coarse clock, which never shows a reader less than what it has shown the writer. */
static inline __attribute__((always_inline)) __u16 fragment_second(__u64 clock_ns)
{
	return (__u16)(clock_ns / 1000000000);
}

static inline __attribute__((always_inline)) bool fragment_is_over(const struct fragment *first,
								   __u16 now)
{
	return (__u16)(now - first->second) > FRAGMENT_SECONDS;
}
