/*
 * What the wrapper program and its loader share: the frame as words, and how a number becomes a
 * flow.
 */
#pragma once

#define FRAME_BYTES 80 /* of every frame that is timed; headers take 78 at most */
#define FRAME_WORDS 8  /* of eight bytes, from the network header on */

/* Flow number n: so many ports of one client's address, then the next address. */
#define FIRST_CLIENT 0x64400000u /* last word of the address: 100.64.0.0 (RFC 6598) */
#define FIRST_CLIENT_PORT 16384
#define PORTS_PER_CLIENT 4096
