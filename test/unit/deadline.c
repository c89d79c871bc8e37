/*
 * Deadlines of backends that drain: in the model, and in documents.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "control/tables.h"

#define BACKEND "\"address\":\"10.1.0.5\",\"port\":8080"

static json_t *read_json(const char *text)
{
	json_t *value = json_loads(text, 0, NULL);

	assert_non_null(value);
	return value;
}

static void the_first_deadline_of_its_backends_is_the_services(void **state)
{
	struct backend backends[] = {{.weight = 1}, {.weight = 1}, {.weight = 1}};
	const struct service service = {.backends = backends, .backend_count = 3};

	(void)state;
	assert_true(service_deadline(&service) == 0);
	assert_int_equal(service_count_deadlines(&service), 0);
	backends[1].deadline_ms = 1732594702250;
	assert_true(service_deadline(&service) == 1732594702250);
	backends[0].deadline_ms = 1732594702249;
	backends[2].deadline_ms = 1732594702251;
	assert_true(service_deadline(&service) == 1732594702249);
	assert_int_equal(service_count_deadlines(&service), 3);
}

static void a_deadline_is_read_and_written(void **state)
{
	static const char TEXT[] = "{" BACKEND ",\"weight\":1,\"state\":\"draining\","
				   "\"deadline\":\"2099-12-31T23:59:59.250Z\"}";
	json_t *value = read_json(TEXT), *encoded;
	struct backend backend;
	struct refusal refusal;

	(void)state;
	assert_int_equal(tables_decode_backend(value, "backend", &backend, &refusal), 0);
	assert_int_equal(backend.state, BACKEND_DRAINING);
	assert_true(backend.deadline_ms == 4102444799250);
	encoded = tables_encode_backend(&backend);
	assert_true(json_equal(encoded, value));
	json_decref(encoded);
	json_decref(value);
}

static void a_backend_whose_deadline_is_over_is_down(void **state)
{
	json_t *value = read_json("{" BACKEND ",\"state\":\"draining\","
				  "\"deadline\":\"2024-11-26T04:18:22Z\"}");
	struct backend backend;
	struct refusal refusal;

	(void)state;
	assert_int_equal(tables_decode_backend(value, "backend", &backend, &refusal), 0);
	assert_int_equal(backend.state, BACKEND_DOWN);
	assert_true(backend.deadline_ms == 0);
	json_decref(value);
}

static void no_deadline_may_be_said(void **state)
{
	json_t *value = read_json("{" BACKEND ",\"deadline\":null}");
	struct backend backend;
	struct refusal refusal;

	(void)state;
	assert_int_equal(tables_decode_backend(value, "backend", &backend, &refusal), 0);
	assert_int_equal(backend.state, BACKEND_ACTIVE);
	assert_true(backend.deadline_ms == 0);
	json_decref(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_deadline_of_its_backends_is_the_services),
		cmocka_unit_test(a_deadline_is_read_and_written),
		cmocka_unit_test(a_backend_whose_deadline_is_over_is_down),
		cmocka_unit_test(no_deadline_may_be_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
