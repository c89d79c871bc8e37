/*
 * The settings that are numbers: see number_option.h.
 */
#include "control/number_option.h"

#include <stddef.h>
#include <string.h>

/* Memory is the real bound of most. */
const struct number_range NUMBER_OPTIONS[_NUMBER_OPTION_COUNT] = {
	[NUMBER_MAX_SERVICES] = {"max-services", 1, 1000000, 65536},
	[NUMBER_MAX_BACKENDS] = {"max-backends", 1, 10000000, 262144},
	[NUMBER_MAX_CONNECTIONS] = {"max-connections", 1, 100000000, 262144},
	[NUMBER_MAX_NEW_CONNECTIONS] = {"max-new-connections", 0, 100000000, 0},
	[NUMBER_MAX_AFFINITY] = {"max-affinity", 1, 10000000, 65536},
	[NUMBER_ICMP_ERRORS] = {"icmp-errors", 0, 100000000, 1000},
	[NUMBER_MAX_FRAGMENTS] = {"max-fragments", 1, 1000000, 8192},
	[NUMBER_METRICS_DETAIL] = {"metrics-detail", 0, 10000000, 2000},
	[NUMBER_MAX_MASQUERADES] = {"max-masquerades", 1, 100000000, 262144},
};

uint32_t *number_option_of(struct options *options, enum number_option option)
{
	switch (option) {
	case NUMBER_MAX_SERVICES:
		return &options->datapath.max_services;
	case NUMBER_MAX_BACKENDS:
		return &options->datapath.max_backends;
	case NUMBER_MAX_CONNECTIONS:
		return &options->datapath.max_connections;
	case NUMBER_MAX_NEW_CONNECTIONS:
		return &options->datapath.max_new_connections;
	case NUMBER_MAX_AFFINITY:
		return &options->datapath.max_affinity;
	case NUMBER_ICMP_ERRORS:
		return &options->datapath.icmp_errors;
	case NUMBER_MAX_MASQUERADES:
		return &options->datapath.max_masquerades;
	case NUMBER_MAX_FRAGMENTS:
		return &options->datapath.max_fragments;
	case NUMBER_METRICS_DETAIL:
		return &options->metrics_detail;
	case _NUMBER_OPTION_COUNT:
		break;
	}
	return NULL;
}

enum number_option number_option_find(const char *name)
{
	for (int i = 0; i < _NUMBER_OPTION_COUNT; i++)
		if (!strcmp(NUMBER_OPTIONS[i].name, name))
			return (enum number_option)i;
	return _NUMBER_OPTION_COUNT;
}
