/*
 * Tells what was measured: as JSON for programs, as a table for people.
 */
#pragma once

#include "test/bench/measure.h"

/* {"rows":[…]} on stdout. 0, or -1: it could not be written. */
int report_json(const struct measurement *measurement);
void report_table(const struct measurement *measurement);
