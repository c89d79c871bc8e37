/*
 * How long failures are waited for: up to bounds that double, anywhere below them, and from the
 * start again once something has worked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "control/kube/backoff.h"

static void bounds_double_up_to_the_last(void **state)
{
	struct kube_backoff backoff = {0};
	unsigned int bound = KUBE_BACKOFF_FIRST_MS;

	(void)state;
	for (int i = 0; i < 100; i++) {
		struct kube_backoff same = backoff;

		assert_int_equal(kube_backoff_fail(&same, 0), 1);
		assert_int_equal(kube_backoff_fail(&backoff, bound - 1), bound);
		bound = bound * 2 < KUBE_BACKOFF_MOST_MS ? bound * 2 : KUBE_BACKOFF_MOST_MS;
	}
}

static void a_wait_is_never_none_and_never_longer(void **state)
{
	struct kube_backoff backoff = {0};
	unsigned int wait;

	(void)state;
	for (uint32_t random = 0; random < 100000; random++) {
		wait = kube_backoff_fail(&backoff, random * 2654435761u);
		assert_in_range(wait, 1, KUBE_BACKOFF_MOST_MS);
	}
}

static void after_a_success_it_begins_anew(void **state)
{
	struct kube_backoff backoff = {.failures = 50};

	(void)state;
	kube_backoff_reset(&backoff);
	assert_int_equal(kube_backoff_fail(&backoff, KUBE_BACKOFF_FIRST_MS - 1),
			 KUBE_BACKOFF_FIRST_MS);
}

static void failures_without_end_do_not_start_over(void **state)
{
	struct kube_backoff backoff = {.failures = UINT32_MAX};

	(void)state;
	assert_int_equal(kube_backoff_fail(&backoff, KUBE_BACKOFF_MOST_MS - 1),
			 KUBE_BACKOFF_MOST_MS);
	assert_int_equal(kube_backoff_fail(&backoff, KUBE_BACKOFF_MOST_MS - 1),
			 KUBE_BACKOFF_MOST_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds_double_up_to_the_last),
		cmocka_unit_test(a_wait_is_never_none_and_never_longer),
		cmocka_unit_test(after_a_success_it_begins_anew),
		cmocka_unit_test(failures_without_end_do_not_start_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
