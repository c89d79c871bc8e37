/*
 * The datapath's counters of verdicts, and what these are called.
 */
#pragma once

#include "lb/datapath_internal.h"

/* As datapath_read_verdicts, in one system call. */
void verdicts_read(const struct datapath *datapath, struct counter verdicts[_VERDICT_COUNT]);
/* The one that was counted in between; _VERDICT_COUNT: none was. */
enum verdict verdict_between(const struct counter *before, const struct counter *after);
const char *verdict_name(enum verdict verdict);
