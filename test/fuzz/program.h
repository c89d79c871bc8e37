/*
 * The parts of the target `program`: what of the input becomes tables, what packets, and what must
 * be true of them.
 */
#pragma once

#include "test/fuzz/native/native.h"

/* What is left of the input; behind its end there are zeros. */
struct input {
	const uint8_t *at, *end;
};

static inline uint8_t take(struct input *input)
{
	return input->at < input->end ? *input->at++ : 0;
}

/* Interfaces of the node, and one that lbd knows nothing of. */
#define UPLINK_IFINDEX 11
#define POD_IFINDEX 12
#define UNKNOWN_IFINDEX 13

/* Knobs, ports, next hops and services, as lbd would have written them. */
void tables_fill(struct input *input);
/* One of them changes. */
void tables_change(struct input *input);

/* A packet from somebody to somebody, in any state; and what the kernel says meanwhile. */
void packet_make(struct input *input, struct native_packet *packet);

/* Runs it, and judges what has become of it. */
void packet_play(native_program program, struct native_packet *packet);
