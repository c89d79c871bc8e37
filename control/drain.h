/*
 * Ends of draining: a backend whose deadline is over goes down, whoever brought its service. The
 * state on disk needs no change: a deadline that is over is read as down.
 */
#pragma once

#include <stdint.h>
#include "control/reconcile.h"

#define DRAIN_NEVER INT64_MAX

/*
 * Makes down what is over at `now_ms`. When the next one will be, or DRAIN_NEVER. What the tables
 * refuse stays and is over at the next call, too.
 */
int64_t drain_expire(struct reconcile *reconcile, int64_t now_ms);
