/*
 * A packet on its walk: the facts that parse finds, what the steps decide, and nothing of how. The
 * hook (hook_xdp.h, or another one) that an object has included before knows the kernel's context;
 * everything after this sees only this.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "include/abi.h"

#define IPV4_MAPPED bpf_htonl(0xffff)       /* word 2 of ::ffff:a.b.c.d */
#define IPV4_UNFRAGMENTED bpf_htons(0x4000) /* don't fragment (RFC 791, 3.1) */

/* The time to live is the high byte of its 16-bit word: this is what one hop less changes. */
#define HOP_CHANGE ((__u16)~bpf_htons(1 << 8))

/* Of IPv4's flags and offset of a fragment (RFC 791, 3.1). */
#define IPV4_OFFSET bpf_htons(0x1fff)
#define IPV4_FRAGMENT bpf_htons(0x3fff) /* more fragments, or an offset */

/* Which piece of a datagram a packet is, as IPv6's fragment header says it (RFC 8200, 4.5). */
#define FRAGMENT_MORE 1        /* others lie behind it */
#define FRAGMENT_OFFSET 0xfff8 /* in bytes; the first has 0, and the ports */

enum tcp_flag {
	TCP_FIN = 1 << 0,
	TCP_SYN = 1 << 1,
	TCP_RST = 1 << 2,
	TCP_ACK = 1 << 4,
};

/*
 * How both versions of ICMP begin (RFC 792; RFC 4443, 2.1). The kernel's linux/icmp.h draws in the
 * C library's headers, which are not there for this target.
 */
struct icmp {
	__u8 type; /* enum icmpv4_type, enum icmpv6_type */
	__u8 code;
	__sum16 checksum;
	__be32 rest; /* by type; of an echo: identifier and sequence number */
};

/* RFC 9260, 3.1. */
struct sctp_header {
	__be16 source;
	__be16 dest;
	__be32 verification_tag;
	__le32 checksum;
};

enum icmpv4_type {
	ICMPV4_ECHO_REPLY = 0,
	ICMPV4_UNREACHABLE = 3,
	ICMPV4_ECHO = 8,
	ICMPV4_TIME_EXCEEDED = 11,
	ICMPV4_PARAMETER_PROBLEM = 12,
};

enum icmpv6_type {
	ICMPV6_UNREACHABLE = 1,
	ICMPV6_PACKET_TOO_BIG,
	ICMPV6_TIME_EXCEEDED,
	ICMPV6_PARAMETER_PROBLEM,
	ICMPV6_ECHO = 128,
	ICMPV6_ECHO_REPLY,
};

#define MAX_HEADER_OFFSET 16384 /* what the verifier is told of any header's */

struct packet {
	/* Facts. Headers point into the packet; what they point at was checked to be there. */
	struct hook_context *ctx;
	void *end;
	struct ethhdr *ethernet;
	void *network;     /* struct iphdr, or struct ipv6hdr where is_ipv6 */
	void *transport;   /* TCP's, UDP's or SCTP's, which begin with the ports; or struct icmp */
	__sum16 *checksum; /* of the transport; NULL: SCTP's, or not in this fragment */
	struct flow flow; /* of an ICMP error, once it was read: that of what it quotes, reversed */
	__u32 bytes;     /* of the frame, or of its first piece (xdp.frags) where no more is IP's */
	__u32 length;    /* of an ICMP message or, of what is rare, a TCP segment, as IP says */
	union tags tags; /* the VLAN tags it came with */
	bool is_ipv6;
	/* Constants of each program: it is for ICMP (of the packet's family), for what is rare. */
	bool is_icmp;
	bool is_rare;
	__u8 hop_limit;
	__u8 tcp_flags; /* enum tcp_flag; 0 of UDP */
	__u16 fragment; /* FRAGMENT_MORE, FRAGMENT_OFFSET; 0: it is whole, as all are but rare ones
			 */
	__u16 transport_at; /* while the pointers are let go */
	__u16 checksum_at;
	__be32 identification; /* of a fragment's datagram */

	/* Decisions. */
	__be16 other_port;        /* what the client's port becomes; 0: it stays (no alias) */
	__u32 now;                /* jiffies */
	__u64 client_hash;        /* of the flow's source */
	struct connection *known; /* the entry of its flow, even an expired one; NULL: none */
	__u64 known_head;         /* and its head */
	bool has_siblings;        /* the client's port may have other connections */
	bool is_new;              /* it starts a connection */
	bool is_hairpin;          /* client and backend are one: both ends change */
	__u8 direction;           /* enum direction */
	__u32 service;            /* id; 0: not of a service */
	const struct backend_record *backend; /* NULL: none */
	struct nexthop hop;                   /* port 0: unresolved */
	struct port *egress;                  /* NULL: the stack forwards it */
	union tags out;                       /* the VLAN tags that it leaves with */
};

/*
 * The packet that an ICMP error is about, of which it quotes the first bytes. Apart from struct
 * packet, which every packet has to clear.
 */
struct quote {
	void *network;           /* struct iphdr or struct ipv6hdr */
	struct udphdr *ports;    /* or TCP's */
	__sum16 *checksum;       /* NULL: was not quoted */
	struct address reporter; /* who has sent the error */
	/* As what packets of the connection come the other way, if it is masqueraded; else NULL. */
	const struct flow *other;
};

static __always_inline void packet_init(struct packet *packet, struct hook_context *ctx,
					bool is_rare)
{
	hook_begin(ctx);
	packet->ctx = ctx;
	packet->end = (void *)(long)ctx->data_end;
	packet->ethernet = (void *)(long)ctx->data;
	packet->is_rare = is_rare;
	packet->bytes = first_length(ctx, is_rare);
}

/* Whether this program is one of those that know what few packets have. */
static __always_inline bool knows_rare(const struct packet *packet)
{
	return packet->is_rare || packet->is_icmp;
}

/* It has neither ports nor checksum, and says nothing of its connection. */
static __always_inline bool is_later_fragment(const struct packet *packet)
{
	return packet->fragment & FRAGMENT_OFFSET;
}

/*
 * VERIFIER: between reading a packet and writing it nothing looks at its headers, but where they
 * were found (after which extension headers, TCP's or UDP's, of a fragment none) makes a case of
 * its own, for which all steps are verified anew. Where there are many such cases, they are kept as
 * numbers meanwhile, of which the verifier knows nothing.
 */
static __always_inline void let_headers_go(struct packet *packet)
{
	const void *start = packet->ethernet;

	packet->transport_at = packet->transport - start;
	packet->checksum_at = packet->checksum ? (const void *)packet->checksum - start : 0;
	packet->transport = NULL;
	packet->checksum = NULL;
}

/* False: never. */
static __always_inline bool take_headers_up(struct packet *packet)
{
	void *start = packet->ethernet;

	if (!packet->checksum_at)
		return true; /* a fragment after the first */
	if (packet->transport_at > MAX_HEADER_OFFSET || packet->checksum_at > MAX_HEADER_OFFSET)
		return false;
	packet->transport = start + packet->transport_at;
	packet->checksum = start + packet->checksum_at;
	return packet->transport + sizeof(struct udphdr) <= packet->end &&
	       (void *)(packet->checksum + 1) <= packet->end;
}

static __always_inline __u32 packet_ingress(const struct packet *packet)
{
	return packet->ctx->ingress_ifindex;
}

/* Does it open a connection of TCP? With ACK it would answer one that does. */
static __always_inline bool is_opening(const struct packet *packet)
{
	return (packet->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* Written as it will be read, in halves: the processor need not wait for two stores to meet. */
static __always_inline struct address map_ipv4(__be32 address)
{
	const struct address mapped = {.word = {[2] = IPV4_MAPPED, [3] = address}};

	return (struct address){.half = {0, mapped.half[1]}};
}

/*
 * In a real IPv6 header such an address would pass for an IPv4 one (RFC 4942, 2.2). The compiler is
 * told that the word decides, or it works out both before it branches. VERIFIER: the word, because
 * it learns nothing from that it is another; of a half that is not zero it makes a case of its own.
 */
static __always_inline bool is_mapped(const struct address *address)
{
	return __builtin_expect(address->word[2] == IPV4_MAPPED, 0) && !address->half[0];
}

/*
 * MAC addresses as a word and a half one: byte by byte is what memcpy and memcmp would become. They
 * begin at even offsets of frames and at the start of records.
 */
typedef __u32 __attribute__((may_alias)) mac_word;
typedef __u16 __attribute__((may_alias)) mac_half;

static __always_inline bool is_same_mac(const __u8 *a, const __u8 *b)
{
	return !((*(const mac_word *)a ^ *(const mac_word *)b) |
		 (*(const mac_half *)(a + 4) ^ *(const mac_half *)(b + 4)));
}

static __always_inline void copy_mac(__u8 *to, const __u8 *from)
{
	*(mac_word *)to = *(const mac_word *)from;
	*(mac_half *)(to + 4) = *(const mac_half *)(from + 4);
}
