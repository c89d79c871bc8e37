/*
 * Held fragments: which are sent again, which are given up, and that there are never too many.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "control/fragments.h"

#define SECOND 1000000000ull
#define START (100 * SECOND)
#define MAX_SENT 8
#define NOBODY UINT32_MAX

/* The datapath as the test wants it, and what has come to it. */
static struct {
	uint32_t has_first; /* of this identification; NOBODY: of none */
	int answer;
	size_t count;
	uint32_t ifindex[MAX_SENT];
	uint32_t length[MAX_SENT];
	uint8_t mark[MAX_SENT]; /* the last byte of the frame */
} datapath;

static struct fragments *fragments;

static bool has_first(void *context, const struct fragment_key *key)
{
	assert_ptr_equal(context, &datapath);
	return key->identification == datapath.has_first;
}

static int send_again(void *context, uint32_t ifindex, const void *frame, uint32_t length)
{
	const size_t i = datapath.count++ % MAX_SENT;

	assert_ptr_equal(context, &datapath);
	datapath.ifindex[i] = ifindex;
	datapath.length[i] = length;
	datapath.mark[i] = ((const uint8_t *)frame)[length - 1];
	return datapath.answer;
}

static int set_up(void **state)
{
	const struct fragment_hooks hooks = {&datapath, has_first, send_again};

	(void)state;
	memset(&datapath, 0, sizeof(datapath));
	datapath.has_first = NOBODY;
	fragments = fragments_new(&hooks);
	return fragments ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	fragments_free(fragments);
	return 0;
}

/* A frame of that datagram, marked at its end. */
static void take(uint32_t identification, uint32_t length, uint8_t mark, uint64_t now)
{
	static struct early_fragment early;

	early = (struct early_fragment){
		.kind = EVENT_EARLY_FRAGMENT,
		.ifindex = 7,
		.time_ns = now,
		.key = {.identification = identification},
		.length = length,
	};
	early.frame[length - 1] = mark;
	fragments_take(fragments, &early, now);
}

static void assert_counts(size_t held, uint64_t sent, uint64_t given_up)
{
	const struct fragment_counts counts = fragments_count(fragments);

	assert_int_equal(counts.held, held);
	assert_int_equal(counts.sent, sent);
	assert_int_equal(counts.given_up, given_up);
}

static void what_is_held_is_sent_as_it_came_once_the_first_is_there(void **state)
{
	(void)state;
	take(1, 100, 'a', START);
	take(2, 200, 'b', START);
	take(1, 1514, 'c', START);
	assert_true(fragments_turn(fragments, START));
	assert_counts(3, 0, 0);

	datapath.has_first = 1;
	assert_true(fragments_turn(fragments, START + SECOND / 2));
	assert_counts(1, 2, 0);
	assert_int_equal(datapath.count, 2);
	assert_int_equal(datapath.ifindex[0], 7);
	assert_int_equal(datapath.length[0], 100);
	assert_int_equal(datapath.mark[0], 'a');
	assert_int_equal(datapath.length[1], 1514);
	assert_int_equal(datapath.mark[1], 'c');

	datapath.has_first = 2;
	assert_false(fragments_turn(fragments, START + SECOND));
	assert_counts(0, 3, 0);
	assert_int_equal(datapath.mark[2], 'b');
	assert_int_equal(fragments_count(fragments).bytes, 0);
}

static void what_has_its_first_meanwhile_is_sent_at_once(void **state)
{
	(void)state;
	datapath.has_first = 1;
	take(1, 100, 'a', START);
	assert_counts(0, 1, 0);
	assert_false(fragments_turn(fragments, START));
}

static void what_waits_for_a_second_is_given_up(void **state)
{
	(void)state;
	take(1, 100, 'a', START);
	take(2, 100, 'b', START + SECOND / 2);
	assert_true(fragments_turn(fragments, START + SECOND));
	assert_counts(2, 0, 0);

	datapath.has_first = 1; /* too late */
	assert_true(fragments_turn(fragments, START + SECOND + 1));
	assert_counts(1, 0, 1);
	assert_false(fragments_turn(fragments, START + 2 * SECOND));
	assert_counts(0, 0, 2);
}

/* It was handed over while no lbd was there to take it. */
static void what_is_old_when_it_is_taken_is_given_up(void **state)
{
	static struct early_fragment early = {.time_ns = START, .length = 100};

	(void)state;
	datapath.has_first = 0;
	fragments_take(fragments, &early, START + SECOND + 1);
	assert_counts(0, 0, 1);
}

static void what_cannot_be_sent_is_given_up(void **state)
{
	(void)state;
	take(1, 100, 'a', START);
	datapath.has_first = 1;
	datapath.answer = -ENODEV;
	assert_false(fragments_turn(fragments, START));
	assert_counts(0, 0, 1);
}

static void of_too_many_the_oldest_are_given_up(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < MAX_HELD_FRAGMENTS + 3; i++)
		take(i, 60, (uint8_t)i, START + i);
	assert_counts(MAX_HELD_FRAGMENTS, 0, 3);

	datapath.has_first = 2;
	fragments_turn(fragments, START);
	assert_counts(MAX_HELD_FRAGMENTS, 0, 3);
	datapath.has_first = 3;
	fragments_turn(fragments, START);
	assert_counts(MAX_HELD_FRAGMENTS - 1, 1, 3);
}

static void of_too_many_bytes_the_oldest_are_given_up(void **state)
{
	const size_t fit = MAX_HELD_BYTES / EVENT_FRAME_MAX;

	(void)state;
	for (uint32_t i = 0; i < fit; i++)
		take(i, EVENT_FRAME_MAX, 0, START);
	assert_counts(fit, 0, 0);
	take(1, 60, 0, START);
	assert_counts(fit, 0, 1);
	assert_in_range(fragments_count(fragments).bytes, 1, MAX_HELD_BYTES);
}

/* In the middle, at the end, and what comes after that. */
static void the_queue_stays_whole_wherever_one_leaves_it(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= 3; i++)
		take(i, 60, (uint8_t)i, START);
	datapath.has_first = 2;
	fragments_turn(fragments, START);
	datapath.has_first = 3;
	fragments_turn(fragments, START);
	take(4, 60, 4, START);
	assert_counts(2, 2, 0);
	datapath.has_first = 4;
	fragments_turn(fragments, START);
	datapath.has_first = 1;
	assert_false(fragments_turn(fragments, START));
	assert_memory_equal(datapath.mark, ((const uint8_t[]){2, 3, 4, 1}), 4);
	take(1, 60, 9, START);
	assert_counts(0, 5, 0);
}

#define WITH_FRAGMENTS(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FRAGMENTS(what_is_held_is_sent_as_it_came_once_the_first_is_there),
		WITH_FRAGMENTS(what_has_its_first_meanwhile_is_sent_at_once),
		WITH_FRAGMENTS(what_waits_for_a_second_is_given_up),
		WITH_FRAGMENTS(what_is_old_when_it_is_taken_is_given_up),
		WITH_FRAGMENTS(what_cannot_be_sent_is_given_up),
		WITH_FRAGMENTS(of_too_many_the_oldest_are_given_up),
		WITH_FRAGMENTS(of_too_many_bytes_the_oldest_are_given_up),
		WITH_FRAGMENTS(the_queue_stays_whole_wherever_one_leaves_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
