/*
 * What lbd was told to attach to when it was started.
 */
#pragma once

#include "control/interface.h"
#include "control/options.h"
#include "lb/refusal.h"

/* 0, or -errno with a refusal: the first that cannot be had. */
int wanted_attach(struct interfaces *interfaces, const struct options *options,
		  struct refusal *refusal);
