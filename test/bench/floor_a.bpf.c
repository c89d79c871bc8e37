/*
 * Floor A: the least that can be called forwarding. Finds the headers, swaps the MAC addresses,
 * sends the frame back. What ours costs is told as a multiple of this.
 */
#include "test/bench/floor.h"

SEC("xdp.frags")
int floor_a(struct xdp_md *ctx)
{
	struct headers headers = {};

	if (!find_headers(ctx, &headers))
		return XDP_PASS;
	swap_macs(headers.ethernet);
	return XDP_TX;
}

char _license[] SEC("license") = "GPL";
