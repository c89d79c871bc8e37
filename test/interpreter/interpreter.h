/*
 * Runs a BPF program one instruction at a time: to count them, the same on every machine and
 * kernel, for it is the compiled program that is counted, before any verifier or JIT changes it;
 * or to let others change the tables between two of them. Maps are the real ones of a loaded
 * datapath, reached by system calls, their values written back when the packet has gone; time
 * stands still. Trusts the program: the kernel's verifier has accepted it.
 *
 * A tail call goes on in the program that the kernel's map names, if the interpreter was told of
 * it; else the program itself goes on, as it does in the kernel.
 */
#pragma once

#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>
#include "test/bpf/packet_builder.h"

#define MAX_HELPERS 256

struct tally {
	uint64_t instructions;
	uint32_t calls[MAX_HELPERS]; /* by number of the helper */
};

struct interpreter;

/* `code` with its relocations done, main program first; it must stay. NULL with errno set. */
struct interpreter *interpreter_new(const struct bpf_insn *code, size_t length);
void interpreter_free(struct interpreter *interpreter);

/* The programs that tail calls go on in, by index: loaded ones, at most MAX_PARTS. */
struct bpf_program;
#define MAX_PARTS 8
void interpreter_add_parts(struct interpreter *interpreter,
			   const struct bpf_program *const *programs, size_t count);

/* A map whose values others change meanwhile: the program gets them in place. At most MAX_SHARED.
 */
#define MAX_SHARED 4
void interpreter_share(struct interpreter *interpreter, int map, void *memory, size_t size);

/* What time the program is told. */
void interpreter_set_clock(struct interpreter *interpreter, uint64_t jiffies);

/*
 * Called before each instruction that reaches into a shared map, or calls a function, with the
 * number of those before it: whether others do something before or after any other is the same.
 */
typedef void (*interpreter_pause)(void *context, uint64_t number);
void interpreter_pause_between(struct interpreter *interpreter, interpreter_pause pause,
			       void *context);

/*
 * Runs a frame that comes in by an interface; the frame becomes what the program makes of it.
 * *action is what it returns. 0, or -errno with the reason on stderr (an instruction or helper
 * unknown here).
 */
int interpreter_run(struct interpreter *interpreter, struct frame *frame, uint32_t ifindex,
		    uint32_t *action, struct tally *tally);

/* Of those known here; NULL: not known. */
const char *helper_name(uint32_t number);
