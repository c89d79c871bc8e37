/*
 * What bench_counts tells, as JSON on stdout: the insides of the object that counts.py reads.
 */
#pragma once

#include <stdbool.h>
#include "lb/datapath.h"
#include "test/bench/row.h"
#include "test/interpreter/interpreter.h"

/* The sizes of all programs, with the compiler and the kernel that made them so. 0 or -1. */
int counts_print_programs(const struct datapath *datapath);

/* A member of "packets": what the row's packet took. */
void counts_print_packet(const struct row *row, const struct tally *tally, bool first);
