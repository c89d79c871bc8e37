/*
 * The directory of a cgroup (version 2), for programs to be attached to.
 */
#pragma once

#include "lb/refusal.h"

/* Opens it; NULL: the one that is mounted here. The fd, or -errno with a refusal. */
int cgroup_open(const char *path, struct refusal *refusal);
