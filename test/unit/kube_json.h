/*
 * Objects of Kubernetes written with single quotes, as C has the others.
 */
#pragma once

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static inline json_t *parse(const char *text)
{
	char *copy = strdup(text);
	json_t *object;

	for (char *at = copy; *at; at++)
		if (*at == '\'')
			*at = '"';
	object = json_loads(copy, 0, NULL);
	if (!object)
		fail_msg("not JSON: %s", copy);
	free(copy);
	return object;
}
