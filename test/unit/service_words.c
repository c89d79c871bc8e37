/*
 * The words of services and backends: what is written is read again, what is not is refused.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "lb/service.h"

static void every_word_is_read_as_it_is_written(void **state)
{
	enum backend_state backend_state = BACKEND_DOWN;
	enum algorithm algorithm = ALGORITHM_RANDOM;

	(void)state;
	for (unsigned int i = 0; i < _ALGORITHM_COUNT; i++) {
		assert_int_equal(algorithm_parse(algorithm_name(i), &algorithm), 0);
		assert_int_equal(algorithm, i);
	}
	for (unsigned int i = BACKEND_ACTIVE; i < _BACKEND_STATE_COUNT; i++) {
		assert_int_equal(backend_state_parse(backend_state_name(i), &backend_state), 0);
		assert_int_equal(backend_state, i);
	}
	assert_int_equal(algorithm_parse("Maglev", &algorithm), -EINVAL);
	assert_int_equal(algorithm, ALGORITHM_SOURCE_HASH);
	assert_int_equal(backend_state_parse("none", &backend_state), -EINVAL);
	assert_int_equal(backend_state, BACKEND_DOWN);
	assert_string_equal(source_name(SOURCE_FILE), "file");
	assert_string_equal(algorithm_name(_ALGORITHM_COUNT), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_word_is_read_as_it_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
