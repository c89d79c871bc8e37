/*
 * The source of table files (--tables): read at the start and again on SIGHUP, all of them as one
 * document, whole or not at all.
 */
#pragma once

#include <stddef.h>
#include "control/reconcile.h"
#include "lb/refusal.h"

/* 0, or -errno with a refusal naming the file and the path in it; then nothing has changed. */
int files_load(struct reconcile *reconcile, char *const *paths, size_t count,
	       struct refusal *refusal);
