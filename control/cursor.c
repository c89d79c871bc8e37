/*
 * Walking down a JSON value with its path at hand. It knows JSON's types and nothing of what the
 * values mean.
 */
#include "control/cursor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PATH_TEXT_MAX 256
#define KEY_SHOWN_MAX 64  /* bytes of a key or a string in a message */
#define VALUE_TEXT_MAX 96 /* a shown string with its quotes and ellipsis; a number is shorter */
#define KNOWN_TEXT_MAX 256

struct cursor cursor_root(const json_t *value, const char *path, struct refusal *refusal)
{
	return (struct cursor){.value = value, .key = path, .refusal = refusal};
}

struct cursor cursor_member(const struct cursor *object, const char *key)
{
	return (struct cursor){
		.value = json_object_get(object->value, key),
		.parent = object,
		.key = key,
		.refusal = object->refusal,
	};
}

struct cursor cursor_element(const struct cursor *array, size_t index)
{
	return (struct cursor){
		.value = json_array_get(array->value, index),
		.parent = array,
		.index = index,
		.refusal = array->refusal,
	};
}

/* Returns the length. It recurses no deeper than the functions that made the cursors nest. */
static size_t write_path(const struct cursor *at, char text[PATH_TEXT_MAX])
{
	size_t used = at->parent ? write_path(at->parent, text) : 0;
	size_t room = PATH_TEXT_MAX - used;
	int written;

	if (at->key)
		written = snprintf(text + used, room, "%s%.*s", used ? "." : "", KEY_SHOWN_MAX,
				   at->key);
	else if (at->parent)
		written = snprintf(text + used, room, "[%zu]", at->index);
	else
		written = snprintf(text + used, room, "%s", "");
	return (size_t)written < room ? used + written : PATH_TEXT_MAX - 1;
}

static const char *describe_path(const struct cursor *at, char text[PATH_TEXT_MAX])
{
	return write_path(at, text) ? text : "document";
}

int cursor_refuse(const struct cursor *at, const char *format, ...)
{
	char path[PATH_TEXT_MAX], reason[REFUSAL_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	return refuse(at->refusal, "%s: %s", describe_path(at, path), reason);
}

int cursor_prefix(const struct cursor *at, int error)
{
	char path[PATH_TEXT_MAX];

	refuse(at->refusal, "%s: %s", describe_path(at, path), at->refusal->text);
	return error;
}

static const char *show(const json_t *value, char text[VALUE_TEXT_MAX])
{
	size_t length;

	if (json_is_object(value))
		return "an object";
	if (json_is_array(value))
		return "a list";
	if (json_is_string(value)) {
		length = json_string_length(value);
		snprintf(text, VALUE_TEXT_MAX, "\"%.*s%s\"", KEY_SHOWN_MAX,
			 json_string_value(value), length > KEY_SHOWN_MAX ? "…" : "");
		return text;
	}
	length = json_dumpb(value, text, VALUE_TEXT_MAX - 1, JSON_ENCODE_ANY);
	text[length < VALUE_TEXT_MAX ? length : 0] = '\0';
	return text;
}

int cursor_refuse_value(const struct cursor *at, const char *right)
{
	char text[VALUE_TEXT_MAX];

	return cursor_refuse(at, "%s is not %s", show(at->value, text), right);
}

static int check_type(const struct cursor *at, json_type type, const char *right)
{
	if (!at->value)
		return cursor_refuse(at, "is required");
	if (json_typeof(at->value) != type)
		return cursor_refuse_value(at, right);
	return 0;
}

static int refuse_key(const struct cursor *at, const char *key, const char *const *known)
{
	struct cursor member = cursor_member(at, key);
	char text[KNOWN_TEXT_MAX];
	size_t used = 0;

	for (size_t i = 0; known[i] && used < sizeof(text); i++)
		used += snprintf(text + used, sizeof(text) - used, "%s%s", i ? ", " : "", known[i]);
	return cursor_refuse(&member, "unknown key; known are %s", text);
}

static int is_known(const char *key, const char *const *known)
{
	for (; *known; known++)
		if (!strcmp(*known, key))
			return 1;
	return 0;
}

int cursor_check_object(const struct cursor *at, const char *const *known)
{
	int error = check_type(at, JSON_OBJECT, "an object");
	const char *key;
	json_t *value;

	if (error || !known)
		return error;
	/* jansson's walk takes no const, but changes nothing. */
	json_object_foreach ((json_t *)at->value, key, value)
		if (!is_known(key, known))
			return refuse_key(at, key, known);
	return 0;
}

int cursor_check_array(const struct cursor *at)
{
	return check_type(at, JSON_ARRAY, "a list");
}

int cursor_check_optional_array(const struct cursor *at)
{
	return at->value && !json_is_null(at->value) ? cursor_check_array(at) : 0;
}

int cursor_read_text(const struct cursor *at, const char **text)
{
	int error = check_type(at, JSON_STRING, "a string");

	if (error)
		return error;
	*text = json_string_value(at->value);
	return 0;
}

int cursor_read_integer(const struct cursor *at, json_int_t minimum, json_int_t maximum,
			json_int_t *number)
{
	int error = check_type(at, JSON_INTEGER, "an integer");
	json_int_t value;

	if (error)
		return error;
	value = json_integer_value(at->value);
	if (value < minimum || value > maximum)
		return cursor_refuse(at, "%lld is not %lld–%lld", (long long)value,
				     (long long)minimum, (long long)maximum);
	*number = value;
	return 0;
}
