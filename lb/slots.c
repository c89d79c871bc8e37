/*
 * Runs of indexes as two bitmaps: what cannot be handed out, and the part of it that only rests.
 * The search starts where the last one ended (next fit), so that filling a table is one pass over
 * it and what was given back is reused late.
 */
#include "lb/slots.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define WORD_BITS 64

struct slots {
	uint32_t first;
	uint32_t count;
	uint32_t cursor;                      /* where the next search starts */
	uint32_t taken;                       /* without what rests */
	uint32_t past;                        /* from here on none was ever given back */
	uint32_t resting_from, resting_until; /* every resting index is in this range */
	uint64_t *busy;                       /* taken or resting */
	uint64_t *resting;
};

static uint32_t words_for(uint32_t count)
{
	return count / WORD_BITS + 1;
}

struct slots *slots_new(uint32_t first, uint32_t count)
{
	struct slots *slots = calloc(1, sizeof(*slots));

	if (!slots)
		return NULL;
	slots->first = first < count ? first : count;
	slots->count = count;
	slots->cursor = slots->first;
	slots->busy = calloc(words_for(count), sizeof(*slots->busy));
	slots->resting = calloc(words_for(count), sizeof(*slots->resting));
	if (slots->busy && slots->resting)
		return slots;
	slots_free(slots);
	return NULL;
}

void slots_free(struct slots *slots)
{
	if (!slots)
		return;
	free(slots->busy);
	free(slots->resting);
	free(slots);
}

/* The bits of one word that lie in from … until - 1, both counted in the whole bitmap. */
static uint64_t mask_of(uint32_t word, uint32_t from, uint32_t until)
{
	uint64_t base = (uint64_t)word * WORD_BITS;
	uint64_t mask = UINT64_MAX;

	if (from > base)
		mask &= UINT64_MAX << (from - base);
	if (until < base + WORD_BITS)
		mask &= ~(UINT64_MAX << (until - base));
	return mask;
}

static void set_range(uint64_t *bitmap, uint32_t from, uint32_t until)
{
	for (uint32_t word = from / WORD_BITS; (uint64_t)word * WORD_BITS < until; word++)
		bitmap[word] |= mask_of(word, from, until);
}

/*
 * The first index of from … until - 1 whose bit is set, or clear where `inverse` is UINT64_MAX;
 * `until` where there is none.
 */
static uint32_t find_bit(const uint64_t *bitmap, uint32_t from, uint32_t until, uint64_t inverse)
{
	for (uint32_t word = from / WORD_BITS; (uint64_t)word * WORD_BITS < until; word++) {
		uint64_t bits = (bitmap[word] ^ inverse) & mask_of(word, from, until);

		if (bits)
			return word * WORD_BITS + (uint32_t)__builtin_ctzll(bits);
	}
	return until;
}

static uint32_t find_busy(const struct slots *slots, uint32_t from, uint32_t until)
{
	return find_bit(slots->busy, from, until, 0);
}

static uint32_t find_idle(const struct slots *slots, uint32_t from, uint32_t until)
{
	return find_bit(slots->busy, from, until, UINT64_MAX);
}

/* A run of idle indexes that starts in from … until - 1; it may end beyond. */
static int find_run(const struct slots *slots, uint32_t from, uint32_t until, uint32_t length,
		    uint32_t *index)
{
	while (from < until) {
		uint32_t start = find_idle(slots, from, until);

		if (start == until || length > slots->count - start)
			return -ENOSPC;
		from = find_busy(slots, start, start + length);
		if (from < start + length)
			continue;
		*index = start;
		return 0;
	}
	return -ENOSPC;
}

int slots_take(struct slots *slots, uint32_t length, uint32_t *index)
{
	uint32_t start;
	int error = find_run(slots, slots->cursor, slots->count, length, &start);

	if (error)
		error = find_run(slots, slots->first, slots->cursor, length, &start);
	if (error)
		return error;
	set_range(slots->busy, start, start + length);
	slots->taken += length;
	slots->cursor = start + length;
	*index = start;
	return 0;
}

int slots_adopt(struct slots *slots, uint32_t index, uint32_t length)
{
	if (index < slots->first || index > slots->count || length > slots->count - index)
		return -ERANGE;
	if (find_busy(slots, index, index + length) < index + length)
		return -EEXIST;
	set_range(slots->busy, index, index + length);
	slots->taken += length;
	return 0;
}

bool slots_is_taken(const struct slots *slots, uint32_t index)
{
	return index < slots->count && (slots->busy[index / WORD_BITS] >> index % WORD_BITS & 1);
}

void slots_give_back(struct slots *slots, uint32_t index, uint32_t length)
{
	assert(length <= slots->count && index <= slots->count - length);
	assert(find_idle(slots, index, index + length) == index + length);
	assert(find_bit(slots->resting, index, index + length, 0) == index + length);
	if (!slots_resting(slots)) {
		slots->resting_from = index;
		slots->resting_until = index;
	}
	if (index < slots->resting_from)
		slots->resting_from = index;
	if (index + length > slots->resting_until)
		slots->resting_until = index + length;
	set_range(slots->resting, index, index + length);
	slots->taken -= length;
	if (slots->past < index + length)
		slots->past = index + length;
}

bool slots_has_past(const struct slots *slots, uint32_t index)
{
	return index < slots->past;
}

void slots_distrust(struct slots *slots)
{
	slots->past = slots->count;
}

bool slots_resting(const struct slots *slots)
{
	return slots->resting_from < slots->resting_until;
}

void slots_settle(struct slots *slots)
{
	uint32_t word = slots->resting_from / WORD_BITS;

	for (; (uint64_t)word * WORD_BITS < slots->resting_until; word++) {
		slots->busy[word] &= ~slots->resting[word];
		slots->resting[word] = 0;
	}
	slots->resting_from = 0;
	slots->resting_until = 0;
}

uint32_t slots_taken(const struct slots *slots)
{
	return slots->taken;
}

uint32_t slots_capacity(const struct slots *slots)
{
	return slots->count - slots->first;
}
