/*
 * Which system calls lbd may make once its programs are loaded, by libseccomp. A new one must be
 * named in syscalls.c: it fails with EPERM otherwise, and the kernel's log tells which it was.
 */
#pragma once

#include "lb/refusal.h"

/* For every thread and for good; no_new_privs must be set. 0, or -errno with a refusal. */
int syscalls_restrict(struct refusal *refusal);
