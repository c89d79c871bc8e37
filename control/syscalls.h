/*
 * Which system calls lbd may make once its programs are loaded, by libseccomp. A new one must be
 * named in syscalls.c: it fails with EPERM otherwise, and the kernel's log tells which it was.
 */
#pragma once

#include <stdbool.h>
#include "lb/refusal.h"

/*
 * With `calls` it may open connections to a server of which it knows the name, which takes a thread
 * to look that up. For every thread and for good; no_new_privs must be set 0, or -errno with
 * a refusal.
 */
int syscalls_restrict(bool calls, struct refusal *refusal);
