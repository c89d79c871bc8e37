/*
 * Lists of a resource: page by page, broken off and begun anew, and what is no list.
 */
#include "test/unit/kube_watch_fixture.h"

static void a_list_comes_in_pages(void **state)
{
	(void)state;
	pass_time();
	assert_lists();
	gives_page(PAGE("\"resourceVersion\":\"7\",\"continue\":\"p/2=\"", ITEM("a")));
	assert_asks("/api/v1/services?limit=500&continue=p%2F2%3D&labelSelector=%21a");
	gives_page(PAGE("\"resourceVersion\":\"7\",\"continue\":\"p3\"", ITEM("b")));
	gives_page(PAGE("\"resourceVersion\":\"7\",\"continue\":\"\"", ""));
	assert_string_equal(told, "begin +a +b end ");
	assert_watches_from("7");
	assert_int_equal(describe().objects, 2);
}

static void a_list_that_breaks_begins_anew(void **state)
{
	(void)state;
	pass_time();
	gives_page(PAGE("\"resourceVersion\":\"7\",\"continue\":\"p2\"", ITEM("a")));
	answers(200);
	assert_true(sends("{\"kind\":\"ServiceList\",\"items\":[" ITEM("b") ",{\"meta"));
	breaks();
	assert_waits(500);
	pass_time();
	assert_lists();
	assert_string_equal(told, "begin +a +b begin ");
}

static void a_page_that_expired_makes_the_next_list_one_page(void **state)
{
	(void)state;
	pass_time();
	gives_page(PAGE("\"resourceVersion\":\"7\",\"continue\":\"p2\"", ITEM("a")));
	refuses_with(410);
	pass_time();
	assert_asks("/api/v1/services?labelSelector=%21a");
	gives_page(PAGE("\"resourceVersion\":\"9\"", ITEM("a")));
	assert_string_equal(told, "begin +a begin +a end ");
	assert_watches_from("9");
	refuses_with(410);
	pass_time();
	assert_lists();
}

static void what_is_no_list_is_not_believed(void **state)
{
	static const char *const answers_of[] = {
		"",
		"{}",
		"{\"kind\":\"Status\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[]}",
		PAGE("", ITEM("a")),
		PAGE("\"resourceVersion\":7", ""),
		"{\"kind\":\"ServiceList\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[",
		"{\"kind\":\"ServiceList\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[],}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(answers_of) / sizeof(answers_of[0]); i++) {
		pass_time();
		gives_page(answers_of[i]);
		assert_waits(30000);
		assert_null(strstr(told, "end"));
	}
	assert_string_equal(logged, "kube-lost ");
}

static void items_that_are_no_objects_end_the_list(void **state)
{
	static const char *const items[] = {
		PAGE("", "null"),
		PAGE("", "{}"),
		PAGE("", "{\"metadata\":5}"),
		PAGE("", "{\"metadata\":{\"name\":5}}"),
		PAGE("", "{\"a\":}"),
		"<html>",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
		pass_time();
		answers(200);
		assert_false(sends(items[i]));
		breaks();
		assert_waits(30000);
	}
	assert_null(strstr(told, "+"));
}

/* As an API server passes it on in metadata.managedFields. */
static void an_object_with_what_is_no_text_is_put(void **state)
{
	static const char *const fields[] = {"f:\\u0000", "f:\xff", "f:\xed\xa0\x80", "f:\\ud800",
					     "f:\xc3\xa4\xc3\\\\u"};
	char text[256];

	(void)state;
	pass_time();
	answers(200);
	assert_true(sends("{\"kind\":\"ServiceList\",\"metadata\":{\"resourceVersion\":\"7\"},"
			  "\"items\":["));
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		snprintf(text, sizeof(text),
			 "%s{\"metadata\":{\"name\":\"%c\",\"fieldsV1\":{\"%s\":{}}}}",
			 i ? "," : "", (char)('a' + i), fields[i]);
		assert_true(sends(text));
	}
	assert_true(sends("]}"));
	ends();
	assert_string_equal(told, "begin +a +b +c +d +e end ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WATCH(a_list_comes_in_pages),
		WITH_WATCH(a_list_that_breaks_begins_anew),
		WITH_WATCH(a_page_that_expired_makes_the_next_list_one_page),
		WITH_WATCH(what_is_no_list_is_not_believed),
		WITH_WATCH(items_that_are_no_objects_end_the_list),
		WITH_WATCH(an_object_with_what_is_no_text_is_put),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
