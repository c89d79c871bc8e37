/*
 * The programs that tail calls go on in.
 */
#include <bpf/libbpf.h>
#include "test/interpreter/interpreter_internal.h"

void interpreter_add_parts(struct interpreter *interpreter,
			   const struct bpf_program *const *programs, size_t count)
{
	for (size_t i = 0; i < count && i < MAX_PARTS; i++)
		interpreter->parts[i] = (struct code){bpf_program__insns(programs[i]),
						      bpf_program__insn_cnt(programs[i])};
}
