/*
 * What we answer a frame with, as whole frames. As in packet_builder.h checksums are summed over
 * everything, and bytes are written as the RFCs draw them.
 */
#pragma once

#include "test/bpf/packet_builder.h"

/* The frame that is answered, and where its headers lie. */
struct refused_frame {
	const struct frame *frame;
	size_t network;
	size_t transport;
	size_t linear; /* bytes in the first buffer, which alone can be quoted */
	uint32_t mtu;  /* that it was too big for, where that is why */
};

struct icmp_words {
	uint8_t type;
	uint8_t code;
	uint32_t rest;
};

/* RFC 9293, 3.10.7.1 */
void frame_build_reset(const struct refused_frame *refused, struct frame *answer);
/* RFC 1812, 4.3.2; RFC 4443, 2.4 and 3 */
void frame_build_complaint(const struct refused_frame *refused, const struct icmp_words *words,
			   struct frame *answer);
/* RFC 792; RFC 4443, 4.2: of an echo request. */
void frame_build_echo_reply(const struct refused_frame *asked, struct frame *answer);
