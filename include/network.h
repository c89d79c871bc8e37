/*
 * Whose addresses are: the map networks, as far as lbd knows. As include/abi.h, of which it is a
 * part.
 */
#pragma once

#include <linux/types.h>

enum network {
	NETWORK_NONE, /* somebody's outside */
	NETWORK_CLUSTER,
	NETWORK_NODE, /* this node's, or of a pod of it */
	_NETWORK_COUNT,
};

/* A prefix: bits in `length`, then the prefix as in struct address. */
struct network_key {
	__u32 length;
	__be32 address[4];
};

struct network_record {
	__u8 network; /* enum network */
	__u8 is_ipv6;
	__u8 zero[2];
};

#define MAX_NETWORKS 65536
