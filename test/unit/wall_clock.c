/*
 * Times as people read them: milliseconds of the wall clock to RFC 3339 and back.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "control/wall_clock.h"

static void a_time_is_written_in_utc_and_read_back(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
		{0, "1970-01-01T00:00:00.000Z"},
		{1732594702250, "2024-11-26T04:18:22.250Z"},
		{1709164800001, "2024-02-29T00:00:00.001Z"},
		{253402300799999, "9999-12-31T23:59:59.999Z"},
	};
	char text[WALL_CLOCK_TEXT_MAX];
	int64_t ms;

	(void)state;
	setenv("TZ", "Asia/Tokyo", 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_string_equal(wall_clock_format(rows[i].ms, text), rows[i].text);
		assert_int_equal(wall_clock_parse(rows[i].text, &ms), 0);
		assert_true(ms == rows[i].ms);
	}
}

static void a_fraction_may_be_shorter_longer_or_absent(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* of the second */
	} rows[] = {
		{"2024-11-26T04:18:22Z", 0},        {"2024-11-26T04:18:22.Z", 0},
		{"2024-11-26T04:18:22.5Z", 500},    {"2024-11-26T04:18:22.25Z", 250},
		{"2024-11-26T04:18:22.1239Z", 123}, {"2024-11-26T04:18:22.000000001Z", 0},
	};
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(wall_clock_parse(rows[i].text, &ms), 0);
		assert_true(ms == 1732594702000 + rows[i].ms);
	}
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"tomorrow",
		"2024-11-26",
		"2024-11-26T04:18:22",
		"2024-11-26 04:18:22Z",
		"2024-11-26T04:18:22+01:00",
		"2024-11-26T04:18:22.5",
		"2024-11-26T04:18:22ZZ",
		"2024-11-26T04:18:22.5Z5",
		"2024-11-26T4:18:22Z",
		"2024-02-30T00:00:00Z",
		"2023-02-29T00:00:00Z",
		"2024-13-01T00:00:00Z",
		"2024-11-26T24:00:00Z",
		"2024-11-26T23:59:60Z",
		"-024-11-26T04:18:22Z",
		"+024-11-26T04:18:22Z",
		"1969-12-31T23:59:59Z",
		"12024-11-26T04:18:22Z",
	};
	int64_t ms = 42;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (wall_clock_parse(texts[i], &ms) != -EINVAL)
			fail_msg("\"%s\" is read as %lld", texts[i], (long long)ms);
		assert_true(ms == 42);
	}
}

static void what_is_left_of_a_second_counts(void **state)
{
	const int64_t now = wall_clock_ms();

	(void)state;
	assert_int_equal(wall_clock_seconds_until(now - 1000), 0);
	assert_int_equal(wall_clock_seconds_until(now), 0);
	assert_in_range(wall_clock_seconds_until(now + 60000), 50, 60);
	assert_in_range(wall_clock_seconds_until(now + 60900), 51, 61);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_time_is_written_in_utc_and_read_back),
		cmocka_unit_test(a_fraction_may_be_shorter_longer_or_absent),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(what_is_left_of_a_second_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
