/*
 * The model's enums in words, as the command line, JSON and people have them. Upper and lower case
 * differ: one thing has one word.
 */
#include "lb/service.h"

#include <errno.h>
#include <string.h>

static const char *const ALGORITHM_NAMES[_ALGORITHM_COUNT] = {
	[ALGORITHM_MAGLEV] = "maglev",
	[ALGORITHM_RANDOM] = "random",
	[ALGORITHM_ROUND_ROBIN] = "round-robin",
	[ALGORITHM_SOURCE_HASH] = "source-hash",
};

static const char *const STATE_NAMES[_BACKEND_STATE_COUNT] = {
	[BACKEND_NONE] = "none",
	[BACKEND_ACTIVE] = "active",
	[BACKEND_DRAINING] = "draining",
	[BACKEND_DOWN] = "down",
};

static const char *const MASQUERADE_NAMES[_MASQUERADE_COUNT] = {
	[MASQUERADE_NONE] = "none",
	[MASQUERADE_STRANGERS] = "strangers",
	[MASQUERADE_OTHERS] = "others",
};

static const char *const SOURCE_NAMES[_SOURCE_COUNT] = {
	[SOURCE_OPERATOR] = "operator",
	[SOURCE_FILE] = "file",
	[SOURCE_KUBERNETES] = "kubernetes",
};

/* Enums also come out of maps that another lbd wrote, so their range is not taken for granted. */
static const char *name_value(const char *const *names, unsigned int count, unsigned int value)
{
	return value < count ? names[value] : "unknown";
}

/* The value that has this name, from `first` on; or -EINVAL. */
static int find_value(const char *const *names, unsigned int first, unsigned int count,
		      const char *text)
{
	for (unsigned int i = first; i < count; i++)
		if (!strcmp(text, names[i]))
			return (int)i;
	return -EINVAL;
}

int algorithm_parse(const char *text, enum algorithm *algorithm)
{
	int value = find_value(ALGORITHM_NAMES, 0, _ALGORITHM_COUNT, text);

	if (value < 0)
		return value;
	*algorithm = value;
	return 0;
}

int masquerade_parse(const char *text, enum masquerade *masquerade)
{
	int value = find_value(MASQUERADE_NAMES, 0, _MASQUERADE_COUNT, text);

	if (value < 0)
		return value;
	*masquerade = value;
	return 0;
}

const char *masquerade_name(enum masquerade masquerade)
{
	return name_value(MASQUERADE_NAMES, _MASQUERADE_COUNT, masquerade);
}

const char *algorithm_name(enum algorithm algorithm)
{
	return name_value(ALGORITHM_NAMES, _ALGORITHM_COUNT, algorithm);
}

/* Nobody asks for a backend that is none: that state is the datapath's alone. */
int backend_state_parse(const char *text, enum backend_state *state)
{
	int value = find_value(STATE_NAMES, BACKEND_ACTIVE, _BACKEND_STATE_COUNT, text);

	if (value < 0)
		return value;
	*state = value;
	return 0;
}

const char *backend_state_name(enum backend_state state)
{
	return name_value(STATE_NAMES, _BACKEND_STATE_COUNT, state);
}

const char *source_name(enum source source)
{
	return name_value(SOURCE_NAMES, _SOURCE_COUNT, source);
}
