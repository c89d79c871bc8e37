/*
 * Datapaths for scenes. Loading takes the verifier most of a second, so what a scene gives back is
 * kept, and the next that wants the same gets it as if it had just been opened: every map restored
 * to what it held then, and nothing known in user space of what was in them. Only the seed of the
 * hash is still that of the last, where a scene asks for none. Pins are gone with their bpffs.
 *
 * With $LBT_LOAD each scene loads.
 */
#pragma once

#include "lb/datapath.h"

/* 0 or -errno with a refusal. */
int kept_datapath_open(const struct datapath_options *options, struct datapath **datapath,
		       struct refusal *refusal);
void kept_datapath_close(struct datapath *datapath);
/* Keeps nothing: the next is loaded, as one must be whose pins somebody looks at. */
void kept_datapath_forget(void);
