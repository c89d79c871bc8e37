/*
 * Of generated sequences (generate.h) what the kernel's DNAT does as well: services with one plain
 * backend each, which stay as they are, and packets that no judgement of conntrack's own keeps from
 * being translated.
 */
#pragma once

#include "test/model/generate.h"

#define RESTRICT_PARTS GENERATOR_PARTS

/* Why an operation is not played. */
#define OMISSIONS(_)                                                                               \
	_(NOTHING, "")                                                                             \
	_(TABLES, "changes of tables: rules of nftables let what they began go on")                \
	_(TIME, "time that passes: the kernel's would have to")                                    \
	_(TAGS, "in VLANs: to the kernel these are other interfaces")                              \
	_(FRAGMENT,                                                                                \
	  "fragments but whole packets in order: conntrack holds them until all have come")        \
	_(HOP_BY_HOP,                                                                              \
	  "hop-by-hop options that a router reads: the kernel drops more than padding")            \
	_(HAIRPIN, "from the hairpin address to a service: its ports are those of hairpins")       \
	_(TOO_LARGE, "larger than the link they come by")

enum omission {
#define OMISSION_MEMBER(name, text) OMIT_##name,
	OMISSIONS(OMISSION_MEMBER)
#undef OMISSION_MEMBER
		_OMISSION_COUNT,
};

const char *omission_text(enum omission omission);
/* To an address of a service. */
bool is_request(const struct op_segment *segment);
/* IPv6 headers that we leave to the stack: AH, source routes, more than a few. */
bool has_left_header(const struct op_segment *segment);
/* Changes what the generator has chosen, and begins a sequence by offering its services. */
void restrict_begin(struct generator *generator, struct sequence *sequence);
/*
 * A packet may be changed into one that is sent. One in parts is sent in all of them (*count), in
 * order: conntrack would keep them until the last has come.
 */
enum omission restrict_op(struct generator *generator, const struct op *op,
			  struct op_packet packets[RESTRICT_PARTS], uint32_t *count);
