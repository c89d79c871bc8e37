/*
 * The audit: what is pinned can be changed by whoever may write to it, and nobody tells lbd. So lbd
 * goes round and compares all that it has written with what is there, a part at a time.
 */
#pragma once

#include "control/daemon.h"

/* 0 or -errno. */
int audit_start(struct daemon *daemon);
