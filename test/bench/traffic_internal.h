/*
 * What the files of the traffic share. Nobody else includes this.
 */
#pragma once

#include "test/bench/traffic.h"

/* A hop fewer, and the MAC addresses of the next link. */
void traffic_route(const struct row *row, struct blueprint *packet);
/* What must become of the fixed frame. */
void traffic_fixed_result(const struct row *row, struct frame *frame);
