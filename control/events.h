/*
 * What packets hand to lbd through the ring buffer, and who takes it: fragments that came too
 * early.
 */
#pragma once

#include "control/daemon.h"

/* Listens. 0 or -errno. */
int events_start(struct daemon *daemon);
