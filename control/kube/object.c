/*
 * What lists and watches read of any object: its name and its version.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "control/kube/watch_internal.h"

#define ESCAPE "\\u"
#define ESCAPE_DIGITS 4

static bool is_escape(const char *at, const char *end)
{
	if (end - at < (ptrdiff_t)strlen(ESCAPE) + ESCAPE_DIGITS)
		return false;
	at += strlen(ESCAPE);
	for (size_t i = 0; i < ESCAPE_DIGITS; i++)
		if (!isxdigit((unsigned char)at[i]))
			return false;
	return true;
}

static void leave_ascii(char *text, size_t size)
{
	char *const end = text + size, *at = text;

	for (size_t i = 0; i < size; i++)
		if (text[i] & 0x80)
			text[i] = '?';
	while ((at = memmem(at, (size_t)(end - at), ESCAPE, strlen(ESCAPE)))) {
		if (is_escape(at, end))
			memcpy(at + strlen(ESCAPE), "fffd", ESCAPE_DIGITS);
		at += strlen(ESCAPE);
	}
}

/*
 * What an API server does not read it passes on as somebody wrote it, names of fields in
 * metadata.managedFields among it, and its parser takes more for JSON than ours: bytes that are no
 * UTF-8, U+0000 in a key. lbd reads nothing but ASCII, so the rest may be anything.
 */
static json_t *parse_ascii(const char *text, size_t size)
{
	char *copy = malloc(size);
	json_t *object;

	if (!copy)
		return NULL;
	memcpy(copy, text, size);
	leave_ascii(copy, size);
	object = json_loadb(copy, size, 0, NULL);
	free(copy);
	return object;
}

json_t *kube_object_parse(const char *text, size_t size)
{
	/* Annotations may hold U+0000, which is no reason to do without the object. */
	json_t *object = json_loadb(text, size, JSON_ALLOW_NUL, NULL);

	return object ? object : parse_ascii(text, size);
}

bool kube_object_has_name(const json_t *object)
{
	const json_t *metadata = json_object_get(object, "metadata");

	return json_string_length(json_object_get(metadata, "name"));
}

const char *kube_object_version(const json_t *object)
{
	const json_t *metadata = json_object_get(object, "metadata");
	const char *version = json_string_value(json_object_get(metadata, "resourceVersion"));

	return version && version[0] ? version : NULL;
}

int kube_version_compare(const char *version, const char *known)
{
	unsigned long long ours, theirs;
	char *end, *known_end;

	if (!strcmp(version, known))
		return 0;
	errno = 0;
	theirs = strtoull(version, &end, 10);
	ours = strtoull(known, &known_end, 10);
	if (errno || *end || *known_end)
		return 1;
	return theirs < ours ? -1 : theirs > ours;
}

static const char *skip_blanks(const char *at, const char *end)
{
	while (at < end && strchr(" \t\r\n:", *at))
		at++;
	return at;
}

/* The text behind the first `"key":` from `at` on; NULL: there is none. */
static const char *find_text(const char *at, const char *end, const char *key, size_t *size)
{
	char quoted[32];
	const char *close;
	int length = snprintf(quoted, sizeof(quoted), "\"%s\"", key);

	at = memmem(at, (size_t)(end - at), quoted, (size_t)length);
	if (!at)
		return NULL;
	at = skip_blanks(at + length, end);
	if (at == end || *at != '"')
		return NULL;
	close = memchr(at + 1, '"', (size_t)(end - at - 1));
	if (!close)
		return NULL;
	*size = (size_t)(close - at - 1);
	return at + 1;
}

void kube_object_guess_name(const char *beginning, size_t size, char name[KUBE_NAME_TEXT_MAX])
{
	const char *end = beginning + size, *at, *found;
	size_t used = 0, length;

	snprintf(name, KUBE_NAME_TEXT_MAX, "unknown");
	at = memmem(beginning, size, "\"metadata\"", strlen("\"metadata\""));
	if (!at)
		return;
	found = find_text(at, end, "namespace", &length);
	if (found && length < KUBE_NAME_TEXT_MAX / 2)
		used = (size_t)snprintf(name, KUBE_NAME_TEXT_MAX, "%.*s/", (int)length, found);
	found = find_text(at, end, "name", &length);
	if (found && length < KUBE_NAME_TEXT_MAX / 2)
		snprintf(name + used, KUBE_NAME_TEXT_MAX - used, "%.*s", (int)length, found);
}
