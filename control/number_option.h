/*
 * The settings of lbd that are numbers, in one table for the command line and the config file: one
 * more is a row here, and one in the list of long options.
 */
#pragma once

#include <stdint.h>
#include "control/options.h"

enum number_option {
	NUMBER_MAX_SERVICES,
	NUMBER_MAX_BACKENDS,
	NUMBER_MAX_CONNECTIONS,
	NUMBER_MAX_NEW_CONNECTIONS,
	NUMBER_MAX_AFFINITY,
	NUMBER_ICMP_ERRORS,
	NUMBER_MAX_FRAGMENTS,
	NUMBER_METRICS_DETAIL,
	NUMBER_MAX_MASQUERADES,
	_NUMBER_OPTION_COUNT,
};

struct number_range {
	const char *name; /* without the dashes; the key in the file */
	uint32_t least, most;
	uint32_t otherwise; /* what it is when nobody sets it */
};

extern const struct number_range NUMBER_OPTIONS[_NUMBER_OPTION_COUNT];

/* Where the setting is kept. */
uint32_t *number_option_of(struct options *options, enum number_option option);
/* By its name; _NUMBER_OPTION_COUNT: there is none. */
enum number_option number_option_find(const char *name);
