/*
 * Makes a sequence short: operations are left out, then what is special about the others, as long
 * as the two sides still differ.
 */
#include <linux/in.h>
#include <string.h>
#include "test/model/op_words.h"
#include "test/model/play.h"

#define ROUNDS 4
#define TRIALS 2
#define RANDOM_TRIALS 100

static bool picks_at_random(const struct sequence *sequence)
{
	for (uint32_t i = 0; i < sequence->count; i++)
		if (sequence->ops[i].kind == OP_OFFER &&
		    sequence->ops[i].offer.algorithm == ALGORITHM_RANDOM)
			return true;
	return false;
}

/* A stall of the machine for a second may let one seem to differ, but not every time. */
bool play_differs(struct world *world, const struct sequence *sequence)
{
	static struct difference difference;
	const bool is_random = picks_at_random(sequence);

	for (int i = 0; i < (is_random ? RANDOM_TRIALS : TRIALS); i++)
		if (play(world, sequence, false, &difference) == is_random)
			return is_random;
	return !is_random;
}

static void leave_out(struct sequence *sequence, uint32_t from, uint32_t count)
{
	memmove(&sequence->ops[from], &sequence->ops[from + count],
		(sequence->count - from - count) * sizeof(sequence->ops[0]));
	sequence->count -= count;
}

static bool delete_runs(struct world *world, struct sequence *sequence)
{
	static struct sequence trial;
	bool changed = false;

	for (uint32_t length = sequence->count / 2; length; length /= 2) {
		for (uint32_t from = 0; from + length <= sequence->count;) {
			trial = *sequence;
			leave_out(&trial, from, length);
			if (!play_differs(world, &trial)) {
				from++;
				continue;
			}
			*sequence = trial;
			changed = true;
		}
	}
	return changed;
}

/* Keeps what was tried if they still differ. */
static bool keep(struct world *world, struct sequence *sequence, uint32_t at, const struct op *op)
{
	const struct op before = sequence->ops[at];

	if (!memcmp(&before, op, sizeof(before)))
		return false;
	sequence->ops[at] = *op;
	if (play_differs(world, sequence))
		return true;
	sequence->ops[at] = before;
	return false;
}

static bool simplify_numbers(struct world *world, struct sequence *sequence, uint32_t at)
{
	bool changed = false;

	for (size_t i = 0; i < OP_NUMBER_COUNT; i++) {
		const struct op_number *number = &OP_NUMBERS[i];
		struct op op = sequence->ops[at];

		op_set(number,
		       number->owner == OWNER_PACKET ? (void *)&op.packet : &op.packet.segment,
		       number->usually);
		changed |= keep(world, sequence, at, &op);
		op = sequence->ops[at];
		if (number->owner == OWNER_SEGMENT && op.packet.is_error)
			op_set(number, &op.packet.quoted, number->usually);
		changed |= keep(world, sequence, at, &op);
	}
	return changed;
}

static bool simplify_frame(struct world *world, struct sequence *sequence, uint32_t at)
{
	struct op op = sequence->ops[at];
	bool changed;

	op.packet.to = _STATION_COUNT;
	changed = keep(world, sequence, at, &op);
	op = sequence->ops[at];
	op.packet.from = op.packet.segment.src;
	changed |= keep(world, sequence, at, &op);
	op = sequence->ops[at];
	op.packet.tag_count = 0;
	changed |= keep(world, sequence, at, &op);
	op = sequence->ops[at];
	op.packet.segment.extension_count = 0;
	changed |= keep(world, sequence, at, &op);
	op = sequence->ops[at];
	if (op.packet.segment.extension_count)
		op.packet.segment.extension_count--;
	changed |= keep(world, sequence, at, &op);
	op = sequence->ops[at];
	if (op.packet.segment.src_port > 1024)
		op.packet.segment.src_port = 40000;
	changed |= keep(world, sequence, at, &op);
	for (uint32_t i = 0; i < sequence->ops[at].packet.edit_count; i++) {
		op = sequence->ops[at];
		op.packet.edits[i] = op.packet.edits[--op.packet.edit_count];
		changed |= keep(world, sequence, at, &op);
	}
	return changed;
}

static bool simplify_offer(struct world *world, struct sequence *sequence, uint32_t at)
{
	struct op op = sequence->ops[at];
	bool changed;

	op.offer.range_count = 0;
	changed = keep(world, sequence, at, &op);
	op = sequence->ops[at];
	op.offer.has_inside = false;
	changed |= keep(world, sequence, at, &op);
	op = sequence->ops[at];
	op.offer.drops_unserved = false;
	changed |= keep(world, sequence, at, &op);
	op = sequence->ops[at];
	op.offer.masquerade = MASQUERADE_NONE;
	changed |= keep(world, sequence, at, &op);
	op = sequence->ops[at];
	op.offer.affinity_seconds = 0;
	changed |= keep(world, sequence, at, &op);
	op = sequence->ops[at];
	op.offer.algorithm = ALGORITHM_MAGLEV;
	changed |= keep(world, sequence, at, &op);
	for (uint32_t i = 0; i < sequence->ops[at].offer.backend_count; i++) {
		op = sequence->ops[at];
		op.offer.backends[i].weight = 1;
		op.offer.backends[i].state = BACKEND_ACTIVE;
		changed |= keep(world, sequence, at, &op);
		op = sequence->ops[at];
		op.offer.backends[i].is_remote = false;
		changed |= keep(world, sequence, at, &op);
		op = sequence->ops[at];
		op.offer.backends[i] = op.offer.backends[--op.offer.backend_count];
		changed |= keep(world, sequence, at, &op);
	}
	return changed;
}

static bool simplify(struct world *world, struct sequence *sequence)
{
	bool changed = false;

	for (uint32_t at = 0; at < sequence->count; at++) {
		if (sequence->ops[at].kind == OP_OFFER)
			changed |= simplify_offer(world, sequence, at);
		if (sequence->ops[at].kind != OP_PACKET)
			continue;
		changed |= simplify_numbers(world, sequence, at);
		changed |= simplify_frame(world, sequence, at);
	}
	return changed;
}

void play_shrink(struct world *world, struct sequence *sequence)
{
	for (int round = 0; round < ROUNDS; round++) {
		bool changed = delete_runs(world, sequence);

		changed |= simplify(world, sequence);
		if (!changed)
			break;
	}
}
