/*
 * JSON texts: see json_text.h.
 */
#include "control/json_text.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 4096

/* Room for `size` bytes more and the NUL. */
static bool reserve(struct json_text *text, size_t size)
{
	size_t room = text->room ? text->room : FIRST_ROOM;
	char *bytes;

	while (room - text->used <= size)
		room *= 2;
	if (room == text->room)
		return true;
	bytes = realloc(text->bytes, room);
	if (!bytes)
		return false;
	text->bytes = bytes;
	text->room = room;
	return true;
}

static int append(const char *bytes, size_t size, void *context)
{
	struct json_text *text = context;

	if (text->failed || !reserve(text, size)) {
		text->failed = true;
		return -1;
	}
	memcpy(text->bytes + text->used, bytes, size);
	text->used += size;
	text->bytes[text->used] = '\0';
	return 0;
}

void json_text_add(struct json_text *text, const char *words)
{
	append(words, strlen(words), text);
}

void json_text_add_value(struct json_text *text, json_t *value)
{
	if (!value || json_dump_callback(value, append, text, JSON_COMPACT | JSON_ENCODE_ANY))
		text->failed = true;
	json_decref(value);
}

void json_text_add_element(struct json_text *text, json_t *value)
{
	if (text->used && text->bytes[text->used - 1] != '[')
		json_text_add(text, ",");
	json_text_add_value(text, value);
}

char *json_text_finish(struct json_text *text)
{
	char *bytes = text->bytes;

	if (text->failed) {
		free(bytes);
		bytes = NULL;
	}
	*text = (struct json_text){0};
	return bytes;
}
