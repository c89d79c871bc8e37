/*
 * What the wrapper program and its loader share: the frame as words, and how a number becomes a
 * flow.
 */
#pragma once

#define FRAME_BYTES 80 /* of every frame of a flow; headers take 78 at most */
#define FRAME_WORDS 8  /* of eight bytes, from the network header on */
#define FIXED_BYTES                                                                                \
	112 /* of frames that are always the same; headers and what ICMPv6 quotes: 110 */
#define FIXED_WORDS 12

/* Flow number n: so many ports of one client's address, then the next address. */
#define FIRST_CLIENT 0x64400000u /* last word of the address: 100.64.0.0 (RFC 6598) */
#define FIRST_CLIENT_PORT 16384
#define ALIASED_CLIENT                                                                             \
	(FIRST_CLIENT - 1) /* who has aliases, and no flow: others take no notice                  \
			    */
#define PORTS_PER_CLIENT 4096

/*
 * Suspect n is a client of flow number n alone, the first of 256 addresses (last word) that a
 * denied prefix holds. The next 256 are of nobody denied: who comes from there is looked for as
 * deep.
 */
#define SUSPECT(n) (0x0a000000u + 512u * (n))
#define BESIDE_SUSPECT(n) (SUSPECT(n) + 256u)
