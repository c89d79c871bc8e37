/*
 * Makes of a TCP packet the reset that answers it (RFC 9293, 3.10.7.1), in its place: a sequence
 * number that the sender takes, no data. Whether there is to be one is asked in bpf/answer.h.
 */
#pragma once

#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include "bpf/answer_header.h"
#include "bpf/packet.h"

/* What the sequence numbers have advanced by: data, and a number for each of SYN and FIN. */
static __always_inline __u32 segment_length(const struct packet *packet)
{
	const struct tcphdr *tcp = packet->transport;
	const __u32 header = tcp->doff * 4;
	const __u32 data = packet->length > header ? packet->length - header : 0;

	return data + !!(packet->tcp_flags & TCP_SYN) + !!(packet->tcp_flags & TCP_FIN);
}

/* As words, of which the kernel's struct tcphdr makes bits. */
struct reset {
	__be16 source, dest;
	__be32 sequence, acknowledgment;
	__u8 length; /* of the header: 32-bit words, in the upper half */
	__u8 flags;
	__be16 window;
	__sum16 checksum;
	__be16 urgent;
};

static __always_inline struct reset reset_of(const struct packet *packet)
{
	const struct tcphdr *tcp = packet->transport;
	struct reset reset = {
		.source = packet->flow.dst_port,
		.dest = packet->flow.src_port,
		.length = sizeof(reset) / 4 << 4,
		.flags = TCP_RST,
	};

	if (packet->tcp_flags & TCP_ACK) {
		reset.sequence = tcp->ack_seq;
		return reset;
	}
	reset.flags |= TCP_ACK;
	reset.acknowledgment = bpf_htonl(bpf_ntohl(tcp->seq) + segment_length(packet));
	return reset;
}

/* False: there is no room for it, and the packet is of no use any more. */
static __always_inline bool write_reset(struct packet *packet)
{
	const __u64 link = link_length(packet);
	const __u32 bytes = link + ip_length(packet) + sizeof(struct reset);
	const struct tcphdr *tcp = packet->transport;
	struct reset reset, *place;
	__u64 sum;
	void *ip;

	if ((void *)(tcp + 1) > packet->end)
		return false; /* VERIFIER: does not know that it is TCP, which parse has checked
				 (6.18) */
	reset = reset_of(packet);
	swap_macs(packet->ethernet);
	if (!cut_frame(packet, bytes))
		return false;
	ip = (void *)(long)packet->ctx->data + link;
	place = write_ip(packet, ip, IPPROTO_TCP, sizeof(reset));
	if (!place || (void *)(place + 1) > (void *)(long)packet->ctx->data_end)
		return false;
	sum = sum_pseudo_header(packet, IPPROTO_TCP, sizeof(reset));
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&reset, sizeof(reset), sum);
	reset.checksum = ~checksum_fold(sum);
	*place = reset;
	return true;
}
