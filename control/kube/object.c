/*
 * What lists and watches read of any object: its name and its version.
 */
#include <stdio.h>
#include <string.h>
#include "control/kube/watch_internal.h"

json_t *kube_object_parse(const char *text, size_t size)
{
	/* Annotations may hold U+0000, which is no reason to do without the object. */
	return json_loadb(text, size, JSON_ALLOW_NUL, NULL);
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
