/*
 * Logging to stderr, a line an event, written at once so that lines of two processes do not mix.
 */
#include "control/log.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES 2048
#define QUOTE_BUFFERS 5
#define QUOTED_MAX 1024

static const char *const LEVEL_NAMES[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
};

void log_event(enum log_level level, const char *event, const char *fields, ...)
{
	char line[LINE_MAX_BYTES];
	size_t used;
	va_list arguments;

	used = (size_t)snprintf(line, sizeof(line) - 1, "level=%s event=%s", LEVEL_NAMES[level],
				event);
	if (fields[0] && used < sizeof(line) - 2) {
		line[used++] = ' ';
		va_start(arguments, fields);
		vsnprintf(line + used, sizeof(line) - 1 - used, fields, arguments);
		va_end(arguments);
	}
	used = strlen(line);
	line[used++] = '\n';
	fwrite(line, 1, used, stderr);
}

static bool is_plain(const char *value)
{
	if (!value[0])
		return false;
	for (; *value; value++)
		if (!isgraph((unsigned char)*value) || strchr("\"\\=", *value))
			return false;
	return true;
}

const char *log_quote(const char *value)
{
	static char buffers[QUOTE_BUFFERS][QUOTED_MAX];
	static unsigned int next;
	char *text = buffers[next++ % QUOTE_BUFFERS];
	size_t used = 0;

	if (is_plain(value))
		return value;
	text[used++] = '"';
	for (; *value && used < QUOTED_MAX - 6; value++) {
		if (*value == '"' || *value == '\\')
			text[used++] = '\\';
		if ((unsigned char)*value < ' ' || *value == '\x7f')
			used += (size_t)sprintf(text + used, "\\x%02x", (unsigned char)*value);
		else
			text[used++] = *value;
	}
	text[used++] = '"';
	text[used] = '\0';
	return text;
}
