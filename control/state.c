/*
 * The snapshot {"sequence": n, "state": …} and its journal. The sequence of a snapshot is that of
 * the last change in it, so a journal that a crash kept from being emptied repeats nothing. A lock
 * on PATH.lock, never removed, keeps a second process out.
 */
#include "control/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include "control/file.h"
#include "control/journal.h"
#include "control/json_scratch.h"
#include "control/put_aside.h"

/* Below this, reading the journal costs less than anybody notices. */
#define COMPACTION_MIN_BYTES (1u << 20)

#define SEQUENCE_MAX (INT64_MAX / 2)

struct state {
	char *path;
	char *new_path; /* the next snapshot until it is whole */
	int lock;
	json_int_t sequence; /* of the last change that is on disk */
	uint64_t snapshot_size;
	bool unsettled; /* a crash might bring back the snapshot before this one */
	struct journal journal;
};

/* `path` with a suffix, the caller's to free. NULL when out of memory. */
static char *name_beside(const char *path, const char *suffix)
{
	char *name;

	return asprintf(&name, "%s%s", path, suffix) < 0 ? NULL : name;
}

static struct state *new_state(const char *path)
{
	struct state *state = calloc(1, sizeof(*state));
	char *journal = name_beside(path, ".journal");
	int error = -ENOMEM;

	if (state) {
		state->lock = -1;
		state->journal.fd = -1;
	}
	if (state && journal) {
		state->path = strdup(path);
		state->new_path = name_beside(path, ".new");
		error = journal_init(&state->journal, journal);
	}
	free(journal);
	if (!error && state->path && state->new_path)
		return state;
	state_close(state);
	return NULL;
}

void state_close(struct state *state)
{
	if (!state)
		return;
	journal_finish(&state->journal);
	if (state->lock >= 0)
		close(state->lock);
	free(state->new_path);
	free(state->path);
	free(state);
}

/* The names in the directory are synced as well: a crash may have come between file and name. */
static int take_lock(struct state *state, struct refusal *refusal)
{
	char *path = name_beside(state->path, ".lock");
	int error = path ? directory_create(path) : -ENOMEM;

	if (!error) {
		state->lock = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		error = state->lock < 0 ? -errno : directory_sync(path);
	}
	free(path);
	if (error)
		return refuse_with(refusal, -error, "%s: %s", state->path, strerror(-error));
	if (!flock(state->lock, LOCK_EX | LOCK_NB))
		return 0;
	if (errno == EWOULDBLOCK)
		return refuse_with(refusal, EBUSY, "%s: held by another process", state->path);
	return refuse_with(refusal, errno, "%s: cannot lock: %s", state->path, strerror(errno));
}

/* None that adding ones to could ever overflow. */
static bool is_sequence(const json_t *value)
{
	return json_is_integer(value) && json_integer_value(value) >= 0 &&
	       json_integer_value(value) <= SEQUENCE_MAX;
}

static int decode_snapshot(struct state *state, const char *text, json_t **snapshot,
			   struct refusal *refusal)
{
	json_error_t where;
	json_t *document = json_parse(text, (size_t)state->snapshot_size, JSON_ALLOW_NUL, &where);
	const json_t *sequence = json_object_get(document, "sequence");
	json_t *content = json_object_get(document, "state");
	int error = 0;

	if (!document && json_parse_lacked_memory(&where)) {
		error = refuse_with(refusal, ENOMEM, "%s: out of memory", state->path);
	} else if (!document) {
		error = refuse(refusal, "%s:%d: damaged at column %d: %s", state->path, where.line,
			       where.column, where.text);
	} else if (!is_sequence(sequence) || !content) {
		error = refuse(refusal, "%s: not a snapshot: it has no sequence and state",
			       state->path);
	} else {
		state->sequence = json_integer_value(sequence);
		*snapshot = json_incref(content);
	}
	json_decref(document);
	return error;
}

static int load_snapshot(struct state *state, json_t **snapshot, struct refusal *refusal)
{
	char *text = NULL;
	size_t size = 0;
	int error = file_read(state->path, &text, &size);

	*snapshot = NULL;
	if (error == -ENOENT)
		return 0;
	if (error)
		return refuse_with(refusal, -error, "%s: %s", state->path, strerror(-error));
	state->snapshot_size = size;
	error = decode_snapshot(state, text, snapshot, refusal);
	free(text);
	return error;
}

int state_open(const char *path, struct state **state, json_t **snapshot, json_t **journal,
	       struct refusal *refusal)
{
	struct state *opened = new_state(path);
	json_t *loaded = NULL;
	int error;

	if (!opened)
		return refuse_with(refusal, ENOMEM, "%s: out of memory", path);
	error = take_lock(opened, refusal);
	if (!error)
		error = load_snapshot(opened, &loaded, refusal);
	if (!error)
		error = journal_load(&opened->journal, &opened->sequence, journal, refusal);
	if (error) {
		json_decref(loaded);
		state_close(opened);
		return error;
	}
	*state = opened;
	*snapshot = loaded;
	return 0;
}

/* Of a snapshot that a disk or a crash has spoilt; else PATH may be any file. */
static bool begins_like_ours(const char *path)
{
	static const char beginning[] = "{\"sequence\":";
	char *text = NULL;
	size_t size = 0;
	bool ours;

	if (file_read(path, &text, &size))
		return false;
	ours = !text[0] || !strncmp(text, beginning, sizeof(beginning) - 1);
	free(text);
	return ours;
}

static int drop(const char *path)
{
	return unlink(path) && errno != ENOENT ? -errno : 0;
}

static int put_snapshot_aside(struct state *state, char **kept)
{
	char *snapshot = NULL, *journal = NULL;
	int error = put_aside(state->path, &snapshot);

	if (!error)
		error = put_aside(state->journal.path, &journal);
	if (error == -ENOENT)
		error = 0; /* no journal */
	if (!error)
		error = directory_sync(state->path);
	/* A journal without its snapshot is damaged too, a snapshot that is still there is this. */
	if (!error)
		error = drop(state->journal.path);
	if (!error)
		error = drop(state->path);
	if (!error &&
	    asprintf(kept, "%s%s%s", snapshot, journal ? " " : "", journal ? journal : "") < 0)
		error = -ENOMEM;
	free(snapshot);
	free(journal);
	return error;
}

/* Only what is known to be damaged: what cannot be read now may be sound. */
static int put_damage_aside(struct state *state, char **kept, struct refusal *refusal)
{
	json_t *snapshot = NULL, *journal = NULL;
	int error = load_snapshot(state, &snapshot, refusal);
	bool damaged = error == -EINVAL && begins_like_ours(state->path);

	if (damaged) {
		error = put_snapshot_aside(state, kept);
	} else if (!error) {
		error = journal_load(&state->journal, &state->sequence, &journal, refusal);
		damaged = error == -EINVAL;
		if (damaged)
			error = journal_put_aside(&state->journal, kept);
	}
	if (damaged && error)
		refuse_with(refusal, -error, "%s: cannot be kept aside: %s", state->path,
			    strerror(-error));
	json_decref(snapshot);
	json_decref(journal);
	return error;
}

int state_put_aside(const char *path, char **kept, struct refusal *refusal)
{
	struct state *state = new_state(path);
	int error;

	*kept = NULL;
	if (!state)
		return refuse_with(refusal, ENOMEM, "%s: out of memory", path);
	error = take_lock(state, refusal);
	if (!error)
		error = put_damage_aside(state, kept, refusal);
	state_close(state);
	return error;
}

int state_append(struct state *state, const char *change, struct refusal *refusal)
{
	int error;

	if (change[0] != '{' || strchr(change, '\n'))
		return refuse(refusal, "%s: a change must be an object in one line",
			      state->journal.path);
	/* Which snapshot a crash leaves is open, and so which lines would count as known. */
	if (state->unsettled)
		return refuse_with(refusal, EIO, "%s: the snapshot must be written again first",
				   state->path);
	/* No snapshot of it could be read again; only a file that somebody wrote comes so far. */
	if (state->sequence >= SEQUENCE_MAX - 1)
		return refuse_with(refusal, EOVERFLOW, "%s: no sequence is left for a change",
				   state->path);
	error = journal_append(&state->journal, state->sequence + 1, change, refusal);
	if (!error)
		state->sequence++;
	return error;
}

bool state_wants_compaction(const struct state *state)
{
	return state->journal.size > COMPACTION_MIN_BYTES &&
	       state->journal.size > state->snapshot_size;
}

/* Writes and syncs the file beside the snapshot. What is left of one after an error is removed. */
static int write_beside(const char *path, const char *text, size_t size)
{
	int error;
	int fd;

	unlink(path); /* of a crash; a link somebody left there is not followed */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	error = file_write(fd, text, size);
	if (!error && fsync(fd))
		error = -errno;
	if (close(fd) && !error)
		error = -errno;
	if (error)
		unlink(path);
	return error;
}

static int replace_snapshot(struct state *state, json_int_t sequence, const char *snapshot)
{
	char *text = NULL;
	int size = asprintf(&text, "{\"sequence\":%" JSON_INTEGER_FORMAT ",\"state\":%s}\n",
			    sequence, snapshot);
	int error;

	if (size < 0)
		return -ENOMEM;
	error = write_beside(state->new_path, text, (size_t)size);
	free(text);
	if (error)
		return error;
	if (rename(state->new_path, state->path)) {
		error = -errno;
		unlink(state->new_path);
		return error;
	}
	state->sequence = sequence;
	state->snapshot_size = (uint64_t)size;
	return 0;
}

int state_compact(struct state *state, const char *snapshot, struct refusal *refusal)
{
	/* What could not be cut off may be a whole line of the next sequence: it is known, too. */
	json_int_t sequence = state->sequence + (state->journal.torn ? 1 : 0);
	int error = replace_snapshot(state, sequence, snapshot);

	if (!error) {
		error = directory_sync(state->path);
		state->unsettled = error != 0;
	}
	if (error)
		return refuse_with(refusal, -error, "%s: cannot write the snapshot: %s",
				   state->path, strerror(-error));
	return journal_empty(&state->journal, refusal);
}
