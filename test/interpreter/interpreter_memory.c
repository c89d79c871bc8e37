/*
 * How an interpreted program reads and writes memory. Nobody else runs meanwhile, so that atomic
 * operations need not be.
 */
#include <string.h>
#include "test/interpreter/interpreter_internal.h"

static size_t width(const struct bpf_insn *instruction)
{
	switch (BPF_SIZE(instruction->code)) {
	case BPF_B:
		return 1;
	case BPF_H:
		return 2;
	case BPF_W:
		return 4;
	}
	return 8;
}

/* Little-endian machines: the low bytes come first. */
static uint64_t load(const void *from, size_t size)
{
	uint64_t value = 0;

	memcpy(&value, from, size);
	return value;
}

static void update(struct interpreter *interpreter, struct state *state,
		   const struct bpf_insn *instruction, void *at)
{
	const size_t size = width(instruction);
	const uint64_t old = load(at, size);
	uint64_t *source = &state->r[instruction->src_reg];
	uint64_t value = *source;

	if (instruction->imm == BPF_CMPXCHG) {
		if (old == load(&state->r[BPF_REG_0], size))
			memcpy(at, &value, size);
		state->r[BPF_REG_0] = old;
		return;
	}
	switch (instruction->imm & ~BPF_FETCH) {
	case BPF_ADD:
		value = old + value;
		break;
	case BPF_OR:
		value = old | value;
		break;
	case BPF_AND:
		value = old & value;
		break;
	case BPF_XOR:
		value = old ^ value;
		break;
	default:
		if (instruction->imm != BPF_XCHG)
			interpreter_fail(interpreter, instruction);
	}
	memcpy(at, &value, size);
	if (instruction->imm & BPF_FETCH)
		*source = old;
}

static void *address(uint64_t base, const struct bpf_insn *instruction)
{
	return (void *)(uintptr_t)(base + (uint64_t)(int64_t)instruction->off);
}

void interpreter_access(struct interpreter *interpreter, struct state *state,
			const struct bpf_insn *instruction)
{
	const size_t size = width(instruction);
	const uint64_t constant = (uint64_t)(int64_t)instruction->imm;
	void *to = address(state->r[instruction->dst_reg], instruction);

	if (BPF_CLASS(instruction->code) == BPF_LDX && BPF_MODE(instruction->code) == BPF_MEM)
		state->r[instruction->dst_reg] =
			load(address(state->r[instruction->src_reg], instruction), size);
	else if (BPF_CLASS(instruction->code) == BPF_ST)
		memcpy(to, &constant, size);
	else if (BPF_MODE(instruction->code) == BPF_ATOMIC)
		update(interpreter, state, instruction, to);
	else if (BPF_CLASS(instruction->code) == BPF_STX && BPF_MODE(instruction->code) == BPF_MEM)
		memcpy(to, &state->r[instruction->src_reg], size);
	else
		interpreter_fail(interpreter, instruction);
}
