/*
 * Parting: a packet that this program is not for goes on in another one, from the start.
 */
#pragma once

#include "bpf/maps.h"
#include "bpf/packet.h"
#include "include/verdict.h"

/* Does not come back, unless there is no such program. */
static __always_inline enum verdict part(const struct packet *packet, enum program program)
{
	bpf_tail_call(packet->ctx, &programs, program);
	return VERDICT_PASS_PROTOCOL;
}
