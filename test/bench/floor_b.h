/*
 * What floor B and its loader share.
 */
#pragma once

#include <linux/types.h>

struct floor_service_key {
	__be32 address;
	__be16 port;
	__u8 protocol;
	__u8 zero;
};

struct floor_service {
	__be32 first_backend; /* its backends have consecutive addresses */
	__u32 backend_count;
	__be16 port; /* of its backends */
	__u8 zero[2];
};

struct floor_flow {
	__be32 src;
	__be32 dst;
	__be16 src_port;
	__be16 dst_port;
	__u8 protocol;
	__u8 zero[3];
};

struct floor_connection {
	__be32 address; /* the backend's */
	__be16 port;
	__u8 zero[2];
	__u64 spare; /* sixteen bytes, as the floor was always measured */
};
