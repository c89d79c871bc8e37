/*
 * A state in a directory of its own, holding the changes {"n": 1}, {"n": 2} … and the snapshot
 * {"upto": n} of the first n: so what was remembered is one number, and a gap or repetition shows.
 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>
#include "control/file.h"
#include "control/state.h"

#define PATH_BYTES 128

static char base[] = "/tmp/lbd-state-XXXXXX";
static char directory[PATH_BYTES];
static char path[PATH_BYTES];
static char journal_path[PATH_BYTES];
static char new_path[PATH_BYTES];
static struct refusal refusal;

static int make_directory(void **state)
{
	(void)state;
	strcpy(base, "/tmp/lbd-state-XXXXXX");
	if (!mkdtemp(base))
		return -1;
	snprintf(directory, sizeof(directory), "%s/deep/lbd", base);
	snprintf(path, sizeof(path), "%s/deep/lbd/operator.json", base);
	snprintf(journal_path, sizeof(journal_path), "%s/deep/lbd/operator.json.journal", base);
	snprintf(new_path, sizeof(new_path), "%s/deep/lbd/operator.json.new", base);
	return 0;
}

static int remove_directory(void **state)
{
	char name[PATH_BYTES + NAME_MAX + 2];
	DIR *files = opendir(directory);

	(void)state;
	for (struct dirent *file = NULL; files && (file = readdir(files));) {
		snprintf(name, sizeof(name), "%s/%s", directory, file->d_name);
		unlink(name);
	}
	if (files)
		closedir(files);
	rmdir(directory);
	snprintf(name, sizeof(name), "%s/deep", base);
	rmdir(name);
	return rmdir(base);
}

static inline void write_file(const char *name, const char *text, size_t size)
{
	int fd;

	assert_int_equal(directory_create(name), 0);
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(file_write(fd, text, size), 0);
	close(fd);
}

static inline void assert_file_holds(const char *name, const char *text, size_t size)
{
	char *found = NULL;
	size_t found_size = 0;

	assert_int_equal(file_read(name, &found, &found_size), 0);
	assert_int_equal(found_size, size);
	assert_memory_equal(found, text, size);
	free(found);
}

static inline json_t *make_number(const char *key, json_int_t number)
{
	json_t *value = json_pack("{s:I}", key, number);

	assert_non_null(value);
	return value;
}

static inline int append_json(struct state *state, const json_t *change)
{
	char *text = json_dumps(change, JSON_COMPACT);
	int error = state_append(state, text, &refusal);

	free(text);
	return error;
}

static inline int compact_json(struct state *state, const json_t *snapshot)
{
	char *text = json_dumps(snapshot, JSON_COMPACT);
	int error = state_compact(state, text, &refusal);

	free(text);
	return error;
}

static inline int append(struct state *state, json_int_t number)
{
	json_t *change = make_number("n", number);
	int error = append_json(state, change);

	json_decref(change);
	return error;
}

static inline int compact(struct state *state, json_int_t upto)
{
	json_t *snapshot = make_number("upto", upto);
	int error = compact_json(state, snapshot);

	json_decref(snapshot);
	return error;
}

/* Opens, checks that no change is missing or repeated, and tells the last one. */
static inline struct state *reopen(json_int_t *last)
{
	struct state *state = NULL;
	json_t *snapshot = NULL;
	json_t *journal = NULL;
	size_t i;
	json_t *change;

	refusal.text[0] = '\0';
	if (state_open(path, &state, &snapshot, &journal, &refusal))
		fail_msg("%s", refusal.text);
	*last = json_integer_value(json_object_get(snapshot, "upto"));
	json_array_foreach (journal, i, change)
		assert_int_equal(json_integer_value(json_object_get(change, "n")), ++*last);
	json_decref(snapshot);
	json_decref(journal);
	return state;
}

static inline void assert_remembered(json_int_t number)
{
	json_int_t last;

	state_close(reopen(&last));
	assert_int_equal(last, number);
}

/* The state after changes 1 … n. */
static inline struct state *given_changes(json_int_t number)
{
	json_int_t last;
	struct state *state = reopen(&last);

	while (last < number)
		assert_int_equal(append(state, ++last), 0);
	return state;
}

static inline int open_refused(void)
{
	struct state *state = NULL;
	json_t *snapshot = NULL;
	json_t *journal = NULL;
	int error = state_open(path, &state, &snapshot, &journal, &refusal);

	assert_null(state);
	assert_null(snapshot);
	assert_null(journal);
	return error;
}

#define WITH_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)
