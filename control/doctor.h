/*
 * What is not as it should be on this node, and what helps: `lbctl doctor`.
 */
#pragma once

#include <jansson.h>
#include "control/daemon.h"

/* {"findings": [{"severity", "about", "finding", "advice"}…]}, worst first. NULL: out of memory. */
json_t *doctor_report(struct daemon *daemon);
