/*
 * What the operator changed, on disk before it is answered: a snapshot (one JSON document) and
 * beside it a journal (PATH.journal, a JSON object a line, fdatasync'ed). A torn last line, left by
 * a crash while writing, was never acknowledged and is dropped; any other damage is named and
 * refused
 * until state_put_aside.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include "lb/refusal.h"

struct state;

/*
 * Opens PATH and PATH.journal, creating the directory (0700) and neither file, but PATH.lock.
 * *snapshot is the document or NULL where there is none; *journal an array of the changes after it.
 * Both are the caller's. -EBUSY when another process holds them (flock); -EINVAL with the file and
 * line of damage. Nothing is written, so a damaged pair stays as it was.
 */
int state_open(const char *path, struct state **state, json_t **snapshot, json_t **journal,
	       struct refusal *refusal);
void state_close(struct state *state);

/*
 * After -EINVAL: the damaged file is kept as FILE.damaged-N, with the journal if it is the
 * snapshot, and what can be read opens: the changes before the damage of a journal, without a
 * snapshot none. *kept names the files, the caller's; NULL: there is no damage. 0 or -errno with a
 * refusal: a whole document that is not a snapshot, or begins like none, is somebody else's and
 * stays.
 */
int state_put_aside(const char *path, char **kept, struct refusal *refusal);

/*
 * Appends one object, compact JSON, as a line and waits until it is on disk. On error nothing of it
 * remains: a half written line is cut off again, and if that fails too, the journal takes no more
 * until cutting or state_compact succeeds. 0 or -errno with a refusal naming the file.
 */
int state_append(struct state *state, const char *change, struct refusal *refusal);

/* Whether the journal has outgrown the snapshot (and a minimum), so that compacting pays. */
bool state_wants_compaction(const struct state *state);

/*
 * Replaces the snapshot, JSON, (temporary file, fsync, rename, fsync of the directory), then
 * empties the journal. A crash at any instant leaves the old pair, or the new snapshot with a
 * journal whose lines are all in it already and recognised as such. 0 or -errno with a refusal;
 * where only the emptying failed nothing is lost, and state_wants_compaction says when to try
 * again.
 */
int state_compact(struct state *state, const char *snapshot, struct refusal *refusal);
