/*
 * The cutting of lists and watches into objects: in pieces of any size, whatever stands in strings,
 * and with no more than one object in memory.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "control/kube/stream.h"

#define TOLD_MAX 4096
#define SHOWN_MAX 600 /* of an object */

static struct kube_stream stream;
static char told[TOLD_MAX]; /* objects and what was skipped, a line each */
static size_t told_size, longest;
static bool wants_more;

static bool note(const char *front, const char *text, size_t size)
{
	const size_t shown = size < SHOWN_MAX ? size : SHOWN_MAX;

	told_size += (size_t)snprintf(told + told_size, sizeof(told) - told_size, "%s%.*s\n", front,
				      (int)shown, text);
	longest = size > longest ? size : longest;
	return wants_more;
}

static bool take(void *context, const char *text, size_t size)
{
	(void)context;
	return note("", text, size);
}

static bool note_skipped(void *context, const char *beginning, size_t size, const char *why)
{
	char front[64];

	(void)context;
	snprintf(front, sizeof(front), "%s: ", why);
	return note(front, beginning, size);
}

static void begin(enum kube_stream_kind kind)
{
	const struct kube_stream_hooks hooks = {NULL, take, note_skipped};

	kube_stream_finish(&stream);
	kube_stream_init(&stream, kind, &hooks);
	told_size = longest = 0;
	told[0] = '\0';
	wants_more = true;
}

static int finish(void **state)
{
	(void)state;
	kube_stream_finish(&stream);
	return 0;
}

/* In pieces of so many bytes, each in memory of its own so that reading beyond it is seen. */
static int feed(const char *text, size_t size, size_t piece)
{
	int error = 0;

	for (size_t at = 0; !error && at < size; at += piece) {
		const size_t count = size - at < piece ? size - at : piece;
		char *copy = malloc(count);

		memcpy(copy, text + at, count);
		error = kube_stream_feed(&stream, copy, count);
		free(copy);
	}
	return error;
}

static void assert_told(enum kube_stream_kind kind, const char *text, const char *expected)
{
	for (size_t piece = 1; piece <= strlen(text); piece++) {
		begin(kind);
		assert_int_equal(feed(text, strlen(text), piece), 0);
		assert_string_equal(told, expected);
		assert_true(kube_stream_is_whole(&stream));
	}
}

static void assert_malformed(enum kube_stream_kind kind, const char *text)
{
	for (size_t piece = 1; piece <= strlen(text); piece++) {
		begin(kind);
		if (feed(text, strlen(text), piece) != -EINVAL)
			fail_msg("%s: not refused in pieces of %zu", text, piece);
	}
}

static void events_are_cut_wherever_the_pieces_are(void **state)
{
	(void)state;
	assert_told(
		KUBE_STREAM_EVENTS,
		"{\"type\":\"ADDED\",\"object\":{\"a\":[1,{}]}}\n {\"b\":2}{}\r\n\t{\"c\":[[]]}",
		"{\"type\":\"ADDED\",\"object\":{\"a\":[1,{}]}}\n{\"b\":2}\n{}\n{\"c\":[[]]}\n");
}

static void brackets_and_quotes_in_strings_count_for_nothing(void **state)
{
	static const char TEXT[] =
		"{\"a\\\"}\":\"]}{\\\\\"}{\"\\\\\\\"\":\"\\u005d}\\n\",\"z\":\"\"}";

	(void)state;
	assert_told(KUBE_STREAM_EVENTS, TEXT,
		    "{\"a\\\"}\":\"]}{\\\\\"}\n{\"\\\\\\\"\":\"\\u005d}\\n\",\"z\":\"\"}\n");
}

static void assert_frame(const char *expected)
{
	size_t size;
	const char *frame = kube_stream_frame(&stream, &size);

	assert_int_equal(size, strlen(expected));
	assert_memory_equal(frame, expected, size);
}

static void items_come_one_by_one_and_the_rest_is_the_frame(void **state)
{
	static const char *const texts[] = {
		"{\"kind\":\"L\",\"metadata\":{\"items\":[5]},\"items\":[{\"a\":1},{\"b\":[{}]}]}",
		"{\"kind\":\"L\",\"metadata\":{\"items\":[5]},\"items\":[\n{\"a\":1} ,\t"
		"{\"b\":[{}]} ]}",
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_told(KUBE_STREAM_LIST, texts[i], "{\"a\":1}\n{\"b\":[{}]}\n");
		assert_frame("{\"kind\":\"L\",\"metadata\":{\"items\":[5]},\"items\":[]}");
	}
	assert_told(KUBE_STREAM_LIST, " {\"items\" : [{}], \"kind\":\"items\"}\n", "{}\n");
	assert_frame("{\"items\" : [], \"kind\":\"items\"}");
}

static void what_only_looks_like_items_is_none(void **state)
{
	static const char *const texts[] = {
		"{}",
		"{\"items\":null}",
		"{\"items\":{}}",
		"{\"x\\\"items\":[1]}",
		"{\"a\":{\"items\":[1]}}",
		"{\"a\":[\"items\",[2]]}",
		"{\"Items\":[3],\"b\":\"items\"}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_told(KUBE_STREAM_LIST, texts[i], "");
		assert_frame(texts[i]);
	}
}

static void what_is_cut_short_is_not_whole(void **state)
{
	static const char LIST[] = "{\"kind\":\"L\",\"items\":[{\"a\":1},{\"b\":\"}\"}]}";
	static const char EVENT[] = "{\"type\":\"ADDED\",\"object\":{}}";

	(void)state;
	for (size_t size = 0; size < sizeof(LIST) - 1; size++) {
		begin(KUBE_STREAM_LIST);
		assert_int_equal(feed(LIST, size, 3), 0);
		assert_false(kube_stream_is_whole(&stream));
	}
	for (size_t size = 1; size < sizeof(EVENT) - 1; size++) {
		begin(KUBE_STREAM_EVENTS);
		assert_int_equal(feed(EVENT, size, 3), 0);
		assert_false(kube_stream_is_whole(&stream));
		assert_string_equal(told, "");
	}
	begin(KUBE_STREAM_EVENTS);
	assert_true(kube_stream_is_whole(&stream));
}

static void what_is_between_objects_is_refused(void **state)
{
	static const char *const events[] = {
		"[]", "5",      "{},{}",          "\"a\"",           "{}x",
		"}",  "<html>", "{\"a\":\"\n\"}", "{\"a\":1,\n{}\n", "{\"a\n"};
	static const char *const lists[] = {
		"[]",
		"null",
		"{\"items\":[1]}",
		"{\"items\":[{},null]}",
		"{\"items\":[[]]}",
		"{\"items\":[\"a\"]}",
		"{\"items\":[}]}",
		"{}{}",
		"{\"items\":[]} x",
		"{\"items\":[{\"a\":\"\t\"}]}",
		"{\"items\":[{\"a\":\"\\\n\"}]}",
		"{\"kind\":\"\n\",\"items\":[]}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		assert_malformed(KUBE_STREAM_EVENTS, events[i]);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		assert_malformed(KUBE_STREAM_LIST, lists[i]);
}

/* `{"metadata":{"name":"big"},"data":"xxx…"}` of so many bytes, and a small one after it. */
static char *make_large(size_t size)
{
	static const char FRONT[] = "{\"metadata\":{\"name\":\"big\"},\"data\":\"", END[] = "\"}{}";
	char *text = malloc(size + 3);

	assert_non_null(text);
	memset(text, 'x', size);
	memcpy(text, FRONT, sizeof(FRONT) - 1);
	memcpy(text + size - 2, END, sizeof(END));
	return text;
}

static void assert_large(size_t size, size_t piece, bool is_taken)
{
	char *text = make_large(size);

	begin(KUBE_STREAM_EVENTS);
	assert_int_equal(feed(text, size + 2, piece), 0);
	assert_ptr_equal(strstr(told, is_taken ? "{\"meta" : "too large: {\"meta"), told);
	assert_string_equal(told + told_size - 4, "\n{}\n");
	assert_true(kube_stream_is_whole(&stream));
	assert_true(stream.object.room <= 65536);
	free(text);
}

static void one_that_is_too_large_is_skipped_and_the_next_one_taken(void **state)
{
	(void)state;
	assert_large(KUBE_OBJECT_BYTES_MAX, 65536, true);
	assert_int_equal(longest, KUBE_OBJECT_BYTES_MAX);
	assert_large(KUBE_OBJECT_BYTES_MAX + 1, 65536, false);
	assert_large(KUBE_OBJECT_BYTES_MAX + 1, 999, false);
	assert_large(10u << 20, 16384, false);
	assert_true(longest <= 65536);
	assert_large(10u << 20, 20u << 20, false);
}

/* Memory does not grow with what is skipped. */
static void of_one_that_is_skipped_only_the_beginning_is_kept(void **state)
{
	char *text = make_large(8u << 20);

	(void)state;
	begin(KUBE_STREAM_EVENTS);
	assert_int_equal(feed(text, 7u << 20, 16384), 0);
	assert_true(stream.object.room <= 65536);
	free(text);
}

/* Objects in objects, of which the innermost is `inner`, and one more. */
static void nest(char *text, size_t depth, const char *inner)
{
	char *at = text;

	for (size_t i = 0; i < depth; i++)
		at += sprintf(at, "{\"a\":");
	at += sprintf(at, "%s", inner);
	for (size_t i = 0; i < depth; i++)
		at += sprintf(at, "}");
	sprintf(at, "\n{}\n");
}

static void what_is_nested_too_deep_is_left_out(void **state)
{
	static const char *const inner[][2] = {
		{"1", "1"},
		{"{}", "{}"},
		{"{\"a\": [{}, \"]}\\\"}\"], \"b\": 2}, \"c\": [[3], {}]", "{}, \"c\": []"},
	};
	char text[8 * KUBE_OBJECT_DEPTH_MAX], left[8 * KUBE_OBJECT_DEPTH_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(inner) / sizeof(inner[0]); i++) {
		nest(text, KUBE_OBJECT_DEPTH_MAX, inner[i][0]);
		nest(left, KUBE_OBJECT_DEPTH_MAX, inner[i][1]);
		for (size_t piece = 1; piece < 2 * strlen(text); piece += piece) {
			begin(KUBE_STREAM_EVENTS);
			assert_int_equal(feed(text, strlen(text), piece), 0);
			assert_string_equal(told, left);
		}
	}
}

static void a_frame_without_an_end_is_refused(void **state)
{
	char *text = make_large(KUBE_FRAME_BYTES_MAX + 10);

	(void)state;
	begin(KUBE_STREAM_LIST);
	assert_int_equal(feed(text, KUBE_FRAME_BYTES_MAX + 10, 1000), -EINVAL);
	free(text);
}

static void who_wants_no_more_gets_no_more(void **state)
{
	(void)state;
	begin(KUBE_STREAM_EVENTS);
	wants_more = false;
	assert_int_equal(feed("{\"a\":1}{\"b\":2}", 14, 14), -ECANCELED);
	assert_string_equal(told, "{\"a\":1}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_are_cut_wherever_the_pieces_are),
		cmocka_unit_test(brackets_and_quotes_in_strings_count_for_nothing),
		cmocka_unit_test(items_come_one_by_one_and_the_rest_is_the_frame),
		cmocka_unit_test(what_only_looks_like_items_is_none),
		cmocka_unit_test(what_is_cut_short_is_not_whole),
		cmocka_unit_test(what_is_between_objects_is_refused),
		cmocka_unit_test(one_that_is_too_large_is_skipped_and_the_next_one_taken),
		cmocka_unit_test(of_one_that_is_skipped_only_the_beginning_is_kept),
		cmocka_unit_test(what_is_nested_too_deep_is_left_out),
		cmocka_unit_test(a_frame_without_an_end_is_refused),
		cmocka_unit_test(who_wants_no_more_gets_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, finish);
}
