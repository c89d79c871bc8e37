/*
 * Reads a JSON value that must have a certain shape, and names its path where it has not:
 * `services[3].backends[0].port: 70000 is not 1–65535`. Cursors live on the stacks of the functions
 * that descend, so a path costs nothing until it is printed.
 */
#pragma once

#include <jansson.h>
#include "lb/refusal.h"

struct cursor {
	const json_t *value;         /* NULL: absent */
	const struct cursor *parent; /* NULL: the root. It must outlive this one */
	const char *key;             /* in the parent; NULL: an element. Of the root: its path */
	size_t index;                /* of an element */
	struct refusal *refusal;     /* filled on error, by all that follow */
};

/* `path` begins every message; NULL for a whole document. */
struct cursor cursor_root(const json_t *value, const char *path, struct refusal *refusal);

/* Of a key that is absent, or a value that is no object or array, the member has the value NULL. */
struct cursor cursor_member(const struct cursor *object, const char *key);
struct cursor cursor_element(const struct cursor *array, size_t index);

/*
 * 0, or -EINVAL with a refusal where the value is absent or of another type. An object may have no
 * keys but those of `known`, a list that NULL ends; a `known` of NULL allows any.
 */
int cursor_check_object(const struct cursor *at, const char *const *known);
int cursor_check_array(const struct cursor *at);
int cursor_check_optional_array(const struct cursor *at); /* absent or null will do: no elements */
int cursor_read_text(const struct cursor *at, const char **text);
int cursor_read_integer(const struct cursor *at, json_int_t minimum, json_int_t maximum,
			json_int_t *number);

/* `PATH: TEXT`; returns -EINVAL. */
int cursor_refuse(const struct cursor *at, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* `PATH: VALUE is not RIGHT`; returns -EINVAL. */
int cursor_refuse_value(const struct cursor *at, const char *right);

/* Puts the path before what the refusal says already, and returns `error` as it is. */
int cursor_prefix(const struct cursor *at, int error);
