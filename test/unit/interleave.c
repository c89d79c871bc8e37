/*
 * Round robin rings: turns by weight, spread evenly, whatever the order of the members.
 */
#include "test/unit/ring_fixture.h"

static __u32 interleave(size_t count)
{
	__u32 length = interleave_length(members, count);

	assert_in_range(length, 0, RING_LENGTH_MAX);
	memset(ring, 0xff, sizeof(ring));
	ring[length] = UNTOUCHED;
	assert_int_equal(interleave_fill(members, count, length, ring), 0);
	assert_int_equal(ring[length], UNTOUCHED);
	return length;
}

static void turns_are_interleaved(void **state)
{
	static const struct {
		__u16 weights[4];
		const char *turns;
	} rows[] = {
		{{1, 1, 1, 1}, "abcd"},       {{2, 1, 1}, "abac"},       {{20, 10, 10}, "abac"},
		{{1, 1, 2}, "cacb"},          {{3, 3, 1}, "abababc"},    {{5}, "a"},
		{{4, 3, 2, 1}, "abacbadabc"}, {{2, 2, 2, 1}, "abcabcd"},
	};

	(void)state;
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		size_t count = 0;

		given_members(4, 1);
		for (; count < 4 && rows[row].weights[count]; count++)
			members[count].weight = rows[row].weights[count];
		assert_int_equal(interleave(count), strlen(rows[row].turns));
		for (size_t slot = 0; rows[row].turns[slot]; slot++)
			assert_int_equal('a' + ring[slot], rows[row].turns[slot]);
	}
}

static void turns_follow_weights_exactly_where_they_fit(void **state)
{
	(void)state;
	given_members(300, 1);
	for (size_t i = 0; i < 300; i++)
		members[i].weight = (__u16)(1 + i);
	count_shares(300, interleave(300));
	for (size_t i = 0; i < 300; i++)
		assert_int_equal(shares[i], members[i].weight);
}

static void turns_of_heavy_weights_are_scaled(void **state)
{
	(void)state;
	given_members(MEMBERS_MAX, 65535);
	members[0].weight = 1;
	members[1].weight = 32768;
	count_shares(MEMBERS_MAX, interleave(MEMBERS_MAX));
	assert_int_equal(shares[0], 1);
	assert_in_range(shares[1], 7, 9);
	assert_in_range(shares[2], 15, 16);
}

static void round_robin_does_not_depend_on_order(void **state)
{
	__u32 length;

	(void)state;
	given_members(50, 2);
	for (size_t i = 0; i < 50; i++)
		members[i].weight = (__u16)(1 + i % 5);
	length = interleave(50);
	memcpy(other_ring, ring, length * sizeof(*ring));

	shuffle(50);

	assert_int_equal(interleave(50), length);
	assert_memory_equal(ring, other_ring, length * sizeof(*ring));
}

static void nobody_needs_no_ring(void **state)
{
	(void)state;
	assert_int_equal(interleave(0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(turns_are_interleaved),
		cmocka_unit_test(turns_follow_weights_exactly_where_they_fit),
		cmocka_unit_test(turns_of_heavy_weights_are_scaled),
		cmocka_unit_test(round_robin_does_not_depend_on_order),
		cmocka_unit_test(nobody_needs_no_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
