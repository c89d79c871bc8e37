/*
 * Maglev rings: how even, how proportional, how steady under change, whatever the order.
 */
#include "test/unit/ring_fixture.h"

static __u32 fill(size_t count)
{
	__u32 length = maglev_length(members, count);

	ring[length] = UNTOUCHED;
	assert_int_equal(maglev_fill(members, count, length, ring), 0);
	assert_int_equal(ring[length], UNTOUCHED);
	return length;
}

/* Every share is within a tenth of what its weight says, for members given by index. */
static void assert_proportional(size_t count, __u32 length)
{
	double sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += members[i].weight;
	count_shares(count, length);
	for (size_t i = 0; i < count; i++) {
		double fair = length * members[i].weight / sum;

		assert_true(shares[i] >= fair * 0.9);
		assert_true(shares[i] <= fair * 1.1);
	}
}

static void length_is_the_smallest_that_gives_everyone_ten_slots(void **state)
{
	static const struct {
		size_t count;
		__u32 length;
	} rows[] = {
		{0, 0},      {1, 1},      {2, 61},      {6, 61},       {7, 127},      {12, 127},
		{13, 251},   {25, 251},   {26, 509},    {50, 509},     {51, 1021},    {103, 2039},
		{300, 4093}, {500, 8191}, {900, 16381}, {2000, 32749}, {4096, 65521},
	};

	(void)state;
	given_members(MEMBERS_MAX, 7);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(maglev_length(members, rows[i].count), rows[i].length);
}

static void length_grows_with_uneven_weights(void **state)
{
	(void)state;
	given_members(2, 1);
	members[0].weight = 99;
	assert_int_equal(maglev_length(members, 2), 1021);
	members[0].weight = 65535;
	assert_int_equal(maglev_length(members, 2), RING_LENGTH_MAX);
}

static void equal_members_get_equal_shares(void **state)
{
	(void)state;
	for (size_t count = 2; count <= 100; count++) {
		given_members(count, 1);
		assert_proportional(count, fill(count));
	}
	given_members(MEMBERS_MAX, 1);
	assert_proportional(1638, fill(1638)); /* 10.0006 slots each, the least there is */
}

static void shares_follow_weights(void **state)
{
	static const __u16 rows[][5] = {
		{1, 1, 1, 1, 2},     {1, 2, 3, 4, 5},      {10, 20, 30, 40, 50},
		{1, 100, 1, 100, 1}, {3, 7, 11, 13, 1000}, {65535, 65535, 65535, 65535, 32768},
	};

	(void)state;
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		given_members(5, 1);
		for (size_t i = 0; i < 5; i++)
			members[i].weight = rows[row][i];
		assert_proportional(5, fill(5));
	}
}

/* 30 of 94 weights for 1021 slots: 10.9 each, which cutting off would make 10 for many of them. */
static void shares_are_rounded_to_the_nearest_slot(void **state)
{
	__u32 length;

	(void)state;
	given_members(31, 1);
	members[30].weight = 64;
	length = fill(31);
	assert_int_equal(length, 1021);
	count_shares(31, length);
	for (size_t i = 0; i < 30; i++)
		assert_int_equal(shares[i], 11);
}

static void lightest_member_of_very_uneven_weights_gets_a_slot(void **state)
{
	(void)state;
	given_members(100, 65535);
	members[42].weight = 1;
	count_shares(100, fill(100));
	assert_int_equal(shares[42], 1);
}

static void order_and_indexes_do_not_matter(void **state)
{
	__u32 length;

	(void)state;
	for (size_t count = 2; count <= 100; count += 7) {
		given_members(count, 1);
		members[0].weight = 3;
		length = fill(count);
		memcpy(other_ring, ring, length * sizeof(*ring));

		shuffle(count);
		assert_int_equal(fill(count), length);
		assert_memory_equal(ring, other_ring, length * sizeof(*ring));

		for (size_t i = 0; i < count; i++)
			members[i].backend += 1000;
		fill(count);
		for (__u32 slot = 0; slot < length; slot++)
			assert_int_equal(ring[slot], other_ring[slot] + 1000);
	}
}

#define SETS 50 /* how alike two members walk is chance: many are looked at */

/* `count` neighbouring addresses of subnet `set`. */
static void given_set(size_t set, size_t count)
{
	given_members(count, 1);
	for (size_t i = 0; i < count; i++)
		members[i].address.word[3] = htonl(FIRST_ADDRESS + (__u32)(set << 8 | i));
}

/* Percent of the slots of others that change hands when `gone` leaves a ring of kept length. */
static double disruption(size_t set, size_t count, size_t gone)
{
	__u32 length;
	__u32 moved = 0;
	__u32 kept = 0;

	given_set(set, count);
	length = fill(count);
	memcpy(other_ring, ring, length * sizeof(*ring));
	members[gone] = members[count - 1];
	assert_int_equal(maglev_fill(members, count - 1, length, ring), 0);
	for (__u32 slot = 0; slot < length; slot++) {
		if (other_ring[slot] == gone)
			continue;
		kept++;
		moved += ring[slot] != other_ring[slot];
	}
	return 100.0 * moved / kept;
}

static void removal_of_a_member_leaves_most_slots_of_others(void **state)
{
	static const struct {
		size_t count;
		/* Percent moved, of all sets and of the worst, a little above what was measured. */
		double mean, worst;
	} rows[] = {
		{2, 0, 0}, {3, 5, 30}, {5, 9, 23}, {10, 9, 16}, {25, 9, 12}, {100, 4, 5},
	};

	(void)state;
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		const size_t count = rows[row].count;
		double sum = 0;
		double worst = 0;

		for (size_t set = 0; set < SETS; set++) {
			double of_set = 0;

			for (size_t gone = 0; gone < count; gone++)
				of_set += disruption(set, count, gone) / (double)count;
			sum += of_set;
			worst = of_set > worst ? of_set : worst;
		}
		assert_true(sum / SETS <= rows[row].mean);
		assert_true(worst <= rows[row].worst);
	}
}

static void nobody_needs_no_ring(void **state)
{
	(void)state;
	assert_int_equal(fill(0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(length_is_the_smallest_that_gives_everyone_ten_slots),
		cmocka_unit_test(length_grows_with_uneven_weights),
		cmocka_unit_test(equal_members_get_equal_shares),
		cmocka_unit_test(shares_follow_weights),
		cmocka_unit_test(shares_are_rounded_to_the_nearest_slot),
		cmocka_unit_test(lightest_member_of_very_uneven_weights_gets_a_slot),
		cmocka_unit_test(order_and_indexes_do_not_matter),
		cmocka_unit_test(removal_of_a_member_leaves_most_slots_of_others),
		cmocka_unit_test(nobody_needs_no_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
