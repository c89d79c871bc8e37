/*
 * Plays sequences in a world, and makes those in which the two sides differ as short and plain as
 * they can be.
 */
#pragma once

#include "test/model/world.h"

/* One operation after another, between a beginning and an end. */
void play_begin(struct world *world);
void play_op(struct world *world, const struct op *op, bool careful, struct difference *difference);
void play_end(struct world *world, struct difference *difference);

/* The whole; true: the sides differ. `careful`: verdicts are compared after each packet. */
bool play(struct world *world, const struct sequence *sequence, bool careful,
	  struct difference *difference);
/* Whether it differs every time, or now and then where a service picks at random. */
bool play_differs(struct world *world, const struct sequence *sequence);
/* Shortens a sequence in which they differ, so that they still do. */
void play_shrink(struct world *world, struct sequence *sequence);
/* Prints what differs in it, as a sequence that can be read again. */
void play_report(struct world *world, const char *title, const struct sequence *sequence);
/* Prints what becomes of each packet by the model. */
void play_trace(struct world *world, const struct sequence *sequence);
