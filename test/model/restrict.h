/*
 * Of generated sequences (generate.h) what the kernel's DNAT does as well: services with one plain
 * backend each, which stay as they are, and packets that no judgement of conntrack's own keeps from
 * being translated.
 */
#pragma once

#include "test/model/generate.h"

/* Why an operation is not played. */
#define OMISSIONS(_)                                                                               \
	_(NOTHING, "")                                                                             \
	_(TABLES, "changes of tables: rules of nftables let what they began go on")                \
	_(TIME, "time that passes: the kernel's would have to")                                    \
	_(TAGS, "in VLANs: to the kernel these are other interfaces")                              \
	_(FRAGMENT, "fragments: conntrack holds them until all have come")                         \
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
/* A packet may be changed into one that is sent. */
enum omission restrict_op(const struct generator *generator, struct op *op);
