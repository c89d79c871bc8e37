/*
 * The tests of test/bpf with a second opinion: each frame that they send through the datapath goes
 * through the model, too, with the tables as they are at that moment.
 */
#pragma once

#include "lb/datapath_internal.h"
#include "test/model/model.h"

/* tables.c: what the model needs to know, read off the maps. False: it is too much. */
bool shadow_read(struct datapath *datapath, const struct datapath_options *options,
		 struct model *model);
/* fragments.c; the same of what is remembered of fragments. */
bool shadow_read_fragments(const struct datapath *datapath, struct model *model);
/* masquerades.c; the same of masqueraded connections. */
bool shadow_read_masquerades(const struct datapath *datapath, struct model *model);
/* The index of the port that frames of this interface come in by; 0: none. */
uint32_t shadow_ingress(const struct datapath *datapath, uint32_t ifindex);
