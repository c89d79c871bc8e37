/*
 * The grammar: what a document may say, in which words it is refused, and that what is encoded is
 * decoded to the same. Runs in the root of the source tree, for docs/examples.
 */
#include <arpa/inet.h>
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

#define SERVICE "\"address\":\"10.96.0.10\",\"port\":80"
#define SERVICE_IPV6 "\"address\":\"fd00::10\",\"port\":80"
#define BACKEND_A "\"address\":\"10.1.0.5\",\"port\":8080"

static json_t *load(const char *text)
{
	struct refusal refusal = {{0}};
	json_t *document = tables_load_text(text, strlen(text), &refusal);

	if (!document)
		fail_msg("%s", refusal.text);
	return document;
}

/* What decoding says of a text, on tables that must stay as they are. */
static int decode_refused(const char *text, struct refusal *refusal)
{
	struct tables tables = {.service_count = 7, .deny_count = 9};
	const struct tables untouched = tables;
	json_t *document = load(text);
	int error = tables_decode(document, SOURCE_FILE, &tables, refusal);

	json_decref(document);
	if (error)
		assert_false(tables_read_pieces(text, strlen(text), SOURCE_FILE, &tables));
	if (error)
		assert_memory_equal(&tables, &untouched, sizeof(tables));
	else
		tables_finish(&tables);
	return error;
}

static struct tables decode(const char *text)
{
	struct tables tables = {0};
	struct refusal refusal = {{0}};
	json_t *document = load(text);

	if (tables_decode(document, SOURCE_FILE, &tables, &refusal))
		fail_msg("%s", refusal.text);
	json_decref(document);
	return tables;
}

static void what_is_not_said_takes_its_default(void **state)
{
	struct tables tables =
		decode("{\"services\":[{" SERVICE ",\"backends\":[{" BACKEND_A "}]}]}");
	const struct service *service = tables.services[0];
	char text[ENDPOINT_TEXT_MAX];

	(void)state;
	assert_int_equal(tables.service_count, 1);
	assert_int_equal(tables.deny_count, 0);
	assert_string_equal(service_key_format(&service->key, text), "10.96.0.10:80/tcp");
	assert_null(service->name);
	assert_int_equal(service->algorithm, ALGORITHM_MAGLEV);
	assert_int_equal(service->affinity_seconds, 0);
	assert_int_equal(service->source_range_count, 0);
	assert_int_equal(service->backend_count, 1);
	assert_int_equal(service->backends[0].weight, 1);
	assert_int_equal(service->backends[0].state, BACKEND_ACTIVE);
	tables_finish(&tables);
}

static void every_service_belongs_to_the_source_of_the_document(void **state)
{
	struct tables tables = decode("{\"services\":[{" SERVICE "},{" SERVICE_IPV6 "}]}");

	(void)state;
	assert_int_equal(tables.services[0]->source, SOURCE_FILE);
	assert_int_equal(tables.services[1]->source, SOURCE_FILE);
	tables_finish(&tables);
}

static void a_document_may_say_nothing(void **state)
{
	static const char *const TEXTS[] = {"{}", "{\"services\":[]}",
					    "{\"deny\":[],\"services\":[]}"};

	(void)state;
	for (size_t i = 0; i < COUNT(TEXTS); i++) {
		struct tables tables = decode(TEXTS[i]);

		assert_int_equal(tables.service_count, 0);
		assert_int_equal(tables.deny_count, 0);
		tables_finish(&tables);
	}
}

static void denied_prefixes_are_read(void **state)
{
	struct tables tables = decode("{\"deny\":[{\"prefix\":\"203.0.113.0/24\"},"
				      "{\"prefix\":\"fd00::/8\"}]}");
	char text[ENDPOINT_TEXT_MAX];

	(void)state;
	assert_int_equal(tables.deny_count, 2);
	assert_string_equal(prefix_format(&tables.deny[0], text), "203.0.113.0/24");
	assert_string_equal(prefix_format(&tables.deny[1], text), "fd00::/8");
	tables_finish(&tables);
}

struct row {
	const char *text, *refusal;
};

static void check_refused(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct refusal refusal = {{0}};
		int error = decode_refused(rows[i].text, &refusal);

		assert_string_equal(refusal.text, rows[i].refusal);
		assert_true(error < 0);
	}
}

static void a_wrong_document_is_refused_by_path(void **state)
{
	static const struct row ROWS[] = {
		{"[]", "document: a list is not an object"},
		{"{\"service\":[]}", "service: unknown key; known are services, deny"},
		{"{\"services\":{}}", "services: an object is not a list"},
		{"{\"services\":null}", "services: null is not a list"},
		{"{\"services\":[5]}", "services[0]: 5 is not an object"},
		{"{\"services\":[{" SERVICE "},{" SERVICE_IPV6 "},{" SERVICE "}]}",
		 "services[2]: 10.96.0.10:80/tcp is already services[0]"},
		{"{\"services\":[{" SERVICE "},{" SERVICE ",\"protocol\":\"tcp\"}]}",
		 "services[1]: 10.96.0.10:80/tcp is already services[0]"},
		{"{\"deny\":{}}", "deny: an object is not a list"},
		{"{\"deny\":[\"10.0.0.0/8\"]}", "deny[0]: \"10.0.0.0/8\" is not an object"},
		{"{\"deny\":[{}]}", "deny[0].prefix: is required"},
		{"{\"deny\":[{\"prefix\":8}]}", "deny[0].prefix: 8 is not a string"},
		{"{\"deny\":[{\"prefix\":\"10.0.0.1/8\"}]}",
		 "deny[0].prefix: \"10.0.0.1/8\" has bits set beyond its length; "
		 "the range is 10.0.0.0/8"},
		{"{\"deny\":[{\"prefix\":\"10.0.0.0/8\",\"for\":60}]}",
		 "deny[0].for: unknown key; known are prefix"},
		{"{\"deny\":[{\"prefix\":\"fd00::1\"},{\"prefix\":\"fd00::1/128\"}]}",
		 "deny[1]: fd00::1/128 is already deny[0]"},
	};

	(void)state;
	check_refused(ROWS, COUNT(ROWS));
}

static const struct row WRONG_SERVICES[] = {
	{"{}", "services[0].address: is required"},
	{"{\"address\":\"10.96.0.10\"}", "services[0].port: is required"},
	{"{\"address\":7,\"port\":80}", "services[0].address: 7 is not a string"},
	{"{\"address\":\"web\",\"port\":80}",
	 "services[0].address: \"web\" is not an IPv4 or IPv6 address"},
	{"{\"address\":\"127.0.0.1\",\"port\":80}",
	 "services[0].address: 127.0.0.1 is a "
	 "loopback address; a service needs a unicast one"},
	{"{\"address\":\"10.96.0.10\",\"port\":70000}", "services[0].port: 70000 is not 1–65535"},
	{"{\"address\":\"10.96.0.10\",\"port\":0}", "services[0].port: 0 is not 1–65535"},
	{"{\"address\":\"10.96.0.10\",\"port\":-9223372036854775808}",
	 "services[0].port: -9223372036854775808 is not 1–65535"},
	{"{\"address\":\"10.96.0.10\",\"port\":80.0}", "services[0].port: 80.0 is not an integer"},
	{"{\"address\":\"10.96.0.10\",\"port\":\"80\"}",
	 "services[0].port: \"80\" is not an integer"},
	{"{\"address\":\"10.96.0.10\",\"port\":null}", "services[0].port: null is not an integer"},
	{"{" SERVICE ",\"color\":\"red\"}",
	 "services[0].color: unknown key; known are name, address, port, protocol, clients, "
	 "algorithm, affinity_seconds, masquerade, unserved, source_ranges, backends"},
	{"{" SERVICE ",\"co\\nlor\":\"red\"}",
	 "services[0].co?lor: unknown key; known are name, address, port, protocol, clients, "
	 "algorithm, affinity_seconds, masquerade, unserved, source_ranges, backends"},
	{"{" SERVICE ",\"clients\":\"pods\"}",
	 "services[0].clients: \"pods\" is not all, inside or outside"},
	{"{" SERVICE ",\"masquerade\":true}", "services[0].masquerade: true is not a string"},
	{"{" SERVICE ",\"masquerade\":\"all\"}",
	 "services[0].masquerade: \"all\" is not none, strangers or others"},
	{"{" SERVICE ",\"protocol\":\"sctp\",\"masquerade\":\"others\"}",
	 "services[0].masquerade: SCTP's checksum covers ports, which masquerading changes"},
	{"{" SERVICE ",\"unserved\":\"reset\"}",
	 "services[0].unserved: \"reset\" is not refuse or drop"},
	{"{" SERVICE ",\"protocol\":\"dccp\"}",
	 "services[0].protocol: \"dccp\" is not tcp, udp or sctp"},
	{"{" SERVICE ",\"algorithm\":\"fair\"}", "services[0].algorithm: \"fair\" is not "
						 "maglev, random, round-robin or source-hash"},
	{"{" SERVICE ",\"algorithm\":true}", "services[0].algorithm: true is not a string"},
	{"{" SERVICE ",\"affinity_seconds\":86401}",
	 "services[0].affinity_seconds: 86401 is not 0–86400"},
	{"{" SERVICE ",\"name\":\"web\"}",
	 "services[0].name: \"web\" is not a name; write NAMESPACE/NAME, each of letters, "
	 "digits, '.', '_' and '-'"},
	{"{" SERVICE ",\"name\":1}", "services[0].name: 1 is not a string"},
	{"{" SERVICE ",\"source_ranges\":\"10.0.0.0/8\"}",
	 "services[0].source_ranges: \"10.0.0.0/8\" is not a list"},
	{"{" SERVICE ",\"source_ranges\":[\"10.0.0.0/8\",\"fd00::/8\"]}",
	 "services[0].source_ranges[1]: fd00::/8 is IPv6, but the service's address "
	 "10.96.0.10 is IPv4"},
	{"{" SERVICE ",\"source_ranges\":[\"10.0.0.0/8\",\"10.0.0.0/8\"]}",
	 "services[0].source_ranges[1]: 10.0.0.0/8 is already a source range of this "
	 "service"},
	{"{" SERVICE ",\"source_ranges\":[\"10.0.0.0/40\"]}",
	 "services[0].source_ranges[0]: length \"40\" in \"10.0.0.0/40\" is not 0–32"},
	{"{" SERVICE ",\"backends\":{}}", "services[0].backends: an object is not a list"},
};

static void a_wrong_service_is_refused_by_path(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(WRONG_SERVICES); i++) {
		char text[512];
		struct row row = {text, WRONG_SERVICES[i].refusal};

		snprintf(text, sizeof(text), "{\"services\":[%s]}", WRONG_SERVICES[i].text);
		check_refused(&row, 1);
	}
}

static void a_wrong_backend_is_refused_by_path(void **state)
{
	static const struct row ROWS[] = {
		{"5", "5 is not an object"},
		{"{\"port\":80}", ".address: is required"},
		{"{\"address\":\"10.1.0.5\"}", ".port: is required"},
		{"{\"address\":\"10.1.0.5\",\"port\":70000}", ".port: 70000 is not 1–65535"},
		{"{" BACKEND_A ",\"weight\":-1}", ".weight: -1 is not 0–65535"},
		{"{" BACKEND_A ",\"weight\":65536}", ".weight: 65536 is not 0–65535"},
		{"{" BACKEND_A ",\"weight\":1e0}", ".weight: 1.0 is not an integer"},
		{"{" BACKEND_A ",\"state\":\"none\"}",
		 ".state: \"none\" is not active, draining or down"},
		{"{" BACKEND_A ",\"name\":\"a\"}",
		 ".name: unknown key; known are address, port, weight, state, remote, "
		 "deadline"},
		{"{" BACKEND_A ",\"remote\":1}", ".remote: 1 is not true or false"},
		{"{" BACKEND_A ",\"state\":\"draining\",\"deadline\":5}",
		 ".deadline: 5 is not a string"},
		{"{" BACKEND_A ",\"state\":\"draining\",\"deadline\":\"soon\"}",
		 ".deadline: \"soon\" is not a time like 2025-12-31T23:59:59Z"},
		{"{" BACKEND_A ",\"deadline\":\"2099-12-31T23:59:59Z\"}",
		 ".deadline: only a backend that is draining has one"},
		{"{" BACKEND_A ",\"state\":\"down\",\"deadline\":\"2099-12-31T23:59:59Z\"}",
		 ".deadline: only a backend that is draining has one"},
		{"{\"address\":\"fd00::5\",\"port\":80}",
		 "[fd00::5]:80 is IPv6, but the service's address 10.96.0.10 is IPv4"},
		{"{\"address\":\"224.0.0.1\",\"port\":80}",
		 "224.0.0.1:80 is a multicast address; a backend needs a unicast one"},
		{"{\"address\":\"10.1.0.4\",\"port\":80,\"weight\":9}",
		 "10.1.0.4:80 is already a backend of this service"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(ROWS); i++) {
		char text[512], refusal[512];
		struct row row = {text, refusal};

		snprintf(text, sizeof(text),
			 "{\"services\":[{" SERVICE ",\"backends\":"
			 "[{\"address\":\"10.1.0.4\",\"port\":80},%s]}]}",
			 ROWS[i].text);
		snprintf(refusal, sizeof(refusal), "services[0].backends[1]%s%s",
			 ROWS[i].refusal[0] == '.' ? "" : ": ", ROWS[i].refusal);
		check_refused(&row, 1);
	}
}

static void text_that_is_no_json_is_refused_by_line_and_column(void **state)
{
	static const struct row ROWS[] = {
		{"", "line 1, column 0: '[' or '{' expected near end of file"},
		{"{\n  \"a\": NaN\n}", "line 2, column 10: invalid token near 'NaN'"},
		{"{\"a\":1,\n\"a\":2}", "line 2, column 3: duplicate object key near '\"a\"'"},
		{"{\"a\":1,}", "line 1, column 8: string or '}' expected near '}'"},
		{"{}\n{}", "line 2, column 1: end of file expected near '{'"},
		{"{\"a\":99999999999999999999}",
		 "line 1, column 25: too big integer near '99999999999999999999'"},
		{"{\"a\":\"\xff\"}", "line 1, column 6: unable to decode byte 0xff near '\"'"},
		{"web", "line 1, column 3: '[' or '{' expected near 'web'"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(ROWS); i++) {
		struct refusal refusal = {{0}};

		assert_null(tables_load_text(ROWS[i].text, strlen(ROWS[i].text), &refusal));
		assert_string_equal(refusal.text, ROWS[i].refusal);
	}
}

static void nesting_is_allowed_to_its_limit_and_no_deeper(void **state)
{
	char text[2 * TABLES_DEPTH_MAX + 16] = {0};
	struct refusal refusal;
	json_t *value;

	(void)state;
	memset(text, '[', TABLES_DEPTH_MAX);
	memset(text + TABLES_DEPTH_MAX, ']', TABLES_DEPTH_MAX);
	value = tables_load_text(text, strlen(text), &refusal);
	assert_non_null(value);
	json_decref(value);

	memcpy(text, "[\n[", 3);
	memset(text + 3, '[', TABLES_DEPTH_MAX - 1);
	assert_null(tables_load_text(text, strlen(text), &refusal));
	assert_string_equal(refusal.text, "line 2, column 64: nested deeper than 64 levels");
}

static void brackets_in_strings_do_not_nest(void **state)
{
	char text[4 * TABLES_DEPTH_MAX] = "[\"\\\"";
	struct refusal refusal;
	json_t *value;

	(void)state;
	memset(text + 4, '[', 2 * TABLES_DEPTH_MAX);
	memcpy(text + 4 + 2 * TABLES_DEPTH_MAX, "\"]", 3);
	value = tables_load_text(text, strlen(text), &refusal);

	assert_non_null(value);
	json_decref(value);
}

static void an_oversized_text_is_refused_unread(void **state)
{
	struct refusal refusal;

	(void)state;
	assert_null(tables_load_text("{}", (size_t)TABLES_BYTES_MAX + 1, &refusal));
	assert_string_equal(refusal.text, "67108865 bytes are more than the 67108864 allowed");
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
	static const struct row ROWS[] = {
		{"/nonexistent/tables.json",
		 "/nonexistent/tables.json: cannot be read: No such file or directory"},
		{"/", "/: cannot be read: Is a directory"},
		{"/dev/null", "/dev/null: line 1, column 0: '[' or '{' expected near end of file"},
		{"/dev/zero", "/dev/zero: larger than the 67108864 bytes allowed"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(ROWS); i++) {
		struct refusal refusal = {{0}};

		assert_null(tables_load_file(ROWS[i].text, &refusal));
		assert_string_equal(refusal.text, ROWS[i].refusal);
	}
}

static void a_dash_is_standard_input(void **state)
{
	struct refusal refusal = {{0}};
	json_t *document;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "{\"deny\":[]}", 11), 11);
	close(ends[1]);
	dup2(ends[0], STDIN_FILENO);
	document = tables_load_file("-", &refusal);

	assert_non_null(document);
	json_decref(document);
	assert_null(tables_load_file("-", &refusal));
	assert_string_equal(refusal.text, "standard input: line 1, column 0: '[' or '{' expected "
					  "near end of file");
	close(ends[0]);
}

static void what_is_encoded_is_decoded_to_the_same(void **state)
{
	static const char *const FILES[] = {"docs/examples/minimal.json", "docs/examples/full.json",
					    "docs/examples/grammar.json",
					    "docs/examples/kubernetes-list.json"};

	(void)state;
	for (size_t i = 0; i < COUNT(FILES); i++) {
		struct tables tables;
		struct refusal refusal = {{0}};
		json_t *document = tables_load_file(FILES[i], &refusal);

		assert_string_equal(refusal.text, "");
		assert_int_equal(tables_decode(document, SOURCE_FILE, &tables, &refusal), 0);
		json_decref(document);
		for (size_t j = 0; j < tables.service_count; j++) {
			json_t *encoded = tables_encode_service(tables.services[j]);
			struct service *service;

			assert_int_equal(tables_decode_service(encoded, "s", &service, &refusal),
					 0);
			assert_true(service_equal(service, tables.services[j]));
			service_free(service);
			json_decref(encoded);
		}
		tables_finish(&tables);
	}
}

static void an_encoded_service_has_every_key_in_the_grammars_order(void **state)
{
	struct tables tables =
		decode("{\"services\":[{" SERVICE ",\"backends\":[{" BACKEND_A "}]}]}");
	json_t *encoded = tables_encode_service(tables.services[0]);
	char *text = json_dumps(encoded, JSON_COMPACT);

	(void)state;
	assert_string_equal(
		text, "{\"name\":null,\"address\":\"10.96.0.10\",\"port\":80,"
		      "\"protocol\":\"tcp\",\"algorithm\":\"maglev\",\"affinity_seconds\":0,"
		      "\"source_ranges\":[],\"backends\":[{\"address\":\"10.1.0.5\",\"port\":8080,"
		      "\"weight\":1,\"state\":\"active\"}]}");
	free(text);
	json_decref(encoded);
	tables_finish(&tables);
}

static void one_service_or_backend_is_refused_under_the_callers_path(void **state)
{
	struct backend backend = {.weight = 7};
	struct service *service = NULL;
	struct refusal refusal;
	json_t *value = load("{\"address\":\"10.1.0.5\",\"port\":0}");

	(void)state;
	assert_int_equal(tables_decode_backend(value, "backends[2]", &backend, &refusal), -EINVAL);
	assert_string_equal(refusal.text, "backends[2].port: 0 is not 1–65535");
	assert_int_equal(backend.weight, 7);
	assert_int_equal(tables_decode_service(value, "services[3]", &service, &refusal), -EINVAL);
	assert_string_equal(refusal.text, "services[3].port: 0 is not 1–65535");
	assert_null(service);
	json_decref(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_said_takes_its_default),
		cmocka_unit_test(every_service_belongs_to_the_source_of_the_document),
		cmocka_unit_test(a_document_may_say_nothing),
		cmocka_unit_test(denied_prefixes_are_read),
		cmocka_unit_test(a_wrong_document_is_refused_by_path),
		cmocka_unit_test(a_wrong_service_is_refused_by_path),
		cmocka_unit_test(a_wrong_backend_is_refused_by_path),
		cmocka_unit_test(text_that_is_no_json_is_refused_by_line_and_column),
		cmocka_unit_test(nesting_is_allowed_to_its_limit_and_no_deeper),
		cmocka_unit_test(brackets_in_strings_do_not_nest),
		cmocka_unit_test(an_oversized_text_is_refused_unread),
		cmocka_unit_test(a_file_that_cannot_be_read_is_named),
		cmocka_unit_test(a_dash_is_standard_input),
		cmocka_unit_test(what_is_encoded_is_decoded_to_the_same),
		cmocka_unit_test(an_encoded_service_has_every_key_in_the_grammars_order),
		cmocka_unit_test(one_service_or_backend_is_refused_under_the_callers_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
