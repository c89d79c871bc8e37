/*
 * Times that outlive lbd and the machine's start: milliseconds of CLOCK_REALTIME, as ends of denied
 * prefixes and deadlines of backends are kept. They move with a clock that is set.
 */
#pragma once

#include <stdint.h>

#define WALL_CLOCK_TEXT_MAX 32

int64_t wall_clock_ms(void);

/* Whole seconds from now on, rounded up: what is left of a second counts. 0: it is over. */
int64_t wall_clock_seconds_until(int64_t ms);

/* RFC 3339 in UTC, `2024-11-26T04:18:22.250Z`. Returns `text`. */
const char *wall_clock_format(int64_t ms, char text[WALL_CLOCK_TEXT_MAX]);

/* The same from 1970 to 9999, with or without a fraction. 0, or -EINVAL with *ms untouched. */
int wall_clock_parse(const char *text, int64_t *ms);
