/*
 * Leads the tables to what the claims want, as the source Kubernetes. A change that is refused, by
 * another source that has the address or by a table that is full, holds up no other: it is in the
 * log once, and tried again.
 */
#pragma once

#include "control/kube/claims.h"
#include "control/kube/complaints.h"
#include "control/kube/leaving.h"
#include "control/reconcile.h"

struct writer {
	struct reconcile *reconcile;
	struct claims claims;
	struct complaints *complaints;
	uint32_t pass; /* over the connections, counted when one begins */
};

/* Writes all that is dirty. */
void writer_flush(struct writer *writer);

/* A pass over the connections is over that found these backends in use: others need not drain. */
void writer_drop_unused(struct writer *writer, struct used_backends used);

/* What an earlier lbd has left and no source has brought: connections of TCP may go on. */
void writer_take_orphans(struct writer *writer);

void writer_finish(struct writer *writer);
