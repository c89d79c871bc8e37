/*
 * When a proxy is healthy: kube-proxy's rule, with a clock of the test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "control/health.h"

#define NOW 1000000

static struct loop *loop;
static struct http *http;
static struct health *health;

static int make_health(void **state)
{
	(void)state;
	loop = loop_new();
	http = http_new(loop);
	health = health_new(http);
	return health ? 0 : -1;
}

static int free_health(void **state)
{
	(void)state;
	health_free(health);
	http_free(http);
	loop_free(loop);
	return 0;
}

static void it_is_healthy_while_it_starts(void **state)
{
	(void)state;
	assert_true(health_is_good(health, NOW));
}

static void a_change_may_wait_for_a_minute(void **state)
{
	(void)state;
	health_queued(health, NOW);

	assert_true(health_is_good(health, NOW));
	assert_true(health_is_good(health, NOW + HEALTH_TIMEOUT_MS - 1));
	assert_false(health_is_good(health, NOW + HEALTH_TIMEOUT_MS));
}

static void later_changes_do_not_prolong_the_wait_of_the_first(void **state)
{
	(void)state;
	health_queued(health, NOW);
	health_queued(health, NOW + HEALTH_TIMEOUT_MS - 1);

	assert_false(health_is_good(health, NOW + HEALTH_TIMEOUT_MS));
}

static void it_recovers_when_all_is_in_force(void **state)
{
	(void)state;
	health_queued(health, NOW);
	health_synced(health, NOW + 2 * HEALTH_TIMEOUT_MS);

	assert_true(health_is_good(health, NOW + 2 * HEALTH_TIMEOUT_MS));
}

/* An API server that is away brings no changes, so nothing waits. */
static void silence_is_healthy(void **state)
{
	(void)state;
	health_queued(health, NOW);
	health_synced(health, NOW + 1);

	assert_true(health_is_good(health, NOW + 1000ull * HEALTH_TIMEOUT_MS));
}

static void a_node_that_goes_says_nothing_of_the_proxy(void **state)
{
	(void)state;
	health_set_node_eligible(health, false);

	assert_true(health_is_good(health, NOW));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_health, free_health)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_is_healthy_while_it_starts),
		TEST(a_change_may_wait_for_a_minute),
		TEST(later_changes_do_not_prolong_the_wait_of_the_first),
		TEST(it_recovers_when_all_is_in_force),
		TEST(silence_is_healthy),
		TEST(a_node_that_goes_says_nothing_of_the_proxy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
