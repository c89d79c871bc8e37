/*
 * The wall clock: see wall_clock.h.
 */
#include "control/wall_clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MS_PER_SECOND 1000
#define DIGITS "0123456789"

int64_t wall_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * MS_PER_SECOND + now.tv_nsec / 1000000;
}

int64_t wall_clock_seconds_until(int64_t ms)
{
	const int64_t left = ms - wall_clock_ms();

	return left > 0 ? (left + MS_PER_SECOND - 1) / MS_PER_SECOND : 0;
}

const char *wall_clock_format(int64_t ms, char text[WALL_CLOCK_TEXT_MAX])
{
	const time_t seconds = (time_t)(ms / MS_PER_SECOND);
	struct tm parts;
	size_t length;

	gmtime_r(&seconds, &parts);
	length = strftime(text, WALL_CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text + length, WALL_CLOCK_TEXT_MAX - length, ".%03dZ", (int)(ms % MS_PER_SECOND));
	return text;
}

/* `.25` is 250; what is beyond the third digit is cut. `text` is left behind the digits. */
static int parse_fraction(const char **text)
{
	int ms = 0, unit = 100;

	if (**text != '.')
		return 0;
	for (++*text; **text >= '0' && **text <= '9'; ++*text, unit /= 10)
		ms += (**text - '0') * unit;
	return ms;
}

/* strptime is lenient with blanks, signs and the number of digits, and timegm with 31 February. */
static int parse_seconds(const char *text, time_t *seconds)
{
	static const char PATTERN[] = "0000-00-00T00:00:00";
	char again[sizeof(PATTERN)];
	struct tm parts = {};

	for (size_t i = 0; PATTERN[i]; i++)
		if (PATTERN[i] == '0' ? !strchr(DIGITS, text[i]) || !text[i]
				      : text[i] != PATTERN[i])
			return -EINVAL;
	if (!strptime(text, "%Y-%m-%dT%H:%M:%S", &parts))
		return -EINVAL;
	*seconds = timegm(&parts);
	gmtime_r(seconds, &parts);
	strftime(again, sizeof(again), "%Y-%m-%dT%H:%M:%S", &parts);
	return *seconds >= 0 && !strncmp(text, again, sizeof(again) - 1) ? 0 : -EINVAL;
}

int wall_clock_parse(const char *text, int64_t *ms)
{
	const char *rest = text;
	time_t seconds;
	int fraction;

	if (parse_seconds(text, &seconds))
		return -EINVAL;
	rest += strcspn(text, ".Z");
	fraction = parse_fraction(&rest);
	if (strcmp(rest, "Z"))
		return -EINVAL;
	*ms = (int64_t)seconds * MS_PER_SECOND + fraction;
	return 0;
}
