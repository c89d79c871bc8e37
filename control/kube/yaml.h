/*
 * YAML (by libyaml) as a tree of JSON, for the documents that kubectl writes: mappings, sequences
 * and texts. `true`, `false` and nothing at all are what they are in JSON; all other scalars,
 * numbers too, stay the texts that they were written as.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include "lb/refusal.h"

#define YAML_BYTES_MAX (1u << 20)
#define YAML_DEPTH_MAX 32
#define YAML_VALUES_MAX 65536 /* aliases counted as often as they are used */

/* The first document. NULL with a refusal that names the line, or a value the caller owns. */
json_t *yaml_load_text(const char *text, size_t size, struct refusal *refusal);
