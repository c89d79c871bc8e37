/*
 * Fragments of whole frames: what a sender that cuts a datagram (RFC 791, 3.2; RFC 8200, 4.5) would
 * have sent in its place. The checksum of the transport stays that of the whole.
 */
#pragma once

#include "test/bpf/packet_builder.h"

#define FIRST_IDENTIFICATION 0xc0de
#define CUT_REST SIZE_MAX

/* Where IPv6's fragment header stands among others. */
enum cut_place {
	CUT_PLAIN,
	CUT_BEHIND_OPTIONS, /* after a header of hop by hop options */
	CUT_BEFORE_OPTIONS, /* the first piece begins with a header of destination options */
};

/* Which bytes of what IP carries, TCP's or UDP's header included. */
struct cut {
	size_t offset; /* a multiple of eight */
	size_t length; /* CUT_REST: all that is left, so that it is the last piece */
	uint32_t identification;
	enum cut_place place; /* IPv4: does not matter */
};

void frame_cut(const struct frame *whole, const struct cut *cut, struct frame *piece);
