/*
 * JSON tables (docs/tables.schema.json) to the model and back. The messages name the path of the
 * offender and what would be right: `services[3].backends[0].port: 70000 is not 1–65535`.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include "lb/service.h"
#include "lb/refusal.h"

#define TABLES_BYTES_MAX (64u << 20) /* a larger document is refused unread */
#define TABLES_DEPTH_MAX 64          /* nesting; jansson itself stops at 2048 */

/* What one document says. Owned by its holder. */
struct tables {
	struct service **services;
	size_t service_count;
	struct prefix *deny;
	size_t deny_count;
};

void tables_finish(struct tables *tables);

/*
 * Parses text with the checks of the grammar: size, nesting, duplicate keys, NaN, not UTF-8. On
 * error the refusal names line and column. NULL, or a value the caller owns.
 */
json_t *tables_load_text(const char *text, size_t size, struct refusal *refusal);

/* Reads a file (`-`: standard input) with the same checks; the refusal names the file. */
json_t *tables_load_file(const char *path, struct refusal *refusal);

/*
 * The whole document: unknown keys, wrong types, values out of range, duplicates are refused and
 * *tables is untouched. Every service gets `source`. Also takes what
 * `kubectl get services,endpointslices -A -o json` prints (kind List). 0 or -errno with a refusal.
 */
int tables_decode(const json_t *document, enum source source, struct tables *tables,
		  struct refusal *refusal);

/*
 * A file straight to the model: tables_load_file and tables_decode in one, without a tree of the
 * whole where there is nothing to refuse. 0 or -errno with the refusal of either.
 */
int tables_read_file(const char *path, enum source source, struct tables *tables,
		     struct refusal *refusal);

/* One service object; `path` prefixes messages (`services[3]`). The caller frees *service. */
int tables_decode_service(const json_t *value, const char *path, struct service **service,
			  struct refusal *refusal);

/*
 * One backend object {address, port, weight, state, deadline}, the last three with defaults 1,
 * active and none. One whose deadline is over is down.
 */
int tables_decode_backend(const json_t *value, const char *path, struct backend *backend,
			  struct refusal *refusal);

/*
 * The grammar's objects, every key present but a deadline where there is none, in the grammar's
 * order. NULL when out of memory.
 */
json_t *tables_encode_service(const struct service *service);
json_t *tables_encode_backend(const struct backend *backend);
