/*
 * Parting: a packet that this program is not for goes on in another one, from the start.
 */
#pragma once

#include "bpf/count.h"
#include "bpf/instruction.h"
#include "bpf/maps.h"
#include "bpf/packet.h"
#include "include/verdict.h"

/*
 * Does not come back: where there is no such program, the packet is the stack's. VERIFIER: this one
 * ends there, too, because no pointer into the packet is good after a tail call (6.12).
 */
static __always_inline enum verdict part(const struct packet *packet, enum program program)
{
	bpf_tail_call(packet->ctx, &programs, program);
	count_left(packet->ctx);
	end_program();
}
