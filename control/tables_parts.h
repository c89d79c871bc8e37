/*
 * What the files control/tables*.c share with each other and with nobody else.
 */
#pragma once

#include <stdbool.h>
#include "control/cursor.h"
#include "control/tables.h"

/* One value of the grammar. 0 or -errno with a refusal, and the output untouched. */
int tables_read_service(const struct cursor *at, struct service **service);
int tables_read_address(const struct cursor *at, struct address *address);
int tables_read_prefix(const struct cursor *at, struct prefix *prefix);

/*
 * Adds the services of a kind List to empty *tables. 0 or -errno with a refusal; on error *tables
 * holds a part, for the caller to finish.
 */
int tables_read_kubernetes(const struct cursor *document, struct tables *tables);

/*
 * The whole text of the grammar {"services": […]}, and nothing but services, to *tables; true when
 * it was that and nothing is wrong with it. Otherwise false, says nothing of the reason (there may
 * be none: a List of Kubernetes, a key `deny`), and *tables is untouched.
 */
bool tables_read_pieces(const char *text, size_t size, enum source source, struct tables *tables);

/* The earliest element that repeats an earlier one. */
struct repetition {
	size_t first, second;
};

/* By key, and by prefix, in O(n log n). 1 and *repetition, 0 where there is none, or -ENOMEM. */
int tables_find_repeated_service(const struct tables *tables, struct repetition *repetition);
int tables_find_repeated_deny(const struct tables *tables, struct repetition *repetition);
