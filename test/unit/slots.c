/*
 * Runs of indexes: never handed out twice, never before they have rested.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "lb/slots.h"

#define COUNT 1000u
#define FIRST 3u

static int open_slots(void **state)
{
	*state = slots_new(FIRST, COUNT);
	return *state ? 0 : -1;
}

static int close_slots(void **state)
{
	slots_free(*state);
	return 0;
}

static uint32_t take(struct slots *slots, uint32_t length)
{
	uint32_t index = 0;

	assert_int_equal(slots_take(slots, length, &index), 0);
	assert_in_range(index, FIRST, COUNT - length);
	return index;
}

static void every_index_is_handed_out_once(void **state)
{
	unsigned char seen[COUNT] = {0};
	uint32_t index = 4711;

	for (uint32_t i = FIRST; i < COUNT; i++)
		seen[take(*state, 1)]++;

	for (uint32_t i = 0; i < COUNT; i++)
		assert_int_equal(seen[i], i >= FIRST);
	assert_int_equal(slots_take(*state, 1, &index), -ENOSPC);
	assert_int_equal(index, 4711);
	assert_int_equal(slots_taken(*state), slots_capacity(*state));
	assert_int_equal(slots_capacity(*state), COUNT - FIRST);
}

static void only_what_was_given_back_may_have_a_past(void **state)
{
	uint32_t first = take(*state, 10);
	uint32_t second = take(*state, 10);

	assert_false(slots_has_past(*state, first));
	slots_give_back(*state, first, 1);
	assert_true(slots_has_past(*state, first));
	assert_false(slots_has_past(*state, second));
	slots_give_back(*state, second + 5, 1);
	assert_true(slots_has_past(*state, second));
	assert_false(slots_has_past(*state, second + 6));
	slots_settle(*state);
	assert_true(slots_has_past(*state, second + 5));
}

static void everything_may_have_a_past_that_nobody_remembers(void **state)
{
	slots_distrust(*state);

	assert_true(slots_has_past(*state, take(*state, 1)));
	assert_true(slots_has_past(*state, COUNT - 1));
}

static void what_is_given_back_rests_until_it_is_settled(void **state)
{
	uint32_t index = take(*state, COUNT - FIRST);
	uint32_t again;

	slots_give_back(*state, index + 100, 10);
	assert_true(slots_resting(*state));
	assert_int_equal(slots_taken(*state), COUNT - FIRST - 10);
	assert_int_equal(slots_take(*state, 1, &again), -ENOSPC);
	assert_int_equal(slots_adopt(*state, index + 100, 1), -EEXIST);

	slots_settle(*state);
	assert_false(slots_resting(*state));
	assert_int_equal(take(*state, 10), index + 100);
}

static void runs_given_back_apart_settle_together(void **state)
{
	uint32_t index = take(*state, COUNT - FIRST);
	uint32_t none;

	slots_give_back(*state, index + 900, 5);
	slots_give_back(*state, index + 70, 64);
	slots_give_back(*state, index, 1);
	slots_settle(*state);

	assert_int_equal(take(*state, 64), index + 70);
	assert_int_equal(take(*state, 5), index + 900);
	assert_int_equal(take(*state, 1), index);
	assert_int_equal(slots_take(*state, 1, &none), -ENOSPC);
}

static void freed_indexes_are_reused_late(void **state)
{
	uint32_t index = take(*state, 10);

	slots_give_back(*state, index, 10);
	slots_settle(*state);

	assert_int_equal(take(*state, 10), index + 10);
}

static void runs_are_found_across_words_and_behind_short_gaps(void **state)
{
	static const uint32_t lengths[] = {2, 63, 64, 65, 127, 128, 129, 251};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct slots *slots = slots_new(0, COUNT);
		uint32_t index;

		assert_non_null(slots);
		for (uint32_t at = 0; at < 300; at += lengths[i])
			assert_int_equal(slots_adopt(slots, at, 1), 0);
		assert_int_equal(slots_take(slots, lengths[i], &index), 0);
		assert_int_equal(index, (299 / lengths[i]) * lengths[i] + 1);
		slots_free(slots);
	}
	(void)state;
}

static void search_wraps_around_to_the_start(void **state)
{
	uint32_t index = take(*state, COUNT - FIRST);

	slots_give_back(*state, index, 7);
	slots_settle(*state);

	assert_int_equal(take(*state, 7), FIRST);
}

static void adopting_refuses_what_is_taken_or_out_of_range(void **state)
{
	static const struct {
		uint32_t index, length;
		int error;
	} rows[] = {
		{100, 50, 0},
		{149, 1, -EEXIST},
		{90, 11, -EEXIST},
		{150, 1, 0},
		{FIRST, 1, 0},
		{FIRST - 1, 1, -ERANGE},
		{0, 1, -ERANGE},
		{COUNT - 1, 1, 0},
		{COUNT - 2, 3, -ERANGE},
		{COUNT, 1, -ERANGE},
		{500, UINT32_MAX, -ERANGE},
		{UINT32_MAX, 2, -ERANGE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(slots_adopt(*state, rows[i].index, rows[i].length), rows[i].error);
	assert_int_equal(slots_taken(*state), 50 + 1 + 1 + 1);
}

static void impossible_lengths_are_refused(void **state)
{
	uint32_t index;

	assert_int_equal(slots_take(*state, COUNT - FIRST + 1, &index), -ENOSPC);
	assert_int_equal(slots_take(*state, UINT32_MAX, &index), -ENOSPC);
	assert_int_equal(slots_taken(*state), 0);
}

static void an_empty_table_has_nothing(void **state)
{
	struct slots *slots = slots_new(1, 1);
	uint32_t index;

	(void)state;
	assert_int_equal(slots_capacity(slots), 0);
	assert_int_equal(slots_take(slots, 1, &index), -ENOSPC);
	slots_free(slots);
}

/* Against a plain array of owners, with lengths as rings have them. */
static void random_use_agrees_with_a_simple_model(void **state)
{
	static unsigned char owner[COUNT]; /* 0 free, 1 taken, 2 resting */
	uint32_t runs[200][2];
	size_t held = 0;
	uint32_t taken = 0;

	srand(1);
	for (int step = 0; step < 100000; step++) {
		uint32_t length = 1 + (uint32_t)rand() % 40;
		uint32_t index;

		if (rand() % 2 && held < 200 && !slots_take(*state, length, &index)) {
			for (uint32_t i = index; i < index + length; i++)
				assert_int_equal(owner[i]++, 0);
			runs[held][0] = index;
			runs[held++][1] = length;
			taken += length;
		} else if (held) {
			size_t victim = (size_t)rand() % held;

			slots_give_back(*state, runs[victim][0], runs[victim][1]);
			for (uint32_t i = 0; i < runs[victim][1]; i++)
				owner[runs[victim][0] + i] = 2;
			taken -= runs[victim][1];
			runs[victim][0] = runs[--held][0];
			runs[victim][1] = runs[held][1];
		}
		if (rand() % 8 == 0) {
			slots_settle(*state);
			for (uint32_t i = 0; i < COUNT; i++)
				owner[i] = owner[i] == 2 ? 0 : owner[i];
		}
		assert_int_equal(slots_taken(*state), taken);
	}
}

#define WITH_SLOTS(test) cmocka_unit_test_setup_teardown(test, open_slots, close_slots)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SLOTS(every_index_is_handed_out_once),
		WITH_SLOTS(only_what_was_given_back_may_have_a_past),
		WITH_SLOTS(everything_may_have_a_past_that_nobody_remembers),
		WITH_SLOTS(what_is_given_back_rests_until_it_is_settled),
		WITH_SLOTS(runs_given_back_apart_settle_together),
		WITH_SLOTS(freed_indexes_are_reused_late),
		WITH_SLOTS(runs_are_found_across_words_and_behind_short_gaps),
		WITH_SLOTS(search_wraps_around_to_the_start),
		WITH_SLOTS(adopting_refuses_what_is_taken_or_out_of_range),
		WITH_SLOTS(impossible_lengths_are_refused),
		cmocka_unit_test(an_empty_table_has_nothing),
		WITH_SLOTS(random_use_agrees_with_a_simple_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
