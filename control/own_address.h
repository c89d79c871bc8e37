/*
 * The addresses that the node has itself, as rtnetlink tells them: all at the start, then each that
 * comes or goes. Where one is a service's as well (node ports), what is for its other ports is the
 * kernel's, and the datapath is told to leave it alone.
 */
#pragma once

#include "control/loop.h"
#include "lb/datapath.h"

struct own_addresses;

/* NULL with errno set. What cannot be told to the datapath is logged. */
struct own_addresses *own_addresses_open(struct loop *loop, struct datapath *datapath);
void own_addresses_close(struct own_addresses *own);
