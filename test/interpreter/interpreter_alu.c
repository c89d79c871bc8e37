/*
 * What an interpreted program computes and decides: arithmetic and the conditions of jumps.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include "test/interpreter/interpreter_internal.h"

void interpreter_fail(struct interpreter *interpreter, const struct bpf_insn *instruction)
{
	fprintf(stderr, "the interpreter does not know the instruction %02x at %td\n",
		instruction->code, instruction - interpreter->code.first);
	interpreter->error = -ENOSYS;
}

static uint64_t swap(const struct bpf_insn *instruction, uint64_t value)
{
	const bool to_network = BPF_SRC(instruction->code) == BPF_TO_BE;

	if (instruction->imm == 16)
		return to_network ? htobe16((uint16_t)value) : htole16((uint16_t)value);
	if (instruction->imm == 32)
		return to_network ? htobe32((uint32_t)value) : htole32((uint32_t)value);
	return to_network ? htobe64(value) : htole64(value);
}

/* Both operands as wide as the instruction is; so is the answer, once cut. */
static uint64_t compute(struct interpreter *interpreter, const struct bpf_insn *instruction,
			uint64_t a, uint64_t b)
{
	const bool wide = BPF_CLASS(instruction->code) == BPF_ALU64;
	const unsigned int shift = (unsigned int)b & (wide ? 63 : 31);

	switch (BPF_OP(instruction->code)) {
	case BPF_ADD:
		return a + b;
	case BPF_SUB:
		return a - b;
	case BPF_MUL:
		return a * b;
	case BPF_DIV:
		return b ? a / b : 0;
	case BPF_MOD:
		return b ? a % b : a;
	case BPF_OR:
		return a | b;
	case BPF_AND:
		return a & b;
	case BPF_XOR:
		return a ^ b;
	case BPF_LSH:
		return a << shift;
	case BPF_RSH:
		return a >> shift;
	case BPF_ARSH:
		return wide ? (uint64_t)((int64_t)a >> shift) : (uint64_t)((int32_t)a >> shift);
	case BPF_MOV:
		return b;
	case BPF_NEG:
		return -a;
	case BPF_END:
		return swap(instruction, a);
	}
	interpreter_fail(interpreter, instruction);
	return 0;
}

static uint64_t operand(const struct state *state, const struct bpf_insn *instruction)
{
	return BPF_SRC(instruction->code) == BPF_X ? state->r[instruction->src_reg]
						   : (uint64_t)(int64_t)instruction->imm;
}

void interpreter_calculate(struct interpreter *interpreter, struct state *state,
			   const struct bpf_insn *instruction)
{
	uint64_t *to = &state->r[instruction->dst_reg];
	const uint64_t b = operand(state, instruction);

	if (BPF_CLASS(instruction->code) == BPF_ALU64) {
		*to = compute(interpreter, instruction, *to, b);
		return;
	}
	if (BPF_OP(instruction->code) == BPF_END)
		*to = swap(instruction, *to);
	else
		*to = (uint32_t)compute(interpreter, instruction, (uint32_t)*to, (uint32_t)b);
}

static bool holds_signed(struct interpreter *interpreter, const struct bpf_insn *instruction,
			 int64_t a, int64_t b)
{
	switch (BPF_OP(instruction->code)) {
	case BPF_JSGT:
		return a > b;
	case BPF_JSGE:
		return a >= b;
	case BPF_JSLT:
		return a < b;
	case BPF_JSLE:
		return a <= b;
	}
	interpreter_fail(interpreter, instruction);
	return false;
}

bool interpreter_holds(struct interpreter *interpreter, const struct state *state,
		       const struct bpf_insn *instruction)
{
	const bool wide = BPF_CLASS(instruction->code) == BPF_JMP;
	uint64_t a = state->r[instruction->dst_reg], b = operand(state, instruction);

	if (!wide) {
		a = (uint32_t)a;
		b = (uint32_t)b;
	}
	switch (BPF_OP(instruction->code)) {
	case BPF_JA:
		return true;
	case BPF_JEQ:
		return a == b;
	case BPF_JNE:
		return a != b;
	case BPF_JSET:
		return a & b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	case BPF_JLT:
		return a < b;
	case BPF_JLE:
		return a <= b;
	}
	if (wide)
		return holds_signed(interpreter, instruction, (int64_t)a, (int64_t)b);
	return holds_signed(interpreter, instruction, (int32_t)a, (int32_t)b);
}
