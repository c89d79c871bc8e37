/*
 * What a service has carried: what it counted itself, and what its backends did.
 */
#pragma once

#include "lb/datapath.h"
#include "lb/placement.h"

/* 0 or -errno. */
int traffic_of_service(struct datapath *datapath, const struct placement *placement,
		       struct traffic_counter *counter);
