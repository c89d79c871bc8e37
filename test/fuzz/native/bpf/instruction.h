/*
 * What bpf/instruction.h says to the verifier, for a processor that has none.
 */
#pragma once

#include "test/fuzz/native/native.h"

static __always_inline __u64 bound_by_32(__u64 value)
{
	native_must(value < 32, "a value is as small as the verifier is told");
	return value;
}

static __always_inline __u64 make_unknown(__u64 value, __u64 any)
{
	(void)any;
	return value;
}

static __always_inline __attribute__((noreturn)) void end_program(void)
{
	native_end_program(XDP_PASS);
}
