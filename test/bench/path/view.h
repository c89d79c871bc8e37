/*
 * A frame of the benchmark as its headers, for the BPF programs. Pointers to each header and not
 * one packed struct over all: of a packed one clang would read every word byte by byte.
 */
#pragma once

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include "test/bench/path/probe.h"

struct view {
	struct ethhdr *ethernet;
	struct iphdr *ip;
	struct udphdr *udp;
	struct probe *probe;
};

/* False where the frame is too short to be one of ours. */
static __always_inline bool view_init(struct view *view, void *data, const void *end)
{
	if (data + FRAME_BYTES > end)
		return false;
	view->ethernet = data;
	view->ip = data + sizeof(*view->ethernet);
	view->udp = (void *)view->ip + sizeof(*view->ip);
	view->probe = (void *)view->udp + sizeof(*view->udp);
	return true;
}
