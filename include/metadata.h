/*
 * What lies in front of a packet that lbd's programs pass to the kernel's stack, with `--metadata`:
 * why it passes, and of which service it is. For programs behind ours: tc's on the interface the
 * packet came in by find it at data_meta. docs/metadata.md says how to use it.
 *
 * Packets of one connection carry the same bytes, because GRO does not put together those that do
 * not (skb_metadata_differs in the kernel): nothing may be added that differs between them.
 */
#pragma once

#include <linux/types.h>
#include "include/verdict.h"

/* "lbm" and the version of the layout. */
#define METADATA_MAGIC 0x6c626d01

/* What verdicts have in common for whoever comes next. */
enum metadata_class {
	METADATA_NONE,       /* not of a packet that is passed */
	METADATA_NOT_OURS,   /* of no service: nothing of ours to do */
	METADATA_NOT_READ,   /* malformed, or a fragment: whose it is cannot be told */
	METADATA_TO_ANSWER,  /* of a service, as it was sent: the stack is to answer its sender */
	METADATA_TRANSLATED, /* of a service, translated: the stack is to send it on */
	_METADATA_CLASS_COUNT,
};

/* Numbers are in the host's order. A multiple of four bytes, as the kernel wants it. */
struct metadata {
	__u32 magic;  /* METADATA_MAGIC */
	__u8 class;   /* enum metadata_class */
	__u8 verdict; /* enum verdict: the reason itself */
	__u8 zero[2];
	__u32 service; /* its id, as `lbctl -o json service list` tells it; 0: of none we know */
};

static inline enum metadata_class metadata_class_of(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_PASS_PROTOCOL:
	case VERDICT_PASS_OTHER_HOST:
	case VERDICT_PASS_NO_SERVICE:
	case VERDICT_PASS_TAKEOVER:
		return METADATA_NOT_OURS;
	case VERDICT_PASS_MALFORMED:
	case VERDICT_PASS_FRAGMENT:
		return METADATA_NOT_READ;
	case VERDICT_PASS_HOP_LIMIT:
	case VERDICT_PASS_TOO_BIG:
		return METADATA_TO_ANSWER;
	case VERDICT_PASS_UNRESOLVED:
	case VERDICT_PASS_BY_STACK:
		return METADATA_TRANSLATED;
	case VERDICT_CONTINUE:
	case VERDICT_DROP_NO_BACKEND:
	case VERDICT_DROP_BACKEND_GONE:
	case VERDICT_DROP_COLLISION:
	case VERDICT_DROP_TABLE:
	case VERDICT_DROP_MARTIAN:
	case VERDICT_DROP_SOURCE_RANGE:
	case VERDICT_DROP_DENIED:
	case VERDICT_ANSWER_RESET:
	case VERDICT_ANSWER_UNREACHABLE:
	case VERDICT_DROP_RATE_LIMITED:
	case VERDICT_ANSWER_TOO_BIG:
	case VERDICT_DROP_FRAGMENT:
	case VERDICT_DROP_FRAGMENT_HELD:
	case VERDICT_DROP_FRAGMENT_EARLY:
	case VERDICT_ANSWER_ECHO:
	case VERDICT_DROP_NOT_SERVED:
	case VERDICT_DROP_UNSERVED:
	case VERDICT_DROP_MASQUERADE:
	case VERDICT_TX:
	case VERDICT_REDIRECT:
	case _VERDICT_COUNT:
		return METADATA_NONE;
	}
	return METADATA_NONE;
}
