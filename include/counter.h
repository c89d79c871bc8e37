/*
 * What the datapath counts, by verdict, service, backend and denied prefix: values of BPF maps, as
 * include/abi.h has the others.
 */
#pragma once

#include <linux/types.h>

struct counter {
	__u64 packets;
	__u64 bytes; /* of whole frames */
};

/* Of a service, what is not its backends'. */
struct service_counter {
	struct counter refused; /* packets that got no backend */
	__u64 turns;            /* of round robin */
	__u32 second;           /* jiffies: when it began */
	__u32 started;          /* connections since then */
};

/* Of one backend, or of all that a service has had. */
struct traffic_counter {
	struct counter request;
	struct counter reply;
	__u64 connections; /* made, not those alive */
};
