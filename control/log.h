/*
 * One line per event on stderr, key=value: `level=info event=attached interface=eth0 mode=native`.
 * Values are text already escaped where they hold blanks or quotes.
 */
#pragma once

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
};

/* `fields` is printf's format of the rest of the line (`interface=%s mode=%s`); "" for none. */
void log_event(enum log_level level, const char *event, const char *fields, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(event, ...) log_event(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define log_warning(event, ...) log_event(LOG_LEVEL_WARNING, event, __VA_ARGS__)
#define log_info(event, ...) log_event(LOG_LEVEL_INFO, event, __VA_ARGS__)

/*
 * Quotes `value` for a line: in double quotes with \ escapes when it holds blanks, quotes, '=' or
 * control characters, else as it is. Returns one of a few static buffers, valid for four more
 * calls.
 */
const char *log_quote(const char *value);
