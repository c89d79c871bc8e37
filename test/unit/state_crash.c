/*
 * The operator's state when the machine fails it: killed at every step, a full disk, a disk that
 * errs. The calls that make things durable are defined here in place of libc's, to fail on demand.
 */
#include "test/unit/state_fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define NEVER (-1)
#define SURVIVED 7 /* the child's exit status when it came to its end */

static int steps_before_kill = NEVER;
static int failing_syncs; /* how many of the next fsync and fdatasync fail, */
static int good_syncs;    /* after how many that do not */
static bool truncating_fails;

static void come_to_step(void)
{
	if (steps_before_kill == 0)
		_exit(0);
	if (steps_before_kill > 0)
		steps_before_kill--;
}

static bool sync_fails(void)
{
	come_to_step();
	if (!failing_syncs || good_syncs-- > 0)
		return false;
	failing_syncs--;
	good_syncs = 0;
	errno = EIO;
	return true;
}

int fsync(int fd)
{
	return sync_fails() ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return sync_fails() ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int ftruncate(int fd, off_t length)
{
	come_to_step();
	if (!truncating_fails)
		return (int)syscall(SYS_ftruncate, fd, length);
	errno = EIO;
	return -1;
}

int rename(const char *from, const char *to)
{
	come_to_step();
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* A child appends change 5, compacts and appends 6, and dies before its step `step`. */
static bool dies_at_step(int step)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child) {
		json_int_t last;
		struct state *opened = reopen(&last);

		steps_before_kill = step;
		append(opened, 5);
		compact(opened, 5);
		append(opened, 6);
		_exit(SURVIVED);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status) != SURVIVED;
}

static void a_kill_at_any_step_loses_nothing_acknowledged(void **state)
{
	json_int_t last;
	int step = 0;

	for (bool died = true; died; step++) {
		struct state *opened = given_changes(2);

		assert_int_equal(compact(opened, 2), 0);
		state_close(opened);
		state_close(given_changes(4));

		died = dies_at_step(step);

		state_close(reopen(&last));
		assert_in_range(last, step ? 5 : 4, 6);
		remove_directory(state);
		make_directory(state);
	}
	assert_in_range(step, 7, 20);
}

static void a_journal_that_was_not_emptied_repeats_nothing(void **state)
{
	char *journal = NULL;
	size_t size = 0;
	struct state *opened = given_changes(3);

	(void)state;
	assert_int_equal(file_read(journal_path, &journal, &size), 0);
	assert_int_equal(compact(opened, 3), 0);
	state_close(opened);
	write_file(journal_path, journal, size);
	free(journal);

	assert_remembered(3);
	state_close(given_changes(4));
	assert_remembered(4);
}

static void a_half_written_new_snapshot_is_ignored(void **state)
{
	struct state *opened;

	(void)state;
	state_close(given_changes(3));
	write_file(new_path, "{\"sequence\":9,\"sta", 18);

	opened = given_changes(4);
	assert_int_equal(compact(opened, 4), 0);
	state_close(opened);

	assert_remembered(4);
	assert_int_equal(access(new_path, F_OK), -1);
}

/* RLIMIT_FSIZE lets a part of the write through, as a disk does that fills up. */
static void limit_file_size(rlim_t size)
{
	const struct rlimit limit = {size, RLIM_INFINITY};

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_full_disk_leaves_no_half_line(void **state)
{
	struct state *opened = given_changes(2);
	char *before = NULL;
	size_t size = 0;

	(void)state;
	assert_int_equal(file_read(journal_path, &before, &size), 0);
	for (rlim_t room = 0; room < size / 2; room++) {
		limit_file_size(size + room);
		assert_int_equal(append(opened, 3), -EFBIG);
		assert_non_null(strstr(refusal.text, journal_path));
		assert_file_holds(journal_path, before, size);
	}
	limit_file_size(RLIM_INFINITY);
	free(before);

	assert_int_equal(append(opened, 3), 0);
	state_close(opened);
	assert_remembered(3);
}

static void a_full_disk_leaves_the_old_snapshot(void **state)
{
	struct state *opened = given_changes(2);

	(void)state;
	assert_int_equal(compact(opened, 2), 0);
	assert_int_equal(append(opened, 3), 0);
	limit_file_size(10);
	assert_int_equal(compact(opened, 3), -EFBIG);
	limit_file_size(RLIM_INFINITY);

	assert_non_null(strstr(refusal.text, path));
	assert_int_equal(access(new_path, F_OK), -1);
	assert_int_equal(append(opened, 4), 0);
	state_close(opened);
	assert_remembered(4);
}

static void a_change_that_did_not_reach_the_disk_is_taken_back(void **state)
{
	struct state *opened = given_changes(2);

	(void)state;
	failing_syncs = 1;
	assert_int_equal(append(opened, 999), -EIO);
	assert_int_equal(append(opened, 3), 0);
	state_close(opened);

	assert_remembered(3);
}

static void a_journal_that_cannot_be_cut_takes_nothing_more(void **state)
{
	struct state *opened = given_changes(2);

	(void)state;
	failing_syncs = 1;
	truncating_fails = true;
	assert_int_equal(append(opened, 999), -EIO);
	assert_int_equal(append(opened, 3), -EIO);
	truncating_fails = false;
	assert_int_equal(append(opened, 3), 0);
	state_close(opened);

	assert_remembered(3);
}

/* The whole line of 999 stays in the file, but the snapshot counts it among the known. */
static void compaction_buries_what_could_not_be_cut(void **state)
{
	struct state *opened = given_changes(2);

	(void)state;
	failing_syncs = 1;
	truncating_fails = true;
	assert_int_equal(append(opened, 999), -EIO);
	assert_int_equal(compact(opened, 2), -EIO);
	state_close(opened);
	assert_remembered(2);
	truncating_fails = false;

	state_close(given_changes(3));
	assert_remembered(3);
}

/* The first sync is that of the new file, the second of the directory after renaming. */
static void nothing_is_added_while_it_is_open_which_snapshot_counts(void **state)
{
	struct state *opened = given_changes(2);

	(void)state;
	good_syncs = 1;
	failing_syncs = 1;
	assert_int_equal(compact(opened, 2), -EIO);
	assert_int_equal(append(opened, 3), -EIO);
	assert_int_equal(compact(opened, 2), 0);
	assert_int_equal(append(opened, 3), 0);
	state_close(opened);

	assert_remembered(3);
}

static int ignore_size_signal(void **state)
{
	(void)state;
	return signal(SIGXFSZ, SIG_IGN) == SIG_ERR ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DIRECTORY(a_kill_at_any_step_loses_nothing_acknowledged),
		WITH_DIRECTORY(a_journal_that_was_not_emptied_repeats_nothing),
		WITH_DIRECTORY(a_half_written_new_snapshot_is_ignored),
		WITH_DIRECTORY(a_full_disk_leaves_no_half_line),
		WITH_DIRECTORY(a_full_disk_leaves_the_old_snapshot),
		WITH_DIRECTORY(a_change_that_did_not_reach_the_disk_is_taken_back),
		WITH_DIRECTORY(a_journal_that_cannot_be_cut_takes_nothing_more),
		WITH_DIRECTORY(compaction_buries_what_could_not_be_cut),
		WITH_DIRECTORY(nothing_is_added_while_it_is_open_which_snapshot_counts),
	};

	return cmocka_run_group_tests(tests, ignore_size_signal, NULL);
}
