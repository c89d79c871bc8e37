/*
 * The operator's state across restarts: what is remembered, what counts as torn, what is refused.
 */
#include "test/unit/state_fixture.h"

#define LINE_1 "{\"sequence\":1,\"change\":{\"n\":1}}\n"
#define LINE_2 "{\"sequence\":2,\"change\":{\"n\":2}}\n"
#define LINE_3 "{\"sequence\":3,\"change\":{\"n\":3}}\n"

static mode_t mode_of(const char *name)
{
	struct stat stat_of_name;

	assert_int_equal(stat(name, &stat_of_name), 0);
	return stat_of_name.st_mode & 07777;
}

static void opening_creates_the_directory_and_no_state(void **state)
{
	(void)state;
	assert_remembered(0);

	assert_int_equal(mode_of(directory), 0700);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(access(journal_path, F_OK), -1);
}

static void files_are_for_their_owner_alone(void **state)
{
	struct state *opened = given_changes(1);

	(void)state;
	assert_int_equal(compact(opened, 1), 0);
	state_close(opened);

	assert_int_equal(mode_of(path), 0600);
	assert_int_equal(mode_of(journal_path), 0600);
}

static void changes_survive_restarts(void **state)
{
	(void)state;
	state_close(given_changes(3));
	assert_remembered(3);
	state_close(given_changes(5));
	assert_remembered(5);
}

static void changes_come_back_as_they_were(void **state)
{
	static const char text[] = "{\"a\": [1, -2.5, true, null, {}],"
				   "\"\xc3\xa9\\n\\u0001\": \"\\\"\"}";
	json_t *change = json_loads(text, 0, NULL);
	json_t *snapshot = NULL;
	json_t *journal = NULL;
	struct state *opened = given_changes(0);

	(void)state;
	assert_int_equal(append_json(opened, change), 0);
	state_close(opened);

	assert_int_equal(state_open(path, &opened, &snapshot, &journal, &refusal), 0);
	assert_null(snapshot);
	assert_int_equal(json_array_size(journal), 1);
	assert_true(json_equal(json_array_get(journal, 0), change));
	json_decref(journal);
	json_decref(change);
	state_close(opened);
}

static void compaction_empties_the_journal_and_keeps_everything(void **state)
{
	struct state *opened = given_changes(4);

	(void)state;
	assert_int_equal(compact(opened, 4), 0);
	assert_file_holds(journal_path, "", 0);
	assert_int_equal(append(opened, 5), 0);
	state_close(opened);

	assert_remembered(5);
}

static void a_snapshot_alone_is_enough(void **state)
{
	struct state *opened = given_changes(0);

	(void)state;
	assert_int_equal(compact(opened, 9), 0);
	state_close(opened);

	assert_remembered(9);
}

static void a_last_line_torn_anywhere_is_dropped_and_overwritten(void **state)
{
	const char whole[] = LINE_1 LINE_2 LINE_3;
	const size_t two = strlen(LINE_1 LINE_2);

	(void)state;
	for (size_t size = two; size < strlen(whole); size++) {
		write_file(journal_path, whole, size);
		assert_remembered(2);

		state_close(given_changes(3));

		assert_file_holds(journal_path, whole, strlen(whole));
	}
}

static void a_first_line_torn_anywhere_is_dropped(void **state)
{
	(void)state;
	for (size_t size = 0; size < strlen(LINE_1); size++) {
		write_file(journal_path, LINE_1, size);
		assert_remembered(0);
	}
}

static void a_last_line_with_blocks_never_written_is_dropped(void **state)
{
	static const char text[] = LINE_1 "{\"sequence\":2,\"chan\0\0\0\0\0\0\0\":2}}\n";

	(void)state;
	write_file(journal_path, text, sizeof(text) - 1);
	assert_remembered(1);
	state_close(given_changes(2));
	assert_file_holds(journal_path, LINE_1 LINE_2, strlen(LINE_1 LINE_2));
}

static void damage_of_the_journal_is_named_and_left_alone(void **state)
{
	static const struct {
		const char *text;
		const char *reason;
	} rows[] = {
		{LINE_1 "{\"sequence\":2,\"cha\n" LINE_3, ".journal:2: damaged at column "},
		{LINE_1 "\n" LINE_2, ".journal:2: damaged at column "},
		{"{\"sequence\":1}\n", ".journal:1: not a change"},
		{"{\"sequence\":1,\"change\":[]}\n", ".journal:1: not a change"},
		{"[]\n", ".journal:1: not a change"},
		{LINE_1 LINE_3, ".journal:2: sequence 3 follows 1: changes are missing"},
		{LINE_2, ".journal:1: sequence 2 follows 0: changes are missing"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_file(journal_path, rows[i].text, strlen(rows[i].text));

		assert_int_equal(open_refused(), -EINVAL);

		assert_non_null(strstr(refusal.text, path));
		assert_non_null(strstr(refusal.text, rows[i].reason));
		assert_file_holds(journal_path, rows[i].text, strlen(rows[i].text));
	}
}

static void damage_of_the_snapshot_is_named_and_left_alone(void **state)
{
	static const char *const rows[] = {
		"",
		"{",
		"{\"sequence\":1,\"state\":{\"upto\":1}",
		"{\"services\": []}",
		"{\"sequence\":-1,\"state\":{}}",
		"{\"sequence\":9223372036854775807,\"state\":{}}",
		"{\"sequence\":1}",
		"[1]",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_file(path, rows[i], strlen(rows[i]));

		assert_int_equal(open_refused(), -EINVAL);

		assert_non_null(strstr(refusal.text, path));
		assert_file_holds(path, rows[i], strlen(rows[i]));
	}
}

/* What is kept is what was there, and what opens after that is what stood before the damage. */
static void damage_of_the_journal_is_kept_aside(void **state)
{
	static const char text[] = LINE_1 LINE_2 "{\"sequence\":3,\"cha\n" LINE_3;
	char expected[2 * PATH_BYTES];
	char *kept = NULL;

	(void)state;
	for (int i = 1; i <= 2; i++) {
		write_file(journal_path, text, strlen(text));
		assert_int_equal(open_refused(), -EINVAL);

		assert_int_equal(state_put_aside(path, &kept, &refusal), 0);

		snprintf(expected, sizeof(expected), "%s.damaged-%d", journal_path, i);
		assert_string_equal(kept, expected);
		assert_file_holds(kept, text, strlen(text));
		free(kept);
		assert_remembered(2);
	}
	state_close(given_changes(3));
	assert_remembered(3);
}

static void damage_of_the_snapshot_is_kept_aside(void **state)
{
	static const char *const rows[] = {"", "{\"sequence\":2,\"state\":{\"upto\":2}"};
	char *kept = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_file(path, rows[i], strlen(rows[i]));
		write_file(journal_path, LINE_3, strlen(LINE_3));
		assert_int_equal(open_refused(), -EINVAL);

		assert_int_equal(state_put_aside(path, &kept, &refusal), 0);

		*strchr(kept, ' ') = '\0';
		assert_file_holds(kept, rows[i], strlen(rows[i]));
		assert_file_holds(kept + strlen(kept) + 1, LINE_3, strlen(LINE_3));
		free(kept);
		assert_remembered(0);
	}
}

static void a_file_of_somebody_else_stays(void **state)
{
	static const char *const rows[] = {"{\"services\": []}", "root:x:0:0:root:/root:/bin/sh\n"};
	char *kept = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_file(path, rows[i], strlen(rows[i]));

		assert_int_equal(state_put_aside(path, &kept, &refusal), -EINVAL);

		assert_non_null(strstr(refusal.text, path));
		assert_file_holds(path, rows[i], strlen(rows[i]));
	}
}

static void what_cannot_be_read_is_named(void **state)
{
	(void)state;
	assert_int_equal(directory_create(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);

	assert_int_equal(open_refused(), -EISDIR);

	assert_non_null(strstr(refusal.text, path));
	rmdir(path);
}

static void a_second_opener_is_told_who_is_first(void **state)
{
	struct state *opened = given_changes(1);

	(void)state;
	assert_int_equal(open_refused(), -EBUSY);
	assert_non_null(strstr(refusal.text, path));
	assert_int_equal(compact(opened, 1), 0);
	assert_int_equal(open_refused(), -EBUSY);

	state_close(opened);
	assert_remembered(1);
}

static void a_change_that_could_not_be_read_back_is_refused(void **state)
{
	struct state *opened = given_changes(1);

	(void)state;
	assert_int_equal(state_append(opened, "[]", &refusal), -EINVAL);
	assert_int_equal(state_append(opened, "{\n}", &refusal), -EINVAL);
	state_close(opened);
	assert_remembered(1);
}

static void compaction_pays_when_the_journal_outgrows_the_snapshot(void **state)
{
	struct state *opened = given_changes(0);
	json_t *large = json_object();
	char *text = calloc(1, 1u << 20);

	(void)state;
	assert_non_null(text);
	memset(text, 'x', (1u << 20) - 1);
	json_object_set_new(large, "text", json_string(text));
	assert_false(state_wants_compaction(opened));
	assert_int_equal(append_json(opened, large), 0);
	assert_true(state_wants_compaction(opened));

	assert_int_equal(compact_json(opened, large), 0);
	assert_false(state_wants_compaction(opened));
	assert_int_equal(append_json(opened, large), 0);
	assert_int_equal(append_json(opened, large), 0);
	assert_true(state_wants_compaction(opened));
	free(text);
	json_decref(large);
	state_close(opened);
}

/* Its snapshot would be refused at the next start. */
static void a_change_without_a_sequence_left_is_refused(void **state)
{
	static const char SNAPSHOT[] =
		"{\"sequence\":4611686018427387902,\"state\":{\"upto\":0}}\n";
	struct state *opened;
	json_int_t last;

	(void)state;
	write_file(path, SNAPSHOT, strlen(SNAPSHOT));
	opened = reopen(&last);
	assert_int_equal(append(opened, 1), -EOVERFLOW);
	assert_non_null(strstr(refusal.text, "no sequence is left"));
	state_close(opened);

	assert_remembered(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DIRECTORY(opening_creates_the_directory_and_no_state),
		WITH_DIRECTORY(files_are_for_their_owner_alone),
		WITH_DIRECTORY(changes_survive_restarts),
		WITH_DIRECTORY(changes_come_back_as_they_were),
		WITH_DIRECTORY(compaction_empties_the_journal_and_keeps_everything),
		WITH_DIRECTORY(a_snapshot_alone_is_enough),
		WITH_DIRECTORY(a_last_line_torn_anywhere_is_dropped_and_overwritten),
		WITH_DIRECTORY(a_first_line_torn_anywhere_is_dropped),
		WITH_DIRECTORY(a_last_line_with_blocks_never_written_is_dropped),
		WITH_DIRECTORY(damage_of_the_journal_is_named_and_left_alone),
		WITH_DIRECTORY(damage_of_the_snapshot_is_named_and_left_alone),
		WITH_DIRECTORY(damage_of_the_journal_is_kept_aside),
		WITH_DIRECTORY(damage_of_the_snapshot_is_kept_aside),
		WITH_DIRECTORY(a_file_of_somebody_else_stays),
		WITH_DIRECTORY(what_cannot_be_read_is_named),
		WITH_DIRECTORY(a_second_opener_is_told_who_is_first),
		WITH_DIRECTORY(a_change_that_could_not_be_read_back_is_refused),
		WITH_DIRECTORY(a_change_without_a_sequence_left_is_refused),
		WITH_DIRECTORY(compaction_pays_when_the_journal_outgrows_the_snapshot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
