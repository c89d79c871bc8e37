/*
 * A plan's writes of source ranges. New ones are there before the service's record says that it has
 * any, old ones until no packet acts on the old record.
 */
#pragma once

#include "lb/plan.h"

/* 0, or -errno with the ranges as they were before. */
int plan_make_sources(struct datapath *datapath, const struct plan_step *step);

/* Whether packets may still ask for ranges that the new record does not want: to be settled. */
bool plan_opens_sources(const struct plan_step *step);

/*
 * What no record wants any more; of a step that failed what it has made. 0, or -errno where one is
 * left to datapath_mend.
 */
int plan_retire_sources(struct datapath *datapath, const struct plan_step *step);
