/*
 * The end of a walk: what its verdict means to the kernel where we do not send the packet
 * ourselves.
 */
#pragma once

#include "bpf/packet.h"
#include "include/verdict.h"

/*
 * Packets that had no room for it: the driver has no such area, or another program has filled it.
 * lbd reads. On a line of its own, because all CPUs write to it where a driver has none.
 */
volatile __u64 metadata_missing __attribute__((aligned(64))) = 0;

/* Of what we do not send ourselves. */
static __always_inline int keep(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_CONTINUE:
	case VERDICT_PASS_PROTOCOL:
	case VERDICT_PASS_MALFORMED:
	case VERDICT_PASS_FRAGMENT:
	case VERDICT_PASS_OTHER_HOST:
	case VERDICT_PASS_NO_SERVICE:
	case VERDICT_PASS_TAKEOVER:
	case VERDICT_PASS_HOP_LIMIT:
	case VERDICT_PASS_TOO_BIG:
	case VERDICT_PASS_UNRESOLVED:
	case VERDICT_PASS_BY_STACK:
	case VERDICT_TX:
	case VERDICT_REDIRECT:
		return HOOK_PASS;
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
	case _VERDICT_COUNT:
		return HOOK_DROP;
	}
	return HOOK_PASS;
}
