/*
 * The journal beside a snapshot: a line {"sequence": n, "change": {…}} for each change since. The
 * sequence tells which lines a snapshot holds already. Only state.c uses it, and holds the lock.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "lb/refusal.h"

struct journal {
	char *path;
	int fd;        /* -1: there is no file yet */
	uint64_t size; /* bytes of whole lines */
	bool torn;     /* more bytes may follow them, never acknowledged; cut off before all else */
};

/* 0 or -ENOMEM. */
int journal_init(struct journal *journal, const char *path);
void journal_finish(struct journal *journal);

/*
 * Reads the file, if there is one. *changes: an array of the changes after *sequence, which becomes
 * that of the last. 0, or -errno with a refusal naming file and line.
 */
int journal_load(struct journal *journal, json_int_t *sequence, json_t **changes,
		 struct refusal *refusal);

/* After journal_load has found damage: keeps the file aside, and goes on with the lines before. */
int journal_put_aside(const struct journal *journal, char **kept);

/* Adds a change durably, or leaves nothing of it (state_append). 0, or -errno with a refusal. */
int journal_append(struct journal *journal, json_int_t sequence, const char *change,
		   struct refusal *refusal);

/* Removes all lines. On error they are still there, or gone, but never some. */
int journal_empty(struct journal *journal, struct refusal *refusal);
