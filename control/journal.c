/*
 * Appending to the journal and reading it back. A line is acknowledged after fdatasync only, so a
 * last line that is not whole was never promised to anybody. Whole means: it ends in a newline and
 * holds no NUL, which JSON never does but blocks that a power failure kept from the disk do.
 */
#include "control/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "control/file.h"
#include "control/json_scratch.h"
#include "control/put_aside.h"

/* Where reading has come to. */
struct reading {
	const char *path;
	size_t line;
	json_int_t sequence; /* of the last change that is known */
	json_t *changes;
};

int journal_init(struct journal *journal, const char *path)
{
	*journal = (struct journal){.path = strdup(path), .fd = -1};
	return journal->path ? 0 : -ENOMEM;
}

void journal_finish(struct journal *journal)
{
	if (journal->fd >= 0)
		close(journal->fd);
	free(journal->path);
	*journal = (struct journal){.fd = -1};
}

/* `line` is {"sequence", "change"}. Older changes are in the snapshot; a gap is damage. */
static int take_change(struct reading *reading, const json_t *line, struct refusal *refusal)
{
	const json_t *sequence = json_object_get(line, "sequence");
	json_t *change = json_object_get(line, "change");

	if (!json_is_integer(sequence) || !json_is_object(change))
		return refuse(refusal, "%s:%zu: not a change with its sequence", reading->path,
			      reading->line);
	if (json_integer_value(sequence) <= reading->sequence)
		return 0;
	if (json_integer_value(sequence) != reading->sequence + 1)
		return refuse(refusal,
			      "%s:%zu: sequence %" JSON_INTEGER_FORMAT
			      " follows %" JSON_INTEGER_FORMAT ": changes are missing",
			      reading->path, reading->line, json_integer_value(sequence),
			      reading->sequence);
	if (json_array_append(reading->changes, change))
		return refuse_with(refusal, ENOMEM, "%s: out of memory", reading->path);
	reading->sequence++;
	return 0;
}

static int read_line(struct reading *reading, const char *text, size_t size,
		     struct refusal *refusal)
{
	json_error_t where;
	json_t *line = json_parse(text, size, JSON_ALLOW_NUL, &where);
	int error;

	if (!line && json_parse_lacked_memory(&where))
		return refuse_with(refusal, ENOMEM, "%s: out of memory", reading->path);
	if (!line)
		return refuse(refusal, "%s:%zu: damaged at column %d: %s", reading->path,
			      reading->line, where.column, where.text);
	error = take_change(reading, line, refusal);
	json_decref(line);
	return error;
}

/* Counts the whole lines into the journal's size. */
static int read_lines(struct journal *journal, struct reading *reading, const char *text,
		      size_t size, struct refusal *refusal)
{
	const char *end = text + size;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t length = newline ? (size_t)(newline - text) : 0;
		bool last = !newline || newline + 1 == end;
		int error;

		if (!newline || (last && memchr(text, '\0', length))) {
			journal->torn = true;
			return 0;
		}
		reading->line++;
		error = read_line(reading, text, length, refusal);
		if (error)
			return error;
		journal->size += length + 1;
		text = newline + 1;
	}
	return 0;
}

int journal_load(struct journal *journal, json_int_t *sequence, json_t **changes,
		 struct refusal *refusal)
{
	struct reading reading = {
		.path = journal->path,
		.sequence = *sequence,
		.changes = json_array(),
	};
	char *text = NULL;
	size_t size = 0;
	int error = reading.changes ? 0 : -ENOMEM;

	if (!error)
		error = file_read(journal->path, &text, &size);
	if (!error) {
		journal->fd = open(journal->path, O_WRONLY | O_APPEND | O_CLOEXEC);
		error = journal->fd < 0 ? -errno : 0;
	}
	if (!error)
		error = read_lines(journal, &reading, text, size, refusal);
	else if (error == -ENOENT)
		error = 0; /* nothing has changed since the snapshot */
	else
		refuse_with(refusal, -error, "%s: %s", journal->path, strerror(-error));
	free(text);
	if (error) {
		json_decref(reading.changes);
		return error;
	}
	*sequence = reading.sequence;
	*changes = reading.changes;
	return 0;
}

static int copy_beginning(const char *from, size_t size, const char *to)
{
	char *text = NULL;
	size_t found;
	int error = file_read(from, &text, &found);
	int fd;

	if (error)
		return error;
	unlink(to); /* of a crash */
	fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	error = fd < 0 ? -errno : file_write(fd, text, size < found ? size : found);
	if (!error && fsync(fd))
		error = -errno;
	if (fd >= 0)
		close(fd);
	free(text);
	return error;
}

int journal_put_aside(const struct journal *journal, char **kept)
{
	char *whole = NULL;
	int error = asprintf(&whole, "%s.new", journal->path) < 0 ? -ENOMEM : 0;

	if (!error)
		error = copy_beginning(journal->path, (size_t)journal->size, whole);
	if (!error)
		error = put_aside(journal->path, kept);
	if (!error && rename(whole, journal->path))
		error = -errno;
	if (!error)
		error = directory_sync(journal->path);
	free(whole);
	return error;
}

static int cut(struct journal *journal)
{
	if (ftruncate(journal->fd, (off_t)journal->size) || fdatasync(journal->fd))
		return -errno;
	journal->torn = false;
	return 0;
}

/* A file whose name is not on disk is not kept open, so that the next append tries again. */
static int create(struct journal *journal)
{
	int error;
	int fd = open(journal->path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	error = directory_sync(journal->path);
	if (error) {
		close(fd);
		return error;
	}
	journal->fd = fd;
	return 0;
}

static int write_line(struct journal *journal, const char *line, size_t size)
{
	int error = 0;

	if (journal->fd < 0)
		error = create(journal);
	else if (journal->torn)
		error = cut(journal);
	if (error)
		return error;
	error = file_write(journal->fd, line, size);
	if (!error && fdatasync(journal->fd))
		error = -errno;
	if (!error) {
		journal->size += size;
		return 0;
	}
	/* Should this fail too, the journal stays torn and takes nothing before it is cut. */
	journal->torn = true;
	cut(journal);
	return error;
}

int journal_append(struct journal *journal, json_int_t sequence, const char *change,
		   struct refusal *refusal)
{
	char *line = NULL;
	int size = asprintf(&line, "{\"sequence\":%" JSON_INTEGER_FORMAT ",\"change\":%s}\n",
			    sequence, change);
	int error = -ENOMEM;

	if (size >= 0)
		error = write_line(journal, line, (size_t)size);
	if (error)
		refuse_with(refusal, -error, "%s: cannot append: %s", journal->path,
			    strerror(-error));
	if (size >= 0)
		free(line);
	return error;
}

int journal_empty(struct journal *journal, struct refusal *refusal)
{
	if (journal->fd < 0)
		return 0;
	if (ftruncate(journal->fd, 0))
		return refuse_with(refusal, errno, "%s: cannot empty: %s", journal->path,
				   strerror(errno));
	journal->size = 0;
	/* Until it is known to be empty on disk too, the next append makes sure first. */
	journal->torn = true;
	if (cut(journal))
		return refuse_with(refusal, errno, "%s: cannot empty: %s", journal->path,
				   strerror(errno));
	return 0;
}
