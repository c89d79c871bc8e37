/*
 * ICMP and ICMPv6 errors as whole frames. As in packet_builder.h checksums are summed over
 * everything.
 */
#pragma once

#include "test/bpf/packet_builder.h"

#define QUOTE_WHOLE SIZE_MAX

/* Whose error it is, on its way, about which packet and how much of that is quoted. */
struct icmp_error {
	struct blueprint envelope; /* ports and payload are not used */
	uint8_t type;
	uint8_t code;
	uint32_t rest; /* of the header: an MTU, a pointer */
	struct blueprint quoted;
	size_t quote_length; /* from its IP header on */
};

/* An echo request or its answer: identifier and sequence number, then data. */
struct icmp_echo {
	struct blueprint envelope;
	uint8_t type;
	size_t data_length;
};

void frame_build_echo(const struct icmp_echo *echo, struct frame *frame);

void frame_build_error(const struct icmp_error *error, struct frame *frame);
