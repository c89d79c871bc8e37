/*
 * Reading Kubernetes' objects: see reader.h.
 */
#include "control/kube/reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IPV4_BITS 96 /* in front of an IPv4 address in the 128-bit form */

void reader_refuse(struct reader *reader, const char *format, ...)
{
	char text[REFUSAL_MAX];
	va_list arguments;

	if (reader->error)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	reader->error = refuse(reader->refusal, "%s", text);
}

void reader_lack_memory(struct reader *reader)
{
	reader_refuse(reader, "out of memory");
	reader->error = -ENOMEM;
}

/* NULL where it is absent or null. */
static const json_t *member(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_null(value) ? NULL : value;
}

const char *reader_text(struct reader *reader, const json_t *object, const char *key,
			const char *otherwise)
{
	const json_t *value = member(object, key);

	if (!value)
		return otherwise;
	if (json_is_string(value))
		return json_string_value(value);
	reader_refuse(reader, "%s is not a text", key);
	return otherwise;
}

bool reader_flag(struct reader *reader, const json_t *object, const char *key, bool otherwise)
{
	const json_t *value = member(object, key);

	if (!value)
		return otherwise;
	if (!json_is_boolean(value))
		reader_refuse(reader, "%s is not true or false", key);
	return json_is_true(value);
}

json_int_t reader_number(struct reader *reader, const json_t *object, const char *key,
			 json_int_t most, json_int_t otherwise)
{
	const json_t *value = member(object, key);
	json_int_t number;

	if (!value)
		return otherwise;
	number = json_integer_value(value);
	if (json_is_integer(value) && number >= 0 && number <= most)
		return number;
	reader_refuse(reader, "%s is not a number of 0–%lld", key, (long long)most);
	return otherwise;
}

const json_t *reader_object(struct reader *reader, const json_t *object, const char *key)
{
	const json_t *value = member(object, key);

	if (!value || json_is_object(value))
		return value;
	reader_refuse(reader, "%s is not an object", key);
	return NULL;
}

const json_t *reader_list(struct reader *reader, const json_t *object, const char *key)
{
	const json_t *value = member(object, key);

	if (!value)
		return NULL;
	if (!json_is_array(value))
		reader_refuse(reader, "%s is not a list", key);
	else if (json_array_size(value) > KUBE_ITEMS_MAX)
		reader_refuse(reader, "%s has more than %d elements", key, KUBE_ITEMS_MAX);
	else
		return value;
	return NULL;
}

const json_t *reader_item(struct reader *reader, const json_t *list, size_t index)
{
	const json_t *item = json_array_get(list, index);

	if (json_is_object(item))
		return item;
	reader_refuse(reader, "element %zu of a list is not an object", index);
	return NULL;
}

const char *reader_element(struct reader *reader, const json_t *list, size_t index)
{
	const char *text = json_string_value(json_array_get(list, index));

	if (text)
		return text;
	reader_refuse(reader, "element %zu of a list is not a text", index);
	return "";
}

/* Takes leading zeros off the numbers of an IPv4 address. false: it is not one. */
static bool trim_zeros(const char *text, char trimmed[ADDRESS_TEXT_MAX])
{
	size_t used = 0;

	while (*text) {
		while (text[0] == '0' && text[1] >= '0' && text[1] <= '9')
			text++;
		do {
			if (used + 1 == ADDRESS_TEXT_MAX)
				return false;
			trimmed[used++] = *text++;
		} while (*text && text[-1] != '.');
	}
	trimmed[used] = '\0';
	return true;
}

static bool parse_address(const char *text, struct address *address)
{
	char trimmed[ADDRESS_TEXT_MAX];

	if (!strchr(text, ':'))
		return trim_zeros(text, trimmed) && !address_parse(trimmed, address);
	return !address_parse(text, address);
}

bool reader_address(struct reader *reader, const char *text, struct address *address)
{
	if (parse_address(text, address))
		return true;
	reader_refuse(reader, "\"%.64s\" is not an address", text);
	return false;
}

static bool parse_prefix(const char *text, size_t length, struct prefix *prefix)
{
	char copy[ENDPOINT_TEXT_MAX];
	char *slash, *end;
	struct address address;
	unsigned long bits;
	bool is_ipv4;

	if (length >= sizeof(copy))
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	slash = strchr(copy, '/');
	if (!slash || slash[1] < '0' || slash[1] > '9')
		return false;
	*slash = '\0';
	bits = strtoul(slash + 1, &end, 10);
	if (*end || !parse_address(copy, &address))
		return false;
	is_ipv4 = address_is_ipv4(&address);
	if (bits > (is_ipv4 ? 32 : 128))
		return false;
	*prefix = prefix_around(&address, (__u8)(bits + (is_ipv4 ? IPV4_BITS : 0)));
	return true;
}

bool reader_prefix(struct reader *reader, const char *text, struct prefix *prefix)
{
	static const char BLANKS[] = " \t\r\n\v\f";
	const char *start = text + strspn(text, BLANKS);
	size_t length = strlen(start);

	while (length && strchr(BLANKS, start[length - 1]))
		length--;
	if (parse_prefix(start, length, prefix))
		return true;
	reader_refuse(reader, "\"%.64s\" is not a prefix", text);
	return false;
}

void *reader_room(struct reader *reader, size_t count, size_t size)
{
	void *room = count ? calloc(count, size) : NULL;

	if (count && !room)
		reader_lack_memory(reader);
	return room;
}

char *reader_copy(struct reader *reader, const char *text)
{
	char *copy = text[0] ? strdup(text) : NULL;

	if (text[0] && !copy)
		reader_lack_memory(reader);
	return copy;
}

char *reader_name(struct reader *reader, const json_t *metadata, const char *name)
{
	const char *namespace = reader_text(reader, metadata, "namespace", "default");
	char *joined = NULL;

	if (!name[0])
		reader_refuse(reader, "it has no name");
	else if (asprintf(&joined, "%s/%s", namespace, name) < 0)
		reader_lack_memory(reader);
	if (!reader->error)
		return joined;
	free(joined);
	return NULL;
}
