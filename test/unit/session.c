/*
 * Sessions over a real socket: however a client writes and reads, its requests are answered in
 * order, and no other client notices.
 */
#include "test/unit/server_fixture.h"

#define PIPELINED 1000
#define LARGE_ANSWER "8388608" /* bytes; no socket holds so many */
#define TOO_LONG (65u << 20)
#define ANSWER_WAIT_MS 100

static void a_request_split_over_many_writes_is_answered_once(void **state)
{
	static const char request[] = "{\"n\": [1, 2, {\"m\": \"\xe2\x82\xac\"}]}";
	int fd = connect_client();

	(void)state;
	for (size_t i = 0; i < strlen(request); i++) {
		assert_int_equal(send(fd, request + i, 1, MSG_NOSIGNAL), 1);
		pause_ms(1);
	}
	assert_silent(fd);
	say(fd, "\n");

	assert_answer(fd, "{\"result\":{\"n\":[1,2,{\"m\":\"\xe2\x82\xac\"}]}}");
	assert_silent(fd);
	close(fd);
}

static void requests_of_one_write_are_answered_in_order(void **state)
{
	char requests[PIPELINED * 16] = "", expected[64];
	int fd = connect_client();
	size_t used = 0;

	(void)state;
	for (int i = 0; i < PIPELINED; i++)
		used += (size_t)sprintf(requests + used, "{\"n\": %d}\n", i);
	say(fd, requests);

	for (int i = 0; i < PIPELINED; i++) {
		snprintf(expected, sizeof(expected), "{\"result\":{\"n\":%d}}", i);
		assert_answer(fd, expected);
	}
	assert_silent(fd);
	close(fd);
}

static void a_write_may_end_within_the_next_request(void **state)
{
	int fd = connect_client();

	(void)state;
	say(fd, "{\"n\": 1}\n{\"n\"");
	assert_answer(fd, "{\"result\":{\"n\":1}}");
	say(fd, ": 2}\n{\"n\": 3}");
	assert_answer(fd, "{\"result\":{\"n\":2}}");
	say(fd, "\n");
	assert_answer(fd, "{\"result\":{\"n\":3}}");
	close(fd);
}

static void a_half_closed_client_still_gets_its_answers(void **state)
{
	static const int settled[] = {0, 5, NEVER}; /* also answers that waited */

	(void)state;
	for (size_t i = 0; i < sizeof(settled) / sizeof(settled[0]); i++) {
		int fd = connect_client();

		questions = 0;
		settled_since = settled[i];
		say(fd, "{\"n\": 1}\n{\"n\": 2}\n");
		assert_int_equal(shutdown(fd, SHUT_WR), 0);

		assert_answer(fd, "{\"result\":{\"n\":1}}");
		assert_answer(fd, "{\"result\":{\"n\":2}}");
		assert_answer(fd, "");
		close(fd);
	}
}

static void a_request_that_its_client_did_not_end_is_not_answered(void **state)
{
	int fd = connect_client();

	(void)state;
	say(fd, "{\"n\": 1}\n{\"n\": 2}");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);

	assert_answer(fd, "{\"result\":{\"n\":1}}");
	assert_answer(fd, "");
	close(fd);
}

static void a_client_that_does_not_read_stops_no_other(void **state)
{
	int deaf = connect_client(), other = connect_client();
	size_t expected = strlen("{\"result\":\"") + (size_t)atoi(LARGE_ANSWER) + strlen("\"}\n");
	static char buffer[65536];

	(void)state;
	say(deaf, "{\"bytes\": " LARGE_ANSWER "}\n{\"n\": 2}\n");
	pause_ms(20);
	for (int i = 0; i < 100; i++)
		assert_answered(other);

	while (expected) {
		size_t wanted = expected < sizeof(buffer) ? expected : sizeof(buffer);
		ssize_t got = recv(deaf, buffer, wanted, 0);

		assert_true(got > 0);
		expected -= (size_t)got;
	}
	assert_answer(deaf, "{\"result\":{\"n\":2}}");
	close(deaf);
	close(other);
}

static void an_answer_goes_out_when_what_it_changed_is_settled(void **state)
{
	int fd = connect_client();

	(void)state;
	settled_since = 4;
	assert_answered(fd);

	assert_in_range(questions, 1, 4); /* fewer only if this machine stood still for 100 ms */
	settled_since = 0;
	assert_answered(fd);
	close(fd);
}

static void an_answer_that_is_never_settled_goes_out_all_the_same(void **state)
{
	int fd = connect_client();
	long asked_ms = clock_ms();

	(void)state;
	settled_since = NEVER;
	say(fd, "{\"n\": 1}\n{\"n\": 2}\n");
	pause_ms(ANSWER_WAIT_MS / 4);
	if (clock_ms() < asked_ms + ANSWER_WAIT_MS - 1)
		assert_silent(fd);

	assert_answer(fd, "{\"result\":{\"n\":1}}");
	assert_true(clock_ms() >= asked_ms + ANSWER_WAIT_MS - 1);
	assert_answer(fd, "{\"result\":{\"n\":2}}");
	assert_true(clock_ms() >= asked_ms + 2 * ANSWER_WAIT_MS - 1);
	close(fd);
}

static void a_client_that_leaves_while_its_answer_waits_is_forgotten(void **state)
{
	int leaver = connect_client(), other = connect_client();

	(void)state;
	settled_since = NEVER;
	say(leaver, "{\"n\": 1}\n{\"n\": 2}\n");
	pause_ms(5);
	close(leaver);

	assert_answered(other);
	close(other);
}

static void what_is_no_request_is_refused_and_ends_the_session(void **state)
{
	static const char *const rows[][2] = {
		{"[]", "a request is one JSON object a line"},
		{"5", ""},
		{"\"status\"", ""},
		{"null", ""},
		{"", "line 1"},
		{"{", "line 1"},
		{"status", "line 1, column"},
		{"{} {}", "line 1, column"},
		{"{\"n\": 1, \"n\": 2}", "duplicate"},
		{"{\"n\": \"\xff\"}", "line 1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = connect_client();

		assert_answered(fd);
		say(fd, rows[i][0]);
		say(fd, "\n");
		assert_error_ends(fd, rows[i][1]);
		close(fd);
	}
}

static void nothing_after_a_refused_request_is_answered(void **state)
{
	int fd = connect_client();

	(void)state;
	say(fd, "{\"n\": 1}\n[]\n{\"n\": 2}\n");

	assert_answer(fd, "{\"result\":{\"n\":1}}");
	assert_error_ends(fd, "a request is one JSON object a line");
	close(fd);
}

static void an_overlong_request_is_refused(void **state)
{
	char *request = malloc(TOO_LONG);
	int fd = connect_client();

	(void)state;
	assert_non_null(request);
	memset(request, ' ', TOO_LONG);
	for (size_t sent = 0; sent < TOO_LONG;) {
		ssize_t length = send(fd, request + sent, TOO_LONG - sent, MSG_NOSIGNAL);

		assert_true(length > 0);
		sent += (size_t)length;
	}

	assert_error_ends(fd, "a request is at most 64 MiB");
	close(fd);
	free(request);
}

/* It is given a second to read why; writing on does not prolong that. */
static void a_refused_client_that_writes_on_is_ended(void **state)
{
	int fd = connect_client();
	long refused_ms = clock_ms();
	ssize_t sent = 1;

	(void)state;
	say(fd, "[]\n");
	while (sent > 0 && clock_ms() < refused_ms + 5000) {
		sent = send(fd, " ", 1, MSG_NOSIGNAL);
		pause_ms(10);
	}

	assert_int_equal(sent, -1);
	assert_int_equal(errno, EPIPE);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(a_request_split_over_many_writes_is_answered_once),
		WITH_SERVER(requests_of_one_write_are_answered_in_order),
		WITH_SERVER(a_write_may_end_within_the_next_request),
		WITH_SERVER(a_half_closed_client_still_gets_its_answers),
		WITH_SERVER(a_request_that_its_client_did_not_end_is_not_answered),
		WITH_SERVER(a_client_that_does_not_read_stops_no_other),
		WITH_SERVER(an_answer_goes_out_when_what_it_changed_is_settled),
		WITH_SERVER(an_answer_that_is_never_settled_goes_out_all_the_same),
		WITH_SERVER(a_client_that_leaves_while_its_answer_waits_is_forgotten),
		WITH_SERVER(what_is_no_request_is_refused_and_ends_the_session),
		WITH_SERVER(nothing_after_a_refused_request_is_answered),
		WITH_SERVER(an_overlong_request_is_refused),
		WITH_SERVER(a_refused_client_that_writes_on_is_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
