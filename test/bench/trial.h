/*
 * A row made ready to be timed: its frames, its flows, and proof that what is timed is what the row
 * says. Every run is checked: the action, the last packet byte for byte, the verdict counted for
 * each packet and for none else, and how many connections began.
 */
#pragma once

#include <stdint.h>
#include "test/bench/setting.h"

struct trial;

/* NULL: said on stderr why. */
struct trial *trial_open(const struct row *row, struct setting *setting);
void trial_close(struct trial *trial);

/* Makes the row's connections known and its caches warm. 0, or -1 and said on stderr why. */
int trial_prepare(struct trial *trial);

/*
 * Runs at least so many packets, and each flow once; *ns: of CPU time a packet. Of a row for two
 * CPUs, while as many and more run on the other. 0, or -1 and said on stderr why.
 */
int trial_run(struct trial *trial, uint32_t packets, double *ns);
/* The same on one CPU alone, whatever the row says. */
int trial_run_alone(struct trial *trial, uint32_t packets, double *ns);

/* Fills the connection table of a world with connections of nobody's row. 0 or -1. */
int trial_fill(struct setting *setting, enum place place, uint32_t connections);
