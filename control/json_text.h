/*
 * A JSON text put together from words and values, for documents whose tree would be many times as
 * large as the text. Values are compact, so the text is one line.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Zero is an empty one. */
struct json_text {
	char *bytes; /* ends in a NUL; the caller's to free */
	size_t used, room;
	bool failed; /* out of memory, now or earlier: what is there is not whole */
};

/* Punctuation and keys, as they are. */
void json_text_add(struct json_text *text, const char *words);

/* Takes the value over; NULL is one that there was no memory for. */
void json_text_add_value(struct json_text *text, json_t *value);

/* An element of a list that began with `[`. */
void json_text_add_element(struct json_text *text, json_t *value);

/* The text, the caller's to free, with *text empty again; NULL where it failed. */
char *json_text_finish(struct json_text *text);
