/*
 * Every kind of packet, cut short at each byte and changed in each byte of its headers.
 */
#pragma once

#include "test/model/play.h"

/* Is told of each sequence in which the two sides differ; false: that is enough. */
typedef bool (*everywhere_finding)(void *context, struct sequence *sequence);

/* How many packets were tried. */
uint32_t everywhere_play(struct world *world, everywhere_finding found, void *context);
