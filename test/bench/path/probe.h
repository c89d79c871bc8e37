/*
 * What the generator, the sinks and the loader agree on: the addresses of the benchmark's network
 * and the payload of its packets. make_rules.py writes the same plan.
 *
 *   client 172.16.0.0/12 ── c0 ── n0 node n1 ── b0 ── pods 10.128.0.0 + 0…4095
 *                              services 10.96.0.1 + s, UDP port 80
 *
 * Backend i of service s is number n = 5 s + i: pod n % 4096, port 8000 + n / 4096. So an address
 * and port tell whose backend they are, and a sink can say "right" without a table.
 */
#pragma once

#include <linux/types.h>

#define CLIENT_BASE 0xac100000u  /* 172.16.0.0 */
#define SERVICE_BASE 0x0a600001u /* 10.96.0.1 */
#define SERVICE_PORT 80
#define POD_BASE 0x0a800000u /* 10.128.0.0 */
#define PODS 4096
#define BACKEND_PORT 8000
#define BACKENDS 5 /* of each service */

#define FRAME_BYTES 64       /* the least, and what is read of longer ones */
#define MAX_FRAME_BYTES 1514 /* of an MTU of 1,500 */
#define PROBE_MAGIC 0x6c62700au

struct probe {
	__u32 magic;
	__u32 service; /* number, from 0 */
	__u64 flow;
};

/* Set by the loader before each run; read by every packet. */
struct generator_settings {
	__u64 next;      /* number of the next packet */
	__u64 flow_mask; /* flow = number & mask: all ones makes every packet a new flow */
	__u32 services;
	__u32 ifindex; /* the client's end of the link to the node */
	__u32 frame_bytes;
	__u8 dst_mac[6];
	__u8 src_mac[6];
};

enum sink_expect {
	EXPECT_SERVICE, /* nobody translates: the address is still the service's */
	EXPECT_BACKEND, /* a request, translated to a backend of its service */
	EXPECT_REPLY,   /* a reply, from its service to its client */
};

struct sink_settings {
	__u32 expect;    /* enum sink_expect */
	__u32 reflect;   /* send it back instead of dropping it */
	__u32 to_socket; /* leave it to the kernel's stack, at whose end it is counted */
	__u32 checksum;  /* verify both checksums: for the check before the timing */
};

struct tally {
	__u64 delivered;
	__u64 wrong;        /* not the address it should have */
	__u64 bad_checksum; /* counted beside delivered */
	__u64 backend[BACKENDS];
};
