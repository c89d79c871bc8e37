/*
 * JSON texts put together: what jansson reads back is what was put in, in a scratch or without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "control/json_scratch.h"
#include "control/json_text.h"

#define ELEMENTS 20000

static void a_text_is_words_and_compact_values(void **state)
{
	struct json_text text = {0};
	char *bytes;

	(void)state;
	json_text_add(&text, "{\"put\":[");
	json_text_add_element(&text, json_pack("{s:i, s:s}", "a", 1, "b", "x\n[ \""));
	json_text_add_element(&text, json_string("["));
	json_text_add_element(&text, json_array());
	json_text_add_element(&text, json_null());
	json_text_add(&text, "],\"remove\":[");
	json_text_add(&text, "]}");
	bytes = json_text_finish(&text);

	assert_string_equal(
		bytes, "{\"put\":[{\"a\":1,\"b\":\"x\\n[ \\\"\"},\"[\",[],null],\"remove\":[]}");
	free(bytes);
	assert_null(text.bytes);
}

/* Values of all sizes, some larger than the scratch, and one of them with many parts. */
static json_t *make_element(size_t i)
{
	char word[300];

	memset(word, 'a' + (int)(i % 26), sizeof(word) - 1);
	word[i % sizeof(word)] = '\0';
	word[sizeof(word) - 1] = '\0';
	if (i == ELEMENTS / 2) {
		json_t *list = json_array();

		for (int j = 0; j < 5000; j++)
			json_array_append_new(list, json_pack("{s:i}", word, j));
		return list;
	}
	return json_pack("{s:s, s:i}", "word", word, "number", (int)i);
}

static void many_elements_in_a_scratch_read_back_as_they_were(void **state)
{
	struct json_text text = {0};
	struct json_scratch scratch;
	json_t *read;
	char *bytes;

	(void)state;
	json_scratch_open(&scratch);
	json_text_add(&text, "[");
	for (size_t i = 0; i < ELEMENTS; i++) {
		json_text_add_element(&text, make_element(i));
		json_scratch_empty(&scratch);
	}
	json_text_add(&text, "]");
	json_scratch_close(&scratch);
	bytes = json_text_finish(&text);

	read = json_loads(bytes, 0, NULL);
	assert_int_equal(json_array_size(read), ELEMENTS);
	for (size_t i = 0; i < ELEMENTS; i++) {
		json_t *element = make_element(i);

		assert_true(json_equal(json_array_get(read, i), element));
		json_decref(element);
	}
	json_decref(read);
	free(bytes);
}

/* Once a scratch was open, what was taken before, meanwhile and after goes where it came from. */
static void values_outlive_a_scratch_they_were_not_taken_from(void **state)
{
	json_t *before = json_pack("{s:s}", "a", "b");
	struct json_scratch scratch;
	json_t *after;

	(void)state;
	json_scratch_open(&scratch);
	json_decref(json_pack("[s, s]", "a", "b"));
	assert_true(scratch.used > 0);
	json_decref(before);
	json_scratch_close(&scratch);
	after = json_pack("{s:s}", "a", "b");
	json_scratch_open(&scratch);
	assert_int_equal(scratch.used, 0);
	assert_string_equal(json_string_value(json_object_get(after, "a")), "b");
	json_decref(after);
	json_scratch_close(&scratch);
}

static void a_value_there_was_no_memory_for_fails_the_text(void **state)
{
	struct json_text text = {0};

	(void)state;
	json_text_add(&text, "[");
	json_text_add_element(&text, NULL);
	json_text_add(&text, "]");
	assert_null(json_text_finish(&text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_is_words_and_compact_values),
		cmocka_unit_test(many_elements_in_a_scratch_read_back_as_they_were),
		cmocka_unit_test(values_outlive_a_scratch_they_were_not_taken_from),
		cmocka_unit_test(a_value_there_was_no_memory_for_fails_the_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
