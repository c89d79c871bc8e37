/*
 * Destinations: one slot an address, however many backends are there, and hooks that hear of the
 * first and of the last of them only.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "lb/address.h"
#include "lb/destination.h"

#define SLOTS 5u /* of the table; slot 0 is nobody's */
#define UNTOUCHED 4711u

/* What the hooks have heard, and of whom last. */
struct heard {
	int added, removed;
	int refusal; /* what is answered */
	struct address address;
	uint32_t slot;
};

static struct heard heard;
static struct destinations *destinations;
static struct address BACKEND_A, BACKEND_B, STRANGER;

static int hear_added(void *context, const struct address *address, uint32_t slot)
{
	struct heard *told = context;

	told->added++;
	told->address = *address;
	told->slot = slot;
	return told->refusal;
}

static void hear_removed(void *context, const struct address *address, uint32_t slot)
{
	struct heard *told = context;

	told->removed++;
	told->address = *address;
	told->slot = slot;
}

static int open_destinations(void **state)
{
	const struct destination_hooks hooks = {&heard, hear_added, hear_removed};

	(void)state;
	heard = (struct heard){};
	address_parse("10.1.0.5", &BACKEND_A);
	address_parse("fd00:1::5", &BACKEND_B);
	address_parse("10.9.9.9", &STRANGER);
	destinations = destinations_new(SLOTS, &hooks);
	return destinations ? 0 : -1;
}

static int close_destinations(void **state)
{
	(void)state;
	destinations_free(destinations);
	return 0;
}

static uint32_t hold(const struct address *address)
{
	uint32_t slot = 0;

	assert_int_equal(destinations_hold(destinations, address, &slot), 0);
	assert_in_range(slot, 1, SLOTS - 1);
	return slot;
}

static struct address address_number(unsigned int number)
{
	struct address address = BACKEND_B;

	address.word[0] = number;
	return address;
}

/* Every slot is held by an address of its own: number 1 in slots[0] and so on. */
static void given_a_full_table(uint32_t slots[SLOTS - 1])
{
	for (unsigned int i = 0; i < SLOTS - 1; i++) {
		const struct address address = address_number(i + 1);

		slots[i] = hold(&address);
	}
}

static void assert_heard(int added, int removed)
{
	assert_int_equal(heard.added, added);
	assert_int_equal(heard.removed, removed);
}

static void assert_last_heard_of(const struct address *address, uint32_t slot)
{
	assert_true(address_equal(&heard.address, address));
	assert_int_equal(heard.slot, slot);
}

static void backends_of_one_address_share_a_slot(void **state)
{
	uint32_t slot = hold(&BACKEND_A);

	(void)state;
	assert_int_equal(hold(&BACKEND_A), slot);
	assert_int_equal(hold(&BACKEND_A), slot);

	assert_int_equal(destinations_count(destinations), 1);
	assert_int_not_equal(hold(&BACKEND_B), slot);
	assert_int_equal(destinations_count(destinations), 2);
}

static void hooks_hear_of_the_first_and_the_last_backend_only(void **state)
{
	uint32_t slot = hold(&BACKEND_A);

	(void)state;
	assert_heard(1, 0);
	assert_last_heard_of(&BACKEND_A, slot);
	hold(&BACKEND_A);
	assert_int_equal(destinations_adopt(destinations, &BACKEND_A, slot), 0);
	assert_heard(1, 0);

	destinations_release(destinations, &BACKEND_A);
	destinations_release(destinations, &BACKEND_A);
	assert_heard(1, 0);
	assert_int_equal(destinations_count(destinations), 1);

	heard.slot = UNTOUCHED;
	destinations_release(destinations, &BACKEND_A);
	assert_heard(1, 1);
	assert_last_heard_of(&BACKEND_A, slot);
	assert_int_equal(destinations_count(destinations), 0);
}

static void an_address_that_comes_back_is_heard_of_again(void **state)
{
	(void)state;
	hold(&BACKEND_A);
	destinations_release(destinations, &BACKEND_A);

	uint32_t slot = hold(&BACKEND_A);

	assert_heard(2, 1);
	assert_last_heard_of(&BACKEND_A, slot);
}

static void releasing_a_stranger_changes_nothing(void **state)
{
	(void)state;
	hold(&BACKEND_A);

	destinations_release(destinations, &STRANGER);

	assert_heard(1, 0);
	assert_int_equal(destinations_count(destinations), 1);
	assert_false(destinations_resting(destinations));
}

static void an_adopted_address_keeps_the_slot_it_had(void **state)
{
	(void)state;
	assert_int_equal(destinations_adopt(destinations, &BACKEND_A, 3), 0);

	assert_heard(1, 0);
	assert_last_heard_of(&BACKEND_A, 3);
	assert_int_equal(hold(&BACKEND_A), 3);
	assert_int_equal(destinations_adopt(destinations, &BACKEND_A, 3), 0);
	for (int backends = 3; backends > 0; backends--) {
		assert_heard(1, 0);
		destinations_release(destinations, &BACKEND_A);
	}
	assert_heard(1, 1);
}

static void adopting_refuses_a_slot_that_cannot_be(void **state)
{
	const struct {
		const struct address *address;
		uint32_t slot;
		int error;
	} rows[] = {
		{&BACKEND_A, 3, -EEXIST}, /* it is in slot 2 */
		{&BACKEND_B, 2, -EEXIST}, /* that is BACKEND_A's */
		{&BACKEND_B, 0, -ERANGE},          {&BACKEND_B, SLOTS, -ERANGE},
		{&BACKEND_B, UINT32_MAX, -ERANGE},
	};

	(void)state;
	assert_int_equal(destinations_adopt(destinations, &BACKEND_A, 2), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(destinations_adopt(destinations, rows[i].address, rows[i].slot),
				 rows[i].error);

	assert_heard(1, 0);
	assert_int_equal(destinations_count(destinations), 1);
	destinations_release(destinations, &BACKEND_A); /* the refused ones were not counted */
	assert_heard(1, 1);
}

static void a_full_table_refuses_new_addresses_only(void **state)
{
	const struct address known = address_number(1);
	uint32_t slots[SLOTS - 1], slot = UNTOUCHED;

	(void)state;
	given_a_full_table(slots);

	assert_int_equal(destinations_hold(destinations, &STRANGER, &slot), -ENOSPC);

	assert_int_equal(slot, UNTOUCHED);
	assert_int_equal(hold(&known), slots[0]);
	assert_int_equal(destinations_count(destinations), SLOTS - 1);
	assert_heard(SLOTS - 1, 0);
}

static void a_slot_rests_until_it_is_settled(void **state)
{
	const struct address gone = address_number(3);
	uint32_t slots[SLOTS - 1], slot = UNTOUCHED;

	(void)state;
	given_a_full_table(slots);
	destinations_release(destinations, &gone);

	assert_true(destinations_resting(destinations));
	assert_int_equal(destinations_hold(destinations, &STRANGER, &slot), -ENOSPC);
	assert_int_equal(destinations_hold(destinations, &gone, &slot), -ENOSPC);
	assert_int_equal(destinations_adopt(destinations, &gone, slots[2]), -EEXIST);
	assert_int_equal(slot, UNTOUCHED);

	destinations_settle(destinations);
	assert_false(destinations_resting(destinations));
	assert_int_equal(hold(&STRANGER), slots[2]);
}

static void what_a_hook_refuses_is_not_held(void **state)
{
	uint32_t slot = UNTOUCHED;

	(void)state;
	heard.refusal = -ENOMEM;
	assert_int_equal(destinations_hold(destinations, &BACKEND_A, &slot), -ENOMEM);
	assert_int_equal(destinations_adopt(destinations, &BACKEND_B, 3), -ENOMEM);
	assert_int_equal(slot, UNTOUCHED);
	assert_int_equal(destinations_count(destinations), 0);
	assert_heard(2, 0);

	heard.refusal = 0;
	hold(&BACKEND_A);
	assert_heard(3, 0);
}

static void nobody_need_hear(void **state)
{
	static const struct destination_hooks NOBODY;
	struct destinations *others = destinations_new(SLOTS, &NOBODY);
	uint32_t slot;

	(void)state;
	assert_int_equal(destinations_hold(others, &BACKEND_A, &slot), 0);
	destinations_release(others, &BACKEND_A);
	assert_int_equal(destinations_count(others), 0);
	destinations_free(others);
}

static void freeing_tells_nobody(void **state)
{
	(void)state;
	hold(&BACKEND_A);
	destinations_free(destinations);
	destinations = NULL;

	assert_heard(1, 0);
	destinations_free(NULL);
}

#define WITH_DESTINATIONS(test)                                                                    \
	cmocka_unit_test_setup_teardown(test, open_destinations, close_destinations)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DESTINATIONS(backends_of_one_address_share_a_slot),
		WITH_DESTINATIONS(hooks_hear_of_the_first_and_the_last_backend_only),
		WITH_DESTINATIONS(an_address_that_comes_back_is_heard_of_again),
		WITH_DESTINATIONS(releasing_a_stranger_changes_nothing),
		WITH_DESTINATIONS(an_adopted_address_keeps_the_slot_it_had),
		WITH_DESTINATIONS(adopting_refuses_a_slot_that_cannot_be),
		WITH_DESTINATIONS(a_full_table_refuses_new_addresses_only),
		WITH_DESTINATIONS(a_slot_rests_until_it_is_settled),
		WITH_DESTINATIONS(what_a_hook_refuses_is_not_held),
		WITH_DESTINATIONS(nobody_need_hear),
		WITH_DESTINATIONS(freeing_tells_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
