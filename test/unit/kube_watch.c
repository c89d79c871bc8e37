/*
 * Watches of a resource: what events do, and what comes after each way that a watch can end.
 */
#include "test/unit/kube_watch_fixture.h"

#include <errno.h>
#include "control/kube/backoff.h"

static void events_become_puts_and_removals(void **state)
{
	(void)state;
	given_connected();
	assert_true(sends(EVENT("ADDED", "c", "8") EVENT("MODIFIED", "a", "9")));
	assert_true(sends(EVENT("DELETED", "b", "11")));
	assert_string_equal(told, "+c +a -b ");
	assert_int_equal(describe().objects, 2);
	assert_string_equal(describe().resource_version, "11");
	ends();
	assert_watches_from("11");
}

/* After a cut; the server counts from where we are. */
static void is_asked_where_it_is(void)
{
	assert_asks("/api/v1/services?limit=1&labelSelector=%21a");
	gives_page(PAGE("\"resourceVersion\":\"99\"", ITEM("c")));
}

static void a_bookmark_moves_the_version_alone(void **state)
{
	(void)state;
	given_connected();
	assert_true(sends("{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{"
			  "\"resourceVersion\":\"99\"}}}\n"));
	assert_string_equal(told, "");
	breaks();
	pass_time();
	is_asked_where_it_is();
	assert_watches_from("99");
}

static void what_comes_twice_is_taken_once(void **state)
{
	(void)state;
	given_connected();
	assert_true(sends(EVENT("ADDED", "c", "8") EVENT("ADDED", "c", "8")));
	assert_string_equal(told, "+c ");
	assert_int_equal(describe().objects, 3);
}

static void what_comes_out_of_order_is_listed_again(void **state)
{
	(void)state;
	given_connected();
	assert_true(sends(EVENT("ADDED", "c", "10")));
	assert_false(sends(EVENT("MODIFIED", "a", "9")));
	breaks();
	assert_string_equal(told, "+c ");
	pass_time();
	assert_lists();
}

static void versions_that_are_no_numbers_are_only_compared(void **state)
{
	(void)state;
	given_connected();
	assert_true(sends(EVENT("ADDED", "c", "x&y") EVENT("ADDED", "c", "x&y")));
	assert_true(sends(EVENT("ADDED", "d", "a")));
	assert_true(sends(EVENT("ADDED", "e", "x&y")));
	assert_string_equal(told, "+c +d +e ");
	ends();
	assert_watches_from("x%26y");
}

static void what_is_forgotten_is_listed_without_a_gap(void **state)
{
	(void)state;
	given_connected();
	assert_false(sends(ERROR_EVENT("410")));
	breaks();
	assert_waits(500);
	assert_string_equal(told, "");
	pass_time();
	assert_string_equal(told, "begin ");
	gives_page(PAGE("\"resourceVersion\":\"20\"", ITEM("b")));
	assert_string_equal(told, "begin +b end ");
	refuses_with(410);
	pass_time();
	assert_lists();
}

static void loses_server(void)
{
	breaks();
	pass_time();
	ends_with(&(struct kube_result){.kind = 7, .error = "no connection"});
	pass_time();
}

static void a_server_that_was_away_is_asked_where_it_is(void **state)
{
	(void)state;
	given_connected();
	loses_server();
	assert_asks("/api/v1/services?limit=1&labelSelector=%21a");
	refuses_with(503);
	pass_time();
	assert_asks("/api/v1/services?limit=1&labelSelector=%21a");
	told[0] = '\0';
	gives_page(PAGE("\"resourceVersion\":\"8\",\"continue\":\"p2\"", ITEM("c")));
	assert_watches_from("7");
	assert_string_equal(told, "");
	answers(200);
	breaks(); /* perhaps it was away for a moment */
	pass_time();
	is_asked_where_it_is();
	assert_watches_from("7");
}

static void a_server_with_older_versions_is_another_one(void **state)
{
	static const char *const pages[] = {
		PAGE("\"resourceVersion\":\"6\"", ITEM("c")),
		"{}",
	};

	(void)state;
	given_connected();
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		loses_server();
		gives_page(pages[i]);
		pass_time();
		assert_lists();
		gives_page(PAGE("\"resourceVersion\":\"7\"", ITEM("a")));
		assert_watches_from("7");
		answers(200);
	}
}

static void a_server_that_was_away_and_has_forgotten_is_listed_soon(void **state)
{
	(void)state;
	given_connected();
	for (int i = 0; i < 10; i++) {
		refuses_with(503);
		pass_time();
	}
	answers(200);
	assert_false(sends(ERROR_EVENT("410")));
	breaks();
	assert_waits(500);
	pass_time();
	gives_page(PAGE("\"resourceVersion\":\"20\"", ITEM("b")));
	refuses_with(410);
	assert_waits(1000);
}

static void a_storm_of_410_is_waited_out_longer_and_longer(void **state)
{
	int longest = 0;

	(void)state;
	given_connected();
	for (int i = 0; i < 10; i++) {
		assert_false(sends(ERROR_EVENT("410")));
		breaks();
		longest = timer_ms > longest ? timer_ms : longest;
		pass_time();
		gives_page(PAGE("\"resourceVersion\":\"20\"", ITEM("b")));
		answers(200);
	}
	assert_in_range(longest, 15000, 30000);
}

static void what_found_no_memory_is_listed_again(void **state)
{
	static const char *const events[] = {EVENT("ADDED", "c", "8"), EVENT("MODIFIED", "a", "8"),
					     EVENT("DELETED", "b", "8")};

	(void)state;
	given_connected();
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		put_error = -ENOMEM;
		assert_false(sends(events[i]));
		breaks();
		assert_string_equal(describe().error, "out of memory");
		assert_waits(KUBE_BACKOFF_MOST_MS);
		put_error = 0;
		pass_time();
		assert_lists();
		gives_page(PAGE("\"resourceVersion\":\"7\"", ITEM("a") "," ITEM("b")));
		answers(200);
	}
}

static void errors_that_pass_go_on_from_the_same_version(void **state)
{
	static const char *const errors[] = {ERROR_EVENT("500"), ERROR_EVENT("504"),
					     ERROR_EVENT("429")};

	(void)state;
	given_connected();
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		assert_false(sends(errors[i]));
		breaks();
		pass_time();
		is_asked_where_it_is();
		assert_watches_from("7");
		answers(200);
	}
	assert_false(sends(ERROR_EVENT("403")));
	breaks();
	pass_time();
	assert_lists();
}

static void malformed_events_are_listed_over_and_told_once(void **state)
{
	static const char *const events[] = {
		"5\n",
		"{}\n",
		"{\"type\":5}\n",
		"{\"type\":\"RENAMED\",\"object\":" ITEM("a") "}\n",
		"{\"type\":\"ADDED\"}\n",
		"{\"type\":\"ADDED\",\"object\":[]}\n",
		"{\"type\":\"ADDED\",\"object\":" ITEM("a") "}\n",
		"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"9\"}}}\n",
		"{\"type\":\"BOOKMARK\",\"object\":{}}\n",
		"{\"type\":\"ADDED\",\"object\":{\"metadata\":,}}\n",
		"{\"type\":\"ADDED\",\"obj\n" EVENT("ADDED", "c", "8"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		given_connected();
		assert_false(sends(events[i]));
		breaks();
		assert_waits(500);
		assert_string_equal(told, "");
		assert_string_equal(logged, "kube-lost ");
	}
	pass_time();
	assert_lists();
}

static void an_event_that_is_too_large_leads_to_a_list(void **state)
{
	static char piece[65536];
	bool more = true;

	(void)state;
	given_connected();
	assert_true(
		sends("{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"name\":\"a\"},\"b\":\""));
	memset(piece, 'x', sizeof(piece) - 1);
	for (size_t i = 0; more && i < KUBE_OBJECT_BYTES_MAX / sizeof(piece) + 2; i++)
		more = sends(piece);
	assert_true(more);
	assert_false(sends("\"}}\n"));
	breaks();
	assert_string_equal(logged, "kube-object-skipped kube-lost ");
	pass_time();
	assert_lists();
}

static void a_watch_that_ends_goes_on_at_once_if_it_was_one(void **state)
{
	(void)state;
	given_connected();
	ends();
	assert_watches_from("7");
	answers(200);
	ends();
	assert_waits(500);
	pass_time();
	answers(200);
	ends();
	assert_waits(1000);
	pass_time();
	answers(200);
	now_ms += 1000;
	assert_true(sends("{\"type\":"));
	ends();
	assert_waits(500);
	pass_time();
	assert_watches_from("7");
}

static void a_server_that_says_nothing_is_given_up(void **state)
{
	(void)state;
	given_connected();
	ends();
	assert_int_equal(describe().state, KUBE_CONNECTING);
	assert_int_equal(timer_ms, KUBE_SILENCE_SECONDS * 1000);
	pass_time();
	assert_int_equal(cancelled, 1);
	assert_waits(500);
	pass_time();
	is_asked_where_it_is();
	assert_watches_from("7");
}

static void who_it_is_is_looked_at_again_after_401(void **state)
{
	(void)state;
	pass_time();
	refuses_with(403);
	assert_int_equal(renewed, 0);
	pass_time();
	refuses_with(401);
	assert_int_equal(renewed, 1);
	assert_string_equal(describe().error, "refused");
	assert_waits(1000);
}

static void a_server_that_asks_for_time_gets_it(void **state)
{
	(void)state;
	given_connected();
	ends();
	ends_with(&(struct kube_result){.status = 429,
					.is_whole = true,
					.kind = 1429,
					.retry_seconds = 9,
					.error = "later"});
	assert_in_range(timer_ms, 9001, 9500);
	pass_time();
	assert_watches_from("7");
}

static void what_stays_wrong_is_told_once_and_what_is_right_again_too(void **state)
{
	(void)state;
	given_connected();
	for (int i = 0; i < 20; i++) {
		breaks();
		assert_waits(30000);
		pass_time();
	}
	refuses_with(500);
	pass_time();
	is_asked_where_it_is();
	answers(200);
	assert_string_equal(logged, "kube-lost kube-lost kube-connected ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WATCH(events_become_puts_and_removals),
		WITH_WATCH(a_bookmark_moves_the_version_alone),
		WITH_WATCH(what_comes_twice_is_taken_once),
		WITH_WATCH(what_comes_out_of_order_is_listed_again),
		WITH_WATCH(versions_that_are_no_numbers_are_only_compared),
		WITH_WATCH(what_is_forgotten_is_listed_without_a_gap),
		WITH_WATCH(a_server_that_was_away_is_asked_where_it_is),
		WITH_WATCH(a_server_with_older_versions_is_another_one),
		WITH_WATCH(a_server_that_was_away_and_has_forgotten_is_listed_soon),
		WITH_WATCH(a_storm_of_410_is_waited_out_longer_and_longer),
		WITH_WATCH(what_found_no_memory_is_listed_again),
		WITH_WATCH(errors_that_pass_go_on_from_the_same_version),
		WITH_WATCH(malformed_events_are_listed_over_and_told_once),
		WITH_WATCH(an_event_that_is_too_large_leads_to_a_list),
		WITH_WATCH(a_watch_that_ends_goes_on_at_once_if_it_was_one),
		WITH_WATCH(a_server_that_says_nothing_is_given_up),
		WITH_WATCH(who_it_is_is_looked_at_again_after_401),
		WITH_WATCH(a_server_that_asks_for_time_gets_it),
		WITH_WATCH(what_stays_wrong_is_told_once_and_what_is_right_again_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
