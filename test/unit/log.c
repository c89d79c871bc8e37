/*
 * The log: one event is one line, whatever is in it.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "control/log.h"

#define LOGGED_MAX 8192
#define LINE_MAX_BYTES 2048

static int stderr_fd; /* the real one, while ours is a pipe */
static int pipe_fds[2];
static char logged[LOGGED_MAX];

static int open_log(void **state)
{
	(void)state;
	stderr_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	if (stderr_fd < 0 || pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK))
		return -1;
	return dup2(pipe_fds[1], STDERR_FILENO) < 0 ? -1 : 0;
}

static int close_log(void **state)
{
	(void)state;
	dup2(stderr_fd, STDERR_FILENO);
	close(stderr_fd);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return 0;
}

/* What was written since the last call. */
static const char *read_log(void)
{
	ssize_t length = read(pipe_fds[0], logged, sizeof(logged) - 1);

	assert_true(length > 0);
	logged[length] = '\0';
	return logged;
}

static void assert_one_line(const char *text)
{
	const char *newline = strchr(text, '\n');

	assert_non_null(newline);
	assert_int_equal(newline[1], '\0');
}

static void an_event_is_a_line_of_level_event_and_fields(void **state)
{
	(void)state;
	log_info("attached", "interface=%s mode=%s", "eth0", "native");
	assert_string_equal(read_log(), "level=info event=attached interface=eth0 mode=native\n");
	log_warning("late", "seconds=%d", 3);
	assert_string_equal(read_log(), "level=warning event=late seconds=3\n");
	log_error("ended", "%s", "");
	assert_string_equal(read_log(), "level=error event=ended \n");
}

static void an_event_without_fields_ends_after_its_name(void **state)
{
	const char *none = ""; /* gcc warns of an empty format that it sees */

	(void)state;
	log_event(LOG_LEVEL_INFO, "ready", none, NULL);

	assert_string_equal(read_log(), "level=info event=ready\n");
}

static void values_are_quoted_where_a_reader_would_stumble(void **state)
{
	static const char *const rows[][2] = {
		{"eth0", "eth0"},
		{"10.96.0.10:80/tcp", "10.96.0.10:80/tcp"},
		{"", "\"\""},
		{"two words", "\"two words\""},
		{" ", "\" \""},
		{"say \"no\"", "\"say \\\"no\\\"\""},
		{"a\\b", "\"a\\\\b\""},
		{"key=value", "\"key=value\""},
		{"first\nsecond", "\"first\\x0asecond\""},
		{"\r\t\x1b[31m", "\"\\x0d\\x09\\x1b[31m\""},
		{"\x01\x7f", "\"\\x01\\x7f\""},
		{"1–65535", "\"1–65535\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(log_quote(rows[i][0]), rows[i][1]);
}

static void a_quoted_value_never_breaks_the_line(void **state)
{
	char value[256];

	(void)state;
	for (int i = 0; i < 255; i++)
		value[i] = (char)(i + 1);
	value[255] = '\0';

	log_info("odd", "value=%s", log_quote(value));

	assert_one_line(read_log());
}

static void five_quoted_values_stay_valid_together(void **state)
{
	const char *quoted[5];
	char expected[8];

	(void)state;
	for (int i = 0; i < 5; i++) {
		snprintf(expected, sizeof(expected), "v %d", i);
		quoted[i] = log_quote(expected);
	}

	for (int i = 0; i < 5; i++) {
		snprintf(expected, sizeof(expected), "\"v %d\"", i);
		assert_string_equal(quoted[i], expected);
	}
}

/* Of each kind of character, because they take one, two or four bytes when quoted. */
static void a_very_long_value_is_cut_and_its_quotes_closed(void **state)
{
	static const char characters[] = {' ', '"', '\\', '\n', '\x7f'};
	static char value[100000];

	(void)state;
	for (size_t i = 0; i < sizeof(characters); i++) {
		const char *quoted;

		for (size_t offset = 0; offset < 5; offset++) {
			memset(value, 'a', offset);
			memset(value + offset, characters[i], sizeof(value) - 1 - offset);
			quoted = log_quote(value);
			assert_in_range(strlen(quoted), 1000, 1023);
			assert_int_equal(quoted[0], '"');
			assert_int_equal(quoted[strlen(quoted) - 1], '"');
		}
	}
}

static void a_very_long_line_is_cut_and_ends_with_a_newline(void **state)
{
	static char value[100000];

	(void)state;
	memset(value, 'x', sizeof(value) - 1);
	for (size_t length = LINE_MAX_BYTES - 40; length < LINE_MAX_BYTES + 10; length++) {
		log_info("long", "value=%.*s", (int)length, value);
		assert_one_line(read_log());
		assert_in_range(strlen(logged), LINE_MAX_BYTES - 40, LINE_MAX_BYTES);
	}
	log_info("long", "value=%s end=1", value);
	assert_one_line(read_log());
	assert_null(strstr(logged, "end=1"));

	log_event(LOG_LEVEL_INFO, value, "a=%d", 1);
	assert_one_line(read_log());
}

#define WITH_LOG(test) cmocka_unit_test_setup_teardown(test, open_log, close_log)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_LOG(an_event_is_a_line_of_level_event_and_fields),
		WITH_LOG(an_event_without_fields_ends_after_its_name),
		cmocka_unit_test(values_are_quoted_where_a_reader_would_stumble),
		WITH_LOG(a_quoted_value_never_breaks_the_line),
		cmocka_unit_test(five_quoted_values_stay_valid_together),
		cmocka_unit_test(a_very_long_value_is_cut_and_its_quotes_closed),
		WITH_LOG(a_very_long_line_is_cut_and_ends_with_a_newline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
