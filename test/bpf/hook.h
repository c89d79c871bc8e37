/*
 * By which hook the programs are tried: XDP or, with LBT_HOOK=tc in the environment, tc. What they
 * do is told as XDP would do it.
 */
#pragma once

#include <stdbool.h>
#include "lb/datapath.h"
#include "test/bpf/network.h"
#include "test/bpf/packet_builder.h"

bool hook_is_tc(void);

/* What tc does otherwise, of what a test may set of a port: it sends by every interface. */
uint16_t hook_port_flags(uint16_t flags);

/* enum xdp_action, as tc's programs have it: they send back by a redirect. */
uint32_t hook_action(uint32_t action);

/* Runs a frame that comes in by an interface through tc's programs. 0 or -errno. */
int hook_run_tc(const struct datapath *datapath, enum interface in, const struct frame *sent,
		struct frame *left, uint32_t *action);
