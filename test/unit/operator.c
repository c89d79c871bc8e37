/*
 * The operator's changes when memory is short or the kernel refuses them: what was acknowledged is
 * not lost, and is in force or owed. Over tables in plain memory, with calls in the place of libc's
 * and ours that fail on demand.
 */
#include "test/unit/state_fixture.h"

#include "control/log.h"
#include "control/operator.h"
#include "test/fuzz/datapath.h"

#define RESERVE_BYTES 65536 /* json_parse's, which nothing else here asks for */

static int failing_reserves;
static bool growing_fails, kernel_refuses;
static char events[256]; /* their names, a blank after each */
static struct datapath datapath;
static struct reconcile *reconcile;
static struct deny_list *deny;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	if (size != RESERVE_BYTES || !failing_reserves)
		return __real_malloc(size);
	failing_reserves--;
	return NULL;
}

void *__real_reallocarray(void *memory, size_t count, size_t size);
void *__wrap_reallocarray(void *memory, size_t count, size_t size);
void *__wrap_reallocarray(void *memory, size_t count, size_t size)
{
	return growing_fails ? NULL : __real_reallocarray(memory, count, size);
}

int __real_datapath_set_services(struct datapath *tables, const struct service_key *keys,
				 const struct service_record *records, uint32_t count);
int __wrap_datapath_set_services(struct datapath *tables, const struct service_key *keys,
				 const struct service_record *records, uint32_t count);
int __wrap_datapath_set_services(struct datapath *tables, const struct service_key *keys,
				 const struct service_record *records, uint32_t count)
{
	return kernel_refuses ? -ENOMEM
			      : __real_datapath_set_services(tables, keys, records, count);
}

void __wrap_log_event(enum log_level level, const char *event, const char *fields, ...)
	__attribute__((format(printf, 3, 4)));
void __wrap_log_event(enum log_level level, const char *event, const char *fields, ...)
{
	(void)level;
	(void)fields;
	snprintf(events + strlen(events), sizeof(events) - strlen(events), "%s ", event);
}

static void forget_tables(void)
{
	reconcile_free(reconcile);
	deny_list_free(deny);
	reconcile = NULL;
	deny = NULL;
}

/* As after a boot. */
static bool make_tables(void)
{
	static const struct destination_hooks HOOKS;

	forget_tables();
	fake_clear(&datapath);
	reconcile = reconcile_new(&datapath, &HOOKS);
	deny = deny_list_new(&datapath);
	return reconcile && deny;
}

static int begin(void **state)
{
	events[0] = '\0';
	return make_tables() ? make_directory(state) : -1;
}

static int end(void **state)
{
	failing_reserves = 0;
	growing_fails = kernel_refuses = false;
	forget_tables();
	return remove_directory(state);
}

static int open_operator(struct operator** operator)
{
	const struct operated operated = {reconcile, deny};

	return operator_open(operated, path, operator, & refusal);
}

static struct operator* opened(void)
{
	struct operator* operator= NULL;

	if (open_operator(&operator))
		fail_msg("%s", refusal.text);
	return operator;
}

static struct service_key key_of(const char *text)
{
	struct service_key key;

	assert_int_equal(service_key_parse(text, &key, &refusal), 0);
	return key;
}

static struct service *make_service(const struct service_key *key, enum source source)
{
	struct service *service = service_new(key);

	assert_non_null(service);
	service->source = source;
	return service;
}

static int add(struct operator* operator, const char * text)
{
	struct change change = {.key = key_of(text)};
	struct transaction_counts counts;

	change.service = make_service(&change.key, SOURCE_OPERATOR);
	return operator_change(operator, & change, 1, &counts, &refusal);
}

static void bring_from_file(const char *text)
{
	struct change change = {.key = key_of(text)};
	struct transaction *transaction;

	change.service = make_service(&change.key, SOURCE_FILE);
	change.service->affinity_seconds = 60;
	assert_int_equal(
		reconcile_prepare(reconcile, SOURCE_FILE, &change, 1, &transaction, &refusal), 0);
	assert_int_equal(reconcile_apply(reconcile, transaction), 0);
}

static bool is_in_force(const char *text)
{
	const struct service_key key = key_of(text);

	return reconcile_find(reconcile, &key);
}

static void given_three_services(void)
{
	struct operator* operator= opened();

	assert_int_equal(add(operator, "192.0.2.1:80/tcp"), 0);
	assert_int_equal(add(operator, "192.0.2.2:80/tcp"), 0);
	assert_int_equal(add(operator, "192.0.2.3:80/tcp"), 0);
	operator_close(operator);
	assert_true(make_tables());
}

/* Whichever of the texts that are read there is no memory for. */
static void a_start_without_memory_loses_nothing(void **state)
{
	struct operator* operator;
	char *journal = NULL;
	size_t size = 0;
	int error = -1;

	(void)state;
	given_three_services();
	assert_int_equal(file_read(journal_path, &journal, &size), 0);
	for (int failing = 1; failing < 4; failing++) {
		failing_reserves = failing;
		operator= NULL;
		error = open_operator(&operator);
		failing_reserves = 0;

		assert_int_equal(error, -ENOMEM);
		assert_non_null(strstr(refusal.text, "out of memory"));
		assert_string_equal(events, "");
		assert_file_holds(journal_path, journal, size);
	}
	free(journal);
	operator= opened();
	assert_false(operator_is_incomplete(operator));
	assert_true(is_in_force("192.0.2.1:80/tcp") && is_in_force("192.0.2.3:80/tcp"));
	operator_close(operator);
}

static void a_snapshot_there_is_no_memory_for_stays(void **state)
{
	static const char SNAPSHOT[] = "{\"sequence\":7,\"state\":{\"services\":[]}}\n";
	struct operator* operator;

	(void)state;
	write_file(path, SNAPSHOT, strlen(SNAPSHOT));
	failing_reserves = 1;
	assert_int_equal(open_operator(&operator), -ENOMEM);
	assert_file_holds(path, SNAPSHOT, strlen(SNAPSHOT));
	operator_close(opened());
}

/* Putting aside reads again: what it has no memory for then is not known to be damaged. */
static void only_damage_is_put_aside(void **state)
{
	char *kept = NULL, *journal = NULL;
	size_t size = 0;

	(void)state;
	given_three_services();
	assert_int_equal(file_read(journal_path, &journal, &size), 0);
	failing_reserves = 1;
	assert_int_equal(state_put_aside(path, &kept, &refusal), -ENOMEM);
	assert_null(kept);
	assert_int_equal(state_put_aside(path, &kept, &refusal), 0);
	assert_null(kept);
	assert_file_holds(journal_path, journal, size);
	free(journal);
}

static void what_the_kernel_refuses_is_owed_until_it_is_in_force(void **state)
{
	struct operator* operator= opened();

	(void)state;
	kernel_refuses = true;
	assert_int_equal(add(operator, "192.0.2.1:80/tcp"), -ENOMEM);
	assert_non_null(strstr(refusal.text, "stored, but not wholly in force"));
	operator_catch_up(operator);
	assert_false(is_in_force("192.0.2.1:80/tcp"));

	kernel_refuses = false;
	operator_catch_up(operator);
	assert_true(is_in_force("192.0.2.1:80/tcp"));
	assert_string_equal(events, "not-caught-up caught-up ");
	operator_close(operator);
}

/* Else it would be on disk, neither in force nor owed. */
static void what_could_not_be_owed_is_not_stored(void **state)
{
	struct operator* operator= opened();

	(void)state;
	kernel_refuses = growing_fails = true;
	assert_int_equal(add(operator, "192.0.2.1:80/tcp"), -ENOMEM);
	assert_string_equal(refusal.text, "out of memory");
	kernel_refuses = growing_fails = false;
	operator_close(operator);
	assert_true(make_tables());

	operator= opened();
	assert_false(is_in_force("192.0.2.1:80/tcp"));
	assert_int_equal(add(operator, "192.0.2.1:80/tcp"), 0);
	operator_close(operator);
}

static void why_changes_are_owed_is_told_once(void **state)
{
	struct operator* operator= opened();

	(void)state;
	kernel_refuses = true;
	assert_int_equal(add(operator, "192.0.2.1:80/tcp"), -ENOMEM);
	for (int seconds = 0; seconds < 3; seconds++)
		operator_catch_up(operator);
	assert_string_equal(events, "not-caught-up ");
	failing_reserves = 2;
	operator_catch_up(operator);
	operator_catch_up(operator);
	assert_string_equal(events, "not-caught-up not-caught-up ");
	operator_close(operator);
}

/* Once stored, then a file's: it cannot come into force, nor does the next start bring it. */
static void a_service_that_came_to_be_a_files_does_not_block_the_rest(void **state)
{
	struct operator* operator= opened();

	(void)state;
	kernel_refuses = true;
	assert_int_equal(add(operator, "192.0.2.1:80/tcp"), -ENOMEM);
	assert_int_equal(add(operator, "192.0.2.2:80/tcp"), -ENOMEM);
	kernel_refuses = false;
	bring_from_file("192.0.2.1:80/tcp");
	operator_catch_up(operator);
	operator_catch_up(operator);
	assert_string_equal(events, "change-dropped caught-up ");
	assert_true(is_in_force("192.0.2.2:80/tcp"));
	assert_file_holds(journal_path, "", 0);
	operator_close(operator);
	assert_true(make_tables());

	operator_close(opened());
	assert_false(is_in_force("192.0.2.1:80/tcp"));
	assert_true(is_in_force("192.0.2.2:80/tcp"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_start_without_memory_loses_nothing),
		TEST(a_snapshot_there_is_no_memory_for_stays),
		TEST(only_damage_is_put_aside),
		TEST(what_the_kernel_refuses_is_owed_until_it_is_in_force),
		TEST(what_could_not_be_owed_is_not_stored),
		TEST(why_changes_are_owed_is_told_once),
		TEST(a_service_that_came_to_be_a_files_does_not_block_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
