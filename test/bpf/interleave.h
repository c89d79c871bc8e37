/*
 * Two packets on two CPUs, in every order that matters: one is run an instruction at a time and
 * stops before the n-th, where the kernel runs the other from beginning to end. Unlike a race on
 * real CPUs, which meets a window of a nanosecond once in millions, this meets each on purpose; it
 * knows nothing of processors that reorder loads and stores.
 */
#pragma once

#include "test/bpf/scene.h"
#include "test/interpreter/interpreter.h"

/* The packet that is stopped, and the one that runs meanwhile. */
enum side {
	STOPPED,
	MEANWHILE,
	_SIDE_COUNT,
};

struct interleaving {
	struct scene *scene;
	struct interpreter *interpreter;
	struct mapping client_hops, alias_marks;
	uint64_t stop;    /* before which of the instructions that meet others' */
	bool has_stopped; /* it has so many */
	enum interface in[_SIDE_COUNT];
	struct frame frames[_SIDE_COUNT]; /* become what leaves */
	uint32_t action[_SIDE_COUNT];
};

struct interleaving *interleaving_new(struct scene *scene);
void interleaving_free(struct interleaving *interleaving);

/*
 * Both packets, the one stopped before its `stop`th instruction that may meet the other's
 * (interpreter_pause). False: it has no more than those.
 */
bool interleave(struct interleaving *interleaving, const struct blueprint *stopped,
		const struct blueprint *meanwhile, uint64_t stop);
/* A packet by itself, run by the kernel; it is MEANWHILE. */
void interleaving_send(struct interleaving *interleaving, enum interface in,
		       const struct blueprint *packet);
/* Whether a packet left, to this one's MAC address. */
bool interleaving_left_for(const struct interleaving *interleaving, enum side side, enum role next);
/* Empties the table: heads alone, as it happens to entries; and no end is marked any more. */
void interleaving_clear(const struct interleaving *interleaving);
