/*
 * The instructions: see interpreter.h and the kernel's Documentation/bpf/standardization.
 */
#include "test/interpreter/interpreter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "test/interpreter/interpreter_internal.h"

#define PACKET_ADDRESS 0x40000000ul
#define PACKET_ROOM (2 * FRAME_MAX)
#define HEADROOM 256 /* before the frame, as XDP promises it */
#define STACK_BYTES 512
#define NOW_JIFFIES 4300000000ull /* since boot, until told otherwise */
#define MAX_INSTRUCTIONS 1000000  /* of one packet: more is a loop without end */

static uint64_t execute(struct interpreter *interpreter, size_t at, const uint64_t *arguments);

struct interpreter *interpreter_new(const struct bpf_insn *code, size_t length)
{
	struct interpreter *interpreter = calloc(1, sizeof(*interpreter));

	if (!interpreter)
		return NULL;
	interpreter->main = (struct code){code, length};
	interpreter->jiffies = NOW_JIFFIES;
	interpreter->packet = mmap((void *)PACKET_ADDRESS, PACKET_ROOM, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (interpreter->packet != MAP_FAILED)
		return interpreter;
	free(interpreter);
	return NULL;
}

void interpreter_free(struct interpreter *interpreter)
{
	if (!interpreter)
		return;
	munmap(interpreter->packet, PACKET_ROOM);
	free(interpreter);
}

void interpreter_set_clock(struct interpreter *interpreter, uint64_t jiffies)
{
	interpreter->jiffies = jiffies;
}

void interpreter_pause_between(struct interpreter *interpreter, interpreter_pause pause,
			       void *context)
{
	interpreter->pause = pause;
	interpreter->pause_context = context;
}

/* Sixty-four bits in two instructions: a number, a map, or where a map's first value begins. */
static uint64_t load_constant(struct interpreter *interpreter, const struct bpf_insn *instruction)
{
	const uint64_t low = (uint32_t)instruction[0].imm;
	uint8_t *value;

	if (instruction->src_reg == 0)
		return low | (uint64_t)(uint32_t)instruction[1].imm << 32;
	if (instruction->src_reg == BPF_PSEUDO_MAP_FD)
		return low;
	value = instruction->src_reg == BPF_PSEUDO_MAP_VALUE
			? map_value(interpreter, instruction->imm, NULL)
			: NULL;
	if (!value)
		interpreter_fail(interpreter, instruction);
	return (uintptr_t)(value + (value ? instruction[1].imm : 0));
}

static void call(struct interpreter *interpreter, size_t next, struct state *state)
{
	const struct bpf_insn *instruction = &interpreter->code.first[next - 1];
	const uint64_t *arguments = &state->r[BPF_REG_1];

	if (instruction->src_reg == BPF_PSEUDO_CALL)
		state->r[BPF_REG_0] =
			execute(interpreter, next + (size_t)instruction->imm, arguments);
	else if (instruction->src_reg == 0)
		state->r[BPF_REG_0] =
			helper_call(interpreter, (uint32_t)instruction->imm, arguments);
	else
		interpreter_fail(interpreter, instruction);
}

/* Of a part, which has the stack of the one before and nothing else. */
static size_t begin(struct interpreter *interpreter, struct state *state)
{
	interpreter->has_parted = false;
	state->r[BPF_REG_1] = (uintptr_t)&interpreter->context;
	return 0;
}

/* Where to go on; SIZE_MAX: the function ends. */
static size_t jump(struct interpreter *interpreter, size_t next, struct state *state)
{
	const struct bpf_insn *instruction = &interpreter->code.first[next - 1];
	const bool wide = BPF_CLASS(instruction->code) == BPF_JMP;

	if (wide && BPF_OP(instruction->code) == BPF_EXIT)
		return SIZE_MAX;
	if (wide && BPF_OP(instruction->code) == BPF_CALL) {
		call(interpreter, next, state);
		return interpreter->has_parted ? begin(interpreter, state) : next;
	}
	if (!interpreter_holds(interpreter, state, instruction))
		return next;
	return next + (size_t)(wide || BPF_OP(instruction->code) != BPF_JA ? instruction->off
									   : instruction->imm);
}

static size_t step(struct interpreter *interpreter, size_t at, struct state *state)
{
	const struct bpf_insn *instruction = &interpreter->code.first[at];

	switch (BPF_CLASS(instruction->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		interpreter_calculate(interpreter, state, instruction);
		return at + 1;
	case BPF_JMP:
	case BPF_JMP32:
		return jump(interpreter, at + 1, state);
	case BPF_LD:
		state->r[instruction->dst_reg] = load_constant(interpreter, instruction);
		return at + 2;
	default:
		interpreter_access(interpreter, state, instruction);
		return at + 1;
	}
}

/* Whether the order of this instruction and of what others do may matter. */
static bool meets_others(const struct interpreter *interpreter, const struct state *state,
			 const struct bpf_insn *instruction)
{
	const int class = BPF_CLASS(instruction->code);
	const uint8_t base = class == BPF_LDX ? instruction->src_reg : instruction->dst_reg;

	if (class == BPF_JMP)
		return BPF_OP(instruction->code) == BPF_CALL;
	return (class == BPF_LDX || class == BPF_ST || class == BPF_STX) &&
	       is_shared(interpreter, state->r[base] + (uint64_t)instruction->off);
}

/* One function, from instruction `at` to its exit. */
static uint64_t execute(struct interpreter *interpreter, size_t at, const uint64_t *arguments)
{
	uint64_t stack[STACK_BYTES / sizeof(uint64_t)];
	struct state state = {};

	memcpy(&state.r[BPF_REG_1], arguments, 5 * sizeof(*arguments));
	state.r[BPF_REG_10] = (uintptr_t)stack + sizeof(stack);
	interpreter->depth++;
	while (at != SIZE_MAX && !interpreter->error) {
		if (interpreter->pause && at < interpreter->code.length &&
		    meets_others(interpreter, &state, &interpreter->code.first[at]))
			interpreter->pause(interpreter->pause_context, interpreter->pauses++);
		if (at >= interpreter->code.length ||
		    interpreter->tally->instructions++ == MAX_INSTRUCTIONS)
			interpreter->error = -ELOOP;
		else
			at = step(interpreter, at, &state);
	}
	interpreter->depth--;
	return state.r[BPF_REG_0];
}

int interpreter_run(struct interpreter *interpreter, struct frame *frame, uint32_t ifindex,
		    uint32_t *action, struct tally *tally)
{
	const uint64_t arguments[5] = {(uintptr_t)&interpreter->context};
	const uint32_t start = (uint32_t)(uintptr_t)interpreter->packet + HEADROOM;

	memset(tally, 0, sizeof(*tally));
	memcpy(interpreter->packet + HEADROOM, frame->bytes, frame->length);
	interpreter->tally = tally;
	interpreter->error = 0;
	interpreter->code = interpreter->main;
	interpreter->depth = 0;
	interpreter->pauses = 0;
	interpreter->has_parted = false;
	interpreter->context = (struct xdp_md){
		.data = start,
		.data_meta = start,
		.data_end = start + (uint32_t)frame->length,
		.ingress_ifindex = ifindex,
	};
	*action = (uint32_t)execute(interpreter, 0, arguments);
	maps_write_back(interpreter);
	frame->length = interpreter->context.data_end - interpreter->context.data;
	memcpy(frame->bytes, (void *)(uintptr_t)interpreter->context.data, frame->length);
	return interpreter->error;
}
