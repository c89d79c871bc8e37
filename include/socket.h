/*
 * What is noted of sockets of this node: the values of the maps that the programs for sockets alone
 * have. They lie in what is pinned, so what abi.h says of changes holds for them.
 */
#pragma once

#include "include/abi.h"

/* Where a socket of this node was led instead of to the service that it asked for. */
struct socket_lead {
	struct address service_address;
	struct address backend_address;
	__be16 service_port;
	__be16 backend_port;
	__u32 backend; /* handle; 0: nowhere */
	__u32 last;    /* jiffies when something was last sent; of connected ones, connect() */
	__u32 zero;
};

/*
 * What a UDP socket that is not connected remembers: as many services and backends as it was led
 * to; one more takes the place of the one that has been there longest.
 */
#define SOCKET_LEADS 16 /* a power of two */

struct socket_leads {
	__u32 count; /* of all that there have been; the next is this one, modulo SOCKET_LEADS */
	__u32 zero;
	struct socket_lead to[SOCKET_LEADS];
};

/* A connected UDP socket, by its cookie: it hears of nothing when its backend goes. */
struct udp_socket {
	__u64 namespace; /* the network's cookie */
	__u32 backend;   /* handle */
	__u32 zero;
};

#define MAX_UDP_SOCKETS 65536
