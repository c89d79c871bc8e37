/*
 * Documents read a service at a time: the same services as from the whole, and nothing taken that
 * the whole would be refused for. Runs in the root of the source tree, for docs/examples.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "control/tables_parts.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define WEB "{\"address\":\"10.96.0.10\",\"port\":80}"
#define DNS                                                                                        \
	"{\"address\":\"10.96.0.11\",\"port\":53,\"protocol\":\"udp\","                            \
	"\"backends\":[{\"address\":\"10.1.0.5\",\"port\":53},{\"address\":\"10.1.0.6\","          \
	"\"port\":53,\"weight\":3}]}"
#define MANY_BACKENDS 4000u

static bool read_pieces(const char *text, struct tables *tables)
{
	return tables_read_pieces(text, strlen(text), SOURCE_FILE, tables);
}

/* The same from the tree of the whole document. */
static struct tables read_whole(const char *text)
{
	struct tables tables = {0};
	struct refusal refusal = {{0}};
	json_t *document = tables_load_text(text, strlen(text), &refusal);

	if (!document || tables_decode(document, SOURCE_FILE, &tables, &refusal))
		fail_msg("%s", refusal.text);
	json_decref(document);
	return tables;
}

static void assert_same(const struct tables *tables, const struct tables *whole)
{
	assert_int_equal(tables->service_count, whole->service_count);
	for (size_t i = 0; i < whole->service_count; i++) {
		assert_true(service_equal(tables->services[i], whole->services[i]));
		assert_int_equal(tables->services[i]->source, SOURCE_FILE);
	}
	assert_int_equal(tables->deny_count, whole->deny_count);
}

static void services_are_those_of_the_whole(void **state)
{
	static const char *const TEXTS[] = {
		"{\"services\":[" WEB "]}",
		"{\"services\":[" WEB "," DNS "]}",
		" \t\r\n{ \"services\" :\n[ " WEB " ,\n " DNS " ]\n} \n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(TEXTS); i++) {
		struct tables tables = {0}, whole = read_whole(TEXTS[i]);

		assert_true(read_pieces(TEXTS[i], &tables));
		assert_same(&tables, &whole);
		tables_finish(&tables);
		tables_finish(&whole);
	}
}

/* Larger than the scratch that most services fit in, and more than one of them. */
static void a_service_of_many_backends_is_read(void **state)
{
	char *text = calloc(MANY_BACKENDS + 10, 2 * 64);
	size_t used = 0;
	struct tables tables = {0}, whole;

	(void)state;
	assert_non_null(text);
	for (unsigned int i = 0; i < 2; i++) {
		used += (size_t)sprintf(text + used,
					"%s{\"address\":\"10.96.1.%u\",\"port\":80,"
					"\"backends\":[",
					i ? "," : "{\"services\":[", i + 1);
		for (unsigned int j = 0; j < MANY_BACKENDS; j++)
			used += (size_t)sprintf(text + used,
						"%s{\"address\":\"10.1.%u.%u\",\"port\":80}",
						j ? "," : "", j / 256, j % 256);
		used += (size_t)sprintf(text + used, "]}");
	}
	strcpy(text + used, "]}");
	whole = read_whole(text);

	assert_true(read_pieces(text, &tables));

	assert_same(&tables, &whole);
	assert_int_equal(tables.services[1]->backend_count, MANY_BACKENDS);
	tables_finish(&tables);
	tables_finish(&whole);
	free(text);
}

/* Each is refused, or is none of a list of services alone: the whole document is asked. */
static void anything_else_is_left_to_the_whole(void **state)
{
	static const char *const TEXTS[] = {
		"",
		"{",
		"{}",
		"[]",
		"[" WEB "]",
		"{\"services\"",
		"{\"services\":",
		"{\"services\":[",
		"{\"services\":[]}",
		"{\"services\":null}",
		"{\"services\":[" WEB,
		WEB,
		"{\"services\":[" WEB "]",
		"{\"services\":[" WEB ",]}",
		"{\"services\":[" WEB "}",
		"{\"services\":[" WEB " " DNS "]}",
		"{\"services\":[" WEB "," WEB "]}",
		"{\"services\":[" WEB "]},",
		"{\"services\":[" WEB "]} {}",
		"{\"services\":[" WEB "],\"deny\":[]}",
		"{\"deny\":[],\"services\":[" WEB "]}",
		"{\"services\":[" WEB "],\"services\":[" DNS "]}",
		"{\"services\":[[]]}",
		"{\"services\":[1]}",
		"{\"services\":[null]}",
		"{\"services\":[{}]}",
		"{\"services\":[" WEB ",{\"address\":\"10.96.0.11\",\"port\":0}]}",
		"{\"services\":[{\"address\":\"10.96.0.10\",\"port\":80,\"port\":80}]}",
		"{\"services\":[{\"address\":\"10.96.0.10\",\"port\":80,\"other\":1}]}",
		"{\"services\":[{\"address\":\"10.96.0.10\xff\",\"port\":80}]}",
		"{\"kind\":\"List\",\"items\":[]}",
		"\xef\xbb\xbf{\"services\":[" WEB "]}",
	};
	const struct tables untouched = {.service_count = 7};

	(void)state;
	for (size_t i = 0; i < COUNT(TEXTS); i++) {
		struct tables tables = untouched;

		if (read_pieces(TEXTS[i], &tables))
			fail_msg("took %s", TEXTS[i]);
		assert_memory_equal(&tables, &untouched, sizeof(tables));
	}
}

static void the_text_ends_where_it_is_said_to_end(void **state)
{
	static const char TEXT[] = "{\"services\":[" WEB "]}";
	struct tables tables = {0};

	(void)state;
	for (size_t size = 0; size < strlen(TEXT); size++) {
		char *exact = malloc(size + 1); /* so that a sanitizer sees who reads on */

		assert_non_null(exact);
		memcpy(exact + 1, TEXT, size);
		assert_false(tables_read_pieces(exact + 1, size, SOURCE_FILE, &tables));
		free(exact);
	}
	assert_false(tables_read_pieces("{\"services\":[" WEB "]}", sizeof(TEXT), SOURCE_FILE,
					&tables)); /* with a NUL */
}

static void a_file_is_read_as_the_whole_or_refused_as_the_whole(void **state)
{
	static const char *const FILES[] = {"docs/examples/minimal.json", "docs/examples/full.json",
					    "docs/examples/grammar.json",
					    "docs/examples/kubernetes-list.json"};

	(void)state;
	for (size_t i = 0; i < COUNT(FILES); i++) {
		struct refusal refusal = {{0}};
		json_t *document = tables_load_file(FILES[i], &refusal);
		struct tables tables = {0}, whole = {0};

		assert_non_null(document);
		assert_int_equal(tables_decode(document, SOURCE_FILE, &whole, &refusal), 0);
		assert_int_equal(tables_read_file(FILES[i], SOURCE_FILE, &tables, &refusal), 0);
		assert_same(&tables, &whole);
		json_decref(document);
		tables_finish(&tables);
		tables_finish(&whole);
	}
}

/* What standard input has to say, by the words of the refusal. */
static void assert_refused(const char *text, const char *words)
{
	struct tables tables = {0};
	struct refusal refusal = {{0}};
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
	close(ends[1]);
	dup2(ends[0], STDIN_FILENO);
	close(ends[0]);
	assert_int_not_equal(tables_read_file("-", SOURCE_FILE, &tables, &refusal), 0);
	assert_string_equal(refusal.text, words);
}

static void a_refusal_names_line_and_column_or_the_path(void **state)
{
	struct refusal refusal = {{0}};
	struct tables tables = {0};

	(void)state;
	assert_refused("{\"services\":[" WEB ",\n" WEB "}",
		       "standard input: line 2, column 35: ']' expected near '}'");
	assert_refused("{\"services\":[" DNS ",{\"address\":\"10.96.0.12\",\"port\":80,"
		       "\"backends\":[{\"address\":\"10.1.0.5\",\"port\":70000}]}]}",
		       "services[1].backends[0].port: 70000 is not 1–65535");
	assert_refused("{\"services\":[" WEB "," WEB "]}",
		       "services[1]: 10.96.0.10:80/tcp is already services[0]");
	assert_int_equal(tables_read_file("/nonexistent", SOURCE_FILE, &tables, &refusal), -ENOENT);
	assert_string_equal(refusal.text,
			    "/nonexistent: cannot be read: No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services_are_those_of_the_whole),
		cmocka_unit_test(a_service_of_many_backends_is_read),
		cmocka_unit_test(anything_else_is_left_to_the_whole),
		cmocka_unit_test(the_text_ends_where_it_is_said_to_end),
		cmocka_unit_test(a_file_is_read_as_the_whole_or_refused_as_the_whole),
		cmocka_unit_test(a_refusal_names_line_and_column_or_the_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
