/*
 * What a crash, a bad disk or an editor may have left of the state: the first line is the snapshot,
 * (none where it is empty), the rest the journal. Damage is told, and nothing written; what opens
 * takes a change and a snapshot as any other state, and loses or repeats nothing.
 */
#include "control/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "control/file.h"
#include "test/fuzz/fuzz.h"

static const char CHANGE[] = "{\"n\":1}";
static char base[] = "/dev/shm/lbd-fuzz-XXXXXX";
static char path[64], journal_path[64], lock_path[64];

/* What state_open tells. */
struct opened {
	struct state *state;
	json_t *snapshot;
	json_t *journal;
};

static void remove_directory(void)
{
	unlink(path);
	unlink(journal_path);
	unlink(lock_path);
	rmdir(base);
}

static void make_directory(void)
{
	if (path[0])
		return;
	must(mkdtemp(base), "there is a directory in memory");
	snprintf(path, sizeof(path), "%s/state", base);
	snprintf(journal_path, sizeof(journal_path), "%s/state.journal", base);
	snprintf(lock_path, sizeof(lock_path), "%s/state.lock", base);
	atexit(remove_directory);
}

static void write_file(const char *name, const uint8_t *bytes, size_t size)
{
	FILE *file;

	unlink(name);
	if (!size)
		return;
	file = fopen(name, "w");
	must(file && fwrite(bytes, 1, size, file) == size && !fclose(file), "a file is written");
}

static void must_hold(const char *name, const uint8_t *bytes, size_t size)
{
	char *text = NULL;
	size_t found = 0;

	if (file_read(name, &text, &found))
		found = 0;
	must(found == size && (!size || !memcmp(text, bytes, size)), "damage stays as it was");
	free(text);
}

static bool open_state(struct opened *opened, struct refusal *refusal)
{
	*opened = (struct opened){0};
	return !state_open(path, &opened->state, &opened->snapshot, &opened->journal, refusal);
}

static void close_state(struct opened *opened)
{
	state_close(opened->state);
	json_decref(opened->snapshot);
	json_decref(opened->journal);
}

/* The state read anew: this snapshot, and so many changes, the last of which is `last`. */
static void must_read(const json_t *snapshot, size_t changes, const char *last)
{
	struct opened again;
	struct refusal refusal;
	char *text;

	must(open_state(&again, &refusal), "it opens again");
	must(snapshot ? json_equal(again.snapshot, snapshot) : !again.snapshot,
	     "the snapshot is the same");
	must(json_array_size(again.journal) == changes, "as many changes");
	text = json_dumps(json_array_get(again.journal, changes - 1), JSON_COMPACT);
	must(!last || (text && !strcmp(text, last)), "the last change is the last");
	free(text);
	close_state(&again);
}

/* False where the last sequence there is has been given. */
static bool append(struct opened *opened)
{
	struct refusal refusal;

	if (!state_append(opened->state, CHANGE, &refusal))
		return true;
	must(strstr(refusal.text, "no sequence is left"), "it takes a change");
	return false;
}

static void must_go_on(struct opened *opened)
{
	static const char SNAPSHOT[] = "{\"all\":[]}";
	const size_t changes = json_array_size(opened->journal);
	json_t *snapshot = json_loads(SNAPSHOT, 0, NULL);
	struct refusal refusal;
	bool taken;

	if (!append(opened)) {
		json_decref(snapshot);
		return;
	}
	state_close(opened->state);
	opened->state = NULL;
	must_read(opened->snapshot, changes + 1, CHANGE);
	close_state(opened);
	must(open_state(opened, &refusal), "it opens once more");
	must(!state_compact(opened->state, SNAPSHOT, &refusal), "it takes a snapshot");
	taken = append(opened);
	state_close(opened->state);
	opened->state = NULL;
	must_read(snapshot, taken, taken ? CHANGE : NULL);
	json_decref(snapshot);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *newline = size ? memchr(data, '\n', size) : NULL;
	const size_t first = newline ? (size_t)(newline - data) : size;
	const uint8_t *rest = newline ? newline + 1 : data + size;
	const size_t rest_size = (size_t)(data + size - rest);
	struct refusal refusal = {0};
	struct opened opened;

	make_directory();
	write_file(path, data, first);
	write_file(journal_path, rest, rest_size);
	if (open_state(&opened, &refusal)) {
		must_go_on(&opened);
	} else {
		must_be_readable(&refusal);
		must(!opened.state && !opened.snapshot && !opened.journal, "outputs are untouched");
		must_hold(path, data, first);
		must_hold(journal_path, rest, rest_size);
	}
	close_state(&opened);
	return 0;
}
