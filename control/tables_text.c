/*
 * Bytes to JSON: files and texts of a limited size and depth, parsed strictly. What the values mean
 * is control/tables.c's matter.
 */
#include "control/tables_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "control/json_scratch.h"

#define FIRST_READ_BYTES (64u << 10)

struct position {
	size_t line, column; /* from 1; the column counts bytes */
};

static void step(struct position *position, char byte)
{
	position->column++;
	if (byte == '\n')
		*position = (struct position){.line = position->line + 1};
}

/* The index after the string whose opening quote is at `start`; `size` where it does not end. */
static size_t skip_string(const char *text, size_t size, size_t start)
{
	size_t i = start + 1;

	while (i < size && text[i] != '"')
		i += text[i] == '\\' ? 2 : 1;
	return i < size ? i + 1 : size;
}

/* Where the text nests deeper than TABLES_DEPTH_MAX, or `size`. Says nothing else of the text. */
static size_t find_too_deep(const char *text, size_t size)
{
	size_t depth = 0, i = 0;

	while (i < size) {
		if (text[i] == '"') {
			i = skip_string(text, size, i);
			continue;
		}
		if ((text[i] == '{' || text[i] == '[') && ++depth > TABLES_DEPTH_MAX)
			return i;
		if ((text[i] == '}' || text[i] == ']') && depth)
			depth--;
		i++;
	}
	return size;
}

/* Before parsing, which recurses: its stack must not depend on what a stranger wrote. */
static int check_depth(const char *text, size_t size, struct refusal *refusal)
{
	struct position position = {.line = 1};
	size_t offender = find_too_deep(text, size);

	if (offender == size)
		return 0;
	for (size_t i = 0; i <= offender; i++)
		step(&position, text[i]);
	return refuse(refusal, "line %zu, column %zu: nested deeper than %d levels", position.line,
		      position.column, TABLES_DEPTH_MAX);
}

json_t *tables_load_text(const char *text, size_t size, struct refusal *refusal)
{
	json_error_t error;
	json_t *value;

	if (size > TABLES_BYTES_MAX) {
		refuse(refusal, "%zu bytes are more than the %u allowed", size, TABLES_BYTES_MAX);
		return NULL;
	}
	if (check_depth(text, size, refusal))
		return NULL;
	value = json_parse(text, size, JSON_REJECT_DUPLICATES, &error);
	if (!value && json_parse_lacked_memory(&error))
		refuse(refusal, "out of memory");
	else if (!value)
		refuse(refusal, "line %d, column %d: %s", error.line, error.column, error.text);
	return value;
}

struct content {
	char *bytes;
	size_t used, room;
};

static void free_content(struct content *content)
{
	free(content->bytes);
}

static void close_file(int *fd)
{
	if (*fd > STDERR_FILENO)
		close(*fd);
}

/* Room for at least one more byte, with one byte more than the limit in the end. 0 or -errno. */
static int grow(struct content *content)
{
	size_t room = content->room ? content->room * 2 : FIRST_READ_BYTES;
	char *bytes;

	if (content->used < content->room)
		return 0;
	if (room > TABLES_BYTES_MAX)
		room = TABLES_BYTES_MAX + 1;
	bytes = realloc(content->bytes, room);
	if (!bytes)
		return -ENOMEM;
	content->bytes = bytes;
	content->room = room;
	return 0;
}

/* Stops at the end or one byte past the limit: size is not asked for, it may be a pipe. */
static int read_content(int fd, struct content *content)
{
	while (content->used <= TABLES_BYTES_MAX) {
		int error = grow(content);
		ssize_t length;

		if (error)
			return error;
		length = read(fd, content->bytes + content->used, content->room - content->used);
		if (length < 0 && errno != EINTR)
			return -errno;
		if (!length)
			return 0;
		content->used += length > 0 ? length : 0;
	}
	return -EFBIG;
}

static const char *name_of(const char *path)
{
	return strcmp(path, "-") ? path : "standard input";
}

/* The whole file. 0 or -errno with a refusal that names it. */
static int read_file(const char *path, struct content *content, struct refusal *refusal)
{
	__attribute__((cleanup(close_file))) int fd =
		strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	int error = fd < 0 ? -errno : read_content(fd, content);

	if (error == -EFBIG)
		return refuse_with(refusal, EFBIG, "%s: larger than the %u bytes allowed",
				   name_of(path), TABLES_BYTES_MAX);
	if (error)
		return refuse_with(refusal, -error, "%s: cannot be read: %s", name_of(path),
				   strerror(-error));
	return 0;
}

static json_t *load_content(const char *path, const struct content *content,
			    struct refusal *refusal)
{
	json_t *value = tables_load_text(content->bytes, content->used, refusal);

	if (!value)
		refuse(refusal, "%s: %s", name_of(path), refusal->text);
	return value;
}

json_t *tables_load_file(const char *path, struct refusal *refusal)
{
	__attribute__((cleanup(free_content))) struct content content = {0};

	return read_file(path, &content, refusal) ? NULL : load_content(path, &content, refusal);
}

int tables_read_file(const char *path, enum source source, struct tables *tables,
		     struct refusal *refusal)
{
	__attribute__((cleanup(free_content))) struct content content = {0};
	int error = read_file(path, &content, refusal);
	json_t *document;

	if (error || tables_read_pieces(content.bytes, content.used, source, tables))
		return error;
	document = load_content(path, &content, refusal);
	error = document ? tables_decode(document, source, tables, refusal) : -EINVAL;
	json_decref(document);
	return error;
}
