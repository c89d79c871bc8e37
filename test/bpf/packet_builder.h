/*
 * Whole frames from a description: Ethernet with VLAN tags, IPv4 with options or IPv6, TCP, UDP or
 * SCTP, payload. What a test sends and what it expects are both built here, checksums always summed
 * over everything (RFC 1071): nothing is shared with include/checksum.h, which only ever adds
 * differences.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/if_ether.h>
#include "include/abi.h"

#define FRAME_MAX 16384     /* bytes */
#define IPV4_OPTIONS_MAX 40 /* bytes; RFC 791, 3.1 */
#define HOP_LIMIT 64        /* of packets as they are sent */

enum tcp_flags {
	FIN = 1 << 0,
	SYN = 1 << 1,
	RST = 1 << 2,
	PSH = 1 << 3,
	ACK = 1 << 4,
};

struct frame {
	size_t length;
	uint8_t bytes[FRAME_MAX];
};

enum udp_checksum {
	CHECKSUM_RIGHT,
	CHECKSUM_NONE, /* zero: the sender has not computed one (RFC 768) */
};

/* Numbers are in the host's order but for ports, which are as the tables hold them. */
struct blueprint {
	uint8_t to_mac[ETH_ALEN];
	uint8_t from_mac[ETH_ALEN];
	union tags tags;    /* all zero: none */
	struct address src; /* both IPv4-mapped, or both IPv6 */
	struct address dst;
	__be16 src_port;
	__be16 dst_port;
	uint8_t protocol; /* TCP, UDP, SCTP; of others only the payload follows */
	uint8_t hop_limit;
	uint8_t tcp_flags; /* enum tcp_flags */
	enum udp_checksum udp_checksum;
	uint16_t fragment;     /* IPv4: flags and offset as one word; IPv6: not used */
	size_t options_length; /* IPv4, a multiple of 4: a timestamp option and no-operations */
	size_t payload_length;
	uint16_t first_payload_word; /* chosen by tests that need a certain checksum */
	size_t padding_length;       /* behind the IP packet, as short Ethernet frames have it */
};

bool blueprint_is_ipv6(const struct blueprint *blueprint);
struct flow blueprint_flow(const struct blueprint *blueprint);
void frame_build(const struct blueprint *blueprint, struct frame *frame);
/* Where the network header begins, behind as many tags as the blueprint has. */
size_t blueprint_network(const struct blueprint *blueprint);

/*
 * Of an IP or transport checksum: one's complement of the one's complement sum, in network order.
 */
uint16_t checksum_of(const uint8_t *bytes, size_t length, uint32_t start);

/* Changes the length that IP states (IPv4: with its checksum) to what the frame holds. */
void frame_fit_length(struct frame *frame);
/* The IPv4 header's checksum, after a test has written into the header. */
void frame_fit_ipv4_checksum(struct frame *frame);
