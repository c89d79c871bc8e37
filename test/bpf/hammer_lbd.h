/*
 * The hammer's lbd: time that passes for some connections, and where it is to make changes,
 * backends that come and go, flushes, sweeps.
 */
#pragma once

#include "test/bpf/chance.h"
#include "test/bpf/hammer_caller.h"

struct hammer_lbd {
	struct scene *scene;
	const struct callers *callers;
	struct chance chance;
	bool changes;
	struct connection_cursor cursor;
};

/* Every service of every kind, with all of its backends. */
void hammer_lbd_offer_all(struct scene *scene);
/* One thing at random. */
void hammer_lbd_act(struct hammer_lbd *lbd);
