/*
 * What the datapath and the kernel's DNAT (kernel.h) have made of the same packet.
 */
#pragma once

#include "test/model/restrict.h"

/* What came of a packet on the kernel's side. */
struct outcome {
	uint32_t count; /* of frames */
	struct frame frames[RESTRICT_PARTS];
};

/* A packet, which may be in parts, and what the datapath made of each. */
struct sent {
	uint32_t count;
	struct op_packet packets[RESTRICT_PARTS];
	enum verdict verdicts[RESTRICT_PARTS]; /* of the datapath */
	struct frame sent[RESTRICT_PARTS];
	struct frame left[RESTRICT_PARTS];
};

/* How the two are to each other; those that are not a difference are counted. */
#define LIKENESSES(_)                                                                              \
	_(DIFFERENT, "different")                                                                  \
	_(SAME, "the same frame leaves both")                                                      \
	_(SAME_BUT_SOURCE, "the same but for a router's address: the kernel hides it")             \
	_(NEITHER, "translated by neither: the stack's, answered by us, dropped")                  \
	_(OTHER_HOST, "replies to another MAC address: docs/decisions.md has why we take them")    \
	_(UNSPECIFIED, "from :: or the hairpin address: the kernel knows nothing against it")      \
	_(INVALID, "TCP flags that conntrack calls invalid: not translated")                       \
	_(EXTENSION, "IPv6 headers that we leave: AH, source routes, more than five, quoted ones") \
	_(NO_ERROR, "ICMP messages that are no errors to us: translated by the kernel")

enum likeness {
#define LIKENESS_MEMBER(name, text) LIKENESS_##name,
	LIKENESSES(LIKENESS_MEMBER)
#undef LIKENESS_MEMBER
		_LIKENESS_COUNT,
};

/* Of TCP and UDP. */
uint16_t transport_checksum(const struct op_segment *segment, const struct frame *frame);
const char *likeness_text(enum likeness likeness);
/*
 * *outcome and what has left are made alike where they may differ. *text: what differs; *which: the
 * part.
 */
enum likeness compare(struct sent *sent, struct outcome *outcome, uint32_t *which,
		      const char **text);
