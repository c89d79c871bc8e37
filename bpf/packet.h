/*
 * A packet on its walk: the facts that parse finds, what the steps decide, and nothing of how. The
 * one file that knows the kernel's context (an xdp_md); everything after it sees only this.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "include/abi.h"

enum tcp_flag {
	TCP_FIN = 1 << 0,
	TCP_SYN = 1 << 1,
	TCP_RST = 1 << 2,
	TCP_ACK = 1 << 4,
};

struct packet {
	/* Facts. Headers point into the packet; what they point at was checked to be there. */
	struct xdp_md *ctx;
	void *end;
	struct ethhdr *ethernet;
	void *network;     /* struct iphdr, or struct ipv6hdr where is_ipv6 */
	void *transport;   /* struct tcphdr or struct udphdr: both begin with the ports */
	__sum16 *checksum; /* of the transport */
	struct flow flow;
	__u32 bytes; /* of the frame, fragments (xdp.frags) included */
	bool is_ipv6;
	__u8 hop_limit;
	__u8 tcp_flags; /* enum tcp_flag; 0 of UDP */

	/* Decisions. */
	__u64 now_ns;
	struct connection *known; /* the entry of its flow, even an expired one; NULL: none */
	__u32 service;            /* id; 0: not of a service */
	__u32 backend;            /* index */
	bool is_new;              /* it starts a connection */
	__u8 direction;           /* enum direction */
	struct address
		translation; /* of a request the new destination, of a reply the new source */
	__be16 translation_port;
	bool is_hairpin;     /* the other end changes too: connection_is_hairpin */
	struct nexthop hop;  /* port 0: unresolved */
	struct port *egress; /* NULL: the stack forwards it */
};

static __always_inline void packet_init(struct packet *packet, struct xdp_md *ctx)
{
	packet->ctx = ctx;
	packet->end = (void *)(long)ctx->data_end;
	packet->ethernet = (void *)(long)ctx->data;
	packet->bytes = bpf_xdp_get_buff_len(ctx);
}

static __always_inline __u32 packet_ingress(const struct packet *packet)
{
	return packet->ctx->ingress_ifindex;
}

/*
 * Halves, because a frame's addresses lie on even offsets; byte by byte is what memcpy would
 * become.
 */
static __always_inline void copy_mac(__u8 *to, const __u8 *from)
{
	const __u16 *source = (const __u16 *)from;
	__u16 *target = (__u16 *)to;

	target[0] = source[0];
	target[1] = source[1];
	target[2] = source[2];
}
