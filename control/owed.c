/*
 * Owed changes: see owed.h.
 */
#include "control/owed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "control/json_scratch.h"
#include "control/replay.h"

static void forget_lines(struct owed *owed)
{
	while (owed->count)
		free(owed->lines[--owed->count]);
	free(owed->lines);
	owed->lines = NULL;
}

void owed_finish(struct owed *owed)
{
	forget_lines(owed);
	*owed = (struct owed){};
}

bool owed_is_nothing(const struct owed *owed)
{
	return !owed->count;
}

int owed_reserve(struct owed *owed)
{
	char **lines = reallocarray(owed->lines, owed->count + 1, sizeof(*lines));

	if (!lines)
		return -ENOMEM;
	owed->lines = lines;
	return 0;
}

void owed_add(struct owed *owed, char *line)
{
	owed->lines[owed->count++] = line;
}

static int play(const struct owed *owed, struct replay *replay, struct refusal *refusal)
{
	json_error_t where;
	json_t *change;
	int error = 0;

	for (size_t i = 0; !error && i < owed->count; i++) {
		change = json_parse(owed->lines[i], strlen(owed->lines[i]), JSON_ALLOW_NUL, &where);
		error = change ? replay_change(replay, change, refusal)
			       : refuse_with(refusal, ENOMEM, "out of memory");
		json_decref(change);
	}
	return error;
}

int owed_settle(struct owed *owed, struct reconcile *reconcile, struct deny_list *deny,
		struct refusal *refusal)
{
	struct replay replay;
	int error;

	if (!owed->count)
		return 0;
	if (replay_init(&replay))
		return refuse_with(refusal, ENOMEM, "out of memory");
	error = play(owed, &replay, refusal);
	if (!error)
		error = replay_bring(&replay, reconcile, deny, true, refusal);
	if (!error) {
		owed->dropped |= replay_tell_foreign(&replay, reconcile) > 0;
		forget_lines(owed);
	}
	replay_finish(&replay);
	return error;
}
