/*
 * Tunnels between nodes (--dsr): whose end here. As include/abi.h, of which it is a part.
 */
#pragma once

#include <linux/types.h>
#include "include/abi.h"

#define MAX_TUNNEL_SOURCES 16

/* A prefix of either family: an address is of it that is `prefix` under `mask`. */
struct tunnel_source {
	struct address prefix;
	struct address mask;
	__u32 is_ipv6;
	__u32 zero;
};

/* Those that packets may come from in tunnels that end here; none: none ends here. */
struct tunnel_sources {
	__u32 count;
	__u32 zero;
	struct tunnel_source of[MAX_TUNNEL_SOURCES];
};
