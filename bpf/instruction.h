/*
 * What is told to the verifier by single instructions, because the compiler would see through any C
 * that said it. In a file of its own, in the place of which builds for other processors have one of
 * theirs (test/fuzz/native).
 */
#pragma once

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* A value that is less than 32, which the verifier does not know. */
static __always_inline __u64 bound_by_32(__u64 value)
{
	asm volatile("%0 &= 31" : "+r"(value));
	return value;
}

/* The value as one of which the verifier knows nothing; `any` is another of those. */
static __always_inline __u64 make_unknown(__u64 value, __u64 any)
{
	asm volatile("%0 ^= %1\n"
		     "%0 ^= %1"
		     : "+r"(value)
		     : "r"(any));
	return value;
}

/* Ends the program, however deep in functions that it has inlined: the packet is the stack's. */
static __always_inline __attribute__((noreturn)) void end_program(void)
{
	asm volatile("r0 = %0\n exit" : : "i"(HOOK_PASS));
	__builtin_unreachable();
}
