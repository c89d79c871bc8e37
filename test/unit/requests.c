/*
 * Requests while memory is short: whichever allocation fails, the answer says of a change that it
 * is done only where it is in force, and never of a question. Over tables in plain memory.
 */
#include "test/unit/state_fixture.h"

#include "control/requests.h"
#include "test/fuzz/datapath.h"

#define DONE "what was asked is done"
#define SERVICE "192.0.2.1:80/tcp"
#define MOST_ALLOCATIONS 2000

static int good_allocations = -1; /* before one that fails; -1: none does */
static struct datapath datapath;
static struct daemon lbd;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	if (good_allocations >= 0 && good_allocations-- == 0)
		return NULL;
	return __real_malloc(size);
}

static int begin(void **state)
{
	static const struct destination_hooks HOOKS;
	struct operated operated;

	if (make_directory(state))
		return -1;
	fake_clear(&datapath);
	lbd = (struct daemon){.datapath = &datapath, .expiry_timer = -1};
	lbd.reconcile = reconcile_new(&datapath, &HOOKS);
	lbd.deny = deny_list_new(&datapath);
	operated = (struct operated){lbd.reconcile, lbd.deny};
	return operator_open(operated, path, &lbd.operator, & refusal);
}

static int end(void **state)
{
	good_allocations = -1;
	operator_close(lbd.operator);
	reconcile_free(lbd.reconcile);
	deny_list_free(lbd.deny);
	return remove_directory(state);
}

static bool is_in_force(void)
{
	struct service_key key;

	assert_int_equal(service_key_parse(SERVICE, &key, &refusal), 0);
	return reconcile_find(lbd.reconcile, &key);
}

static json_t *ask_failing(const char *command, int allocation)
{
	json_t *request = json_pack("{s:s, s:s}", "command", command, "service", SERVICE);
	json_t *answer;

	good_allocations = allocation;
	answer = requests_answer(&lbd, request);
	json_decref(request);
	return answer;
}

/* Whether an allocation failed in it: else all of them have been tried. */
static bool failed(void)
{
	const bool reached = good_allocations < 0;

	good_allocations = -1;
	return reached;
}

static void a_change_is_called_done_only_where_it_is(void **state)
{
	bool more = true;
	int called_done = 0;

	for (int i = 0; more && i < MOST_ALLOCATIONS; i++) {
		json_t *answer = ask_failing("service add", i);
		const char *error = json_string_value(json_object_get(answer, "error"));

		more = failed();
		if (error && strstr(error, DONE)) {
			assert_true(is_in_force());
			called_done++;
		} else if (error) {
			assert_false(is_in_force());
		}
		json_decref(answer);
		assert_int_equal(end(state), 0);
		assert_int_equal(begin(state), 0);
	}
	assert_false(more);
	assert_in_range(called_done, 1, MOST_ALLOCATIONS);
}

static void a_question_is_never_called_done(void **state)
{
	static const char *const QUESTIONS[] = {"service list", "service show", "backend list",
						"deny list",    "export",       "stats",
						"version"};

	(void)state;
	json_decref(ask_failing("service add", -1));
	for (size_t i = 0; i < sizeof(QUESTIONS) / sizeof(QUESTIONS[0]); i++) {
		json_t *answer = ask_failing(QUESTIONS[i], 0);
		const char *error = json_string_value(json_object_get(answer, "error"));

		assert_true(failed());
		assert_true(!error || !strstr(error, DONE));
		json_decref(answer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_change_is_called_done_only_where_it_is, begin,
						end),
		cmocka_unit_test_setup_teardown(a_question_is_never_called_done, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
