/*
 * The source of table files (--tables): read at the start and again on SIGHUP, all of them as one
 * document, whole or not at all.
 */
#pragma once

#include <stddef.h>
#include "control/deny.h"
#include "control/reconcile.h"
#include "lb/refusal.h"

struct files;

/*
 * Starts reading on a thread of its own, so that it takes no time while the kernel makes the maps.
 * `paths` must stay until the files are brought or dropped. NULL: out of memory.
 */
struct files *files_read_ahead(char *const *paths, size_t count);

/*
 * Waits for what is read and brings it; `files` is gone then. 0, or -errno with a refusal naming
 * the file and the path in it; then nothing has changed.
 */
int files_bring(struct files *files, struct reconcile *reconcile, struct deny_list *deny,
		struct refusal *refusal);
void files_drop(struct files *files);

/* Reads and brings at once. */
int files_load(struct reconcile *reconcile, struct deny_list *deny, char *const *paths,
	       size_t count, struct refusal *refusal);
