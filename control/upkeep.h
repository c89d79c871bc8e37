/*
 * What lbd does again and again, so that what it promised stays true: frees what rests, tries again
 * what failed, sweeps out what has expired, ends what drains too long.
 */
#pragma once

#include "control/daemon.h"

/* Starts all of it. 0 or -errno. */
int upkeep_start(struct daemon *daemon);

/* After a change of the deny list: ends what is over, and waits for the next that will be. */
void upkeep_expire(struct daemon *daemon);

/* What leaves meets a program, or not, as options and backends say. */
void upkeep_follow_egress(struct daemon *daemon);
/* Backends wait for their last connection: the next sweep begins soon. */
void upkeep_hasten_sweep(struct daemon *daemon);

/* One timer more, with the daemon as context. 0 or -errno. */
int upkeep_add_timer(struct daemon *daemon, loop_handler handler, unsigned int interval_ms);
