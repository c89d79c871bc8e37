/*
 * The programs that ours is compared with: nop, floor A, floor B with its tables.
 */
#pragma once

#include <stdint.h>
#include "test/bench/row.h"

struct floors;

/* Floor B's LRU gets two entries for each connection. NULL with errno set. */
struct floors *floors_open(uint32_t connections);
void floors_close(struct floors *floors);
int floors_program(const struct floors *floors, enum subject subject); /* fd */
uint64_t floors_new_flows(const struct floors *floors);                /* that B has recorded */
