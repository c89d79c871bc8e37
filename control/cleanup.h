/*
 * lbd --cleanup: the end of a datapath that no lbd serves any more.
 */
#pragma once

#include "control/options.h"

/*
 * Detaches the programs, removes pins and socket; the operator's state stays. 0 or -errno with a
 * refusal: an lbd is there, or privileges are not.
 */
int cleanup(const struct options *options, struct refusal *refusal);
