/*
 * The other end of a veth, in a pod's network namespace, made fit for XDP (drivers/net/veth.c
 * of the kernel): GRO on, so that frames redirected to it are received (NAPI, since 5.13), and tx
 * checksumming off, because XDP sees packets whose checksum was left to hardware and cannot tell.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "lb/refusal.h"

/* What was found and done; each text is fit for `interface list`. */
struct peer_result {
	bool receives;      /* redirected frames arrive (GRO/NAPI or a program of its own) */
	bool full_checksum; /* tx checksumming is off */
	bool changed_gro;   /* by us, just now */
	bool changed_tx;
};

/*
 * The peer has index `peer_ifindex` in the namespace this one calls `netnsid`, or in this one when
 * netnsid is negative. The calling thread enters that namespace for a moment and comes back.
 * 0, -ENOENT where no process or file of /run/netns leads to the namespace, or another -errno; the
 * refusal says what failed. *result is written on failure too: what holds all the same.
 */
int peer_prepare(int netnsid, uint32_t peer_ifindex, struct peer_result *result,
		 struct refusal *refusal);
