/*
 * The kernel as a load balancer: it forwards between the interfaces of the network (test/bpf/
 * network.h) and translates by rules of nftables, one backend for each service. Frames go in and
 * are read at the outer ends of the veth pairs.
 *
 *     uplink_peer ──── uplink ── forwards, DNAT ── pod ──── pod_peer
 *      stations at home at UPLINK                   stations at home at POD
 *
 * Only what has been translated leaves, and what conntrack calls invalid, as it came: that tells
 * such a frame from one that is nobody's. What the node itself would say does not leave.
 */
#pragma once

#include <stdbool.h>
#include "test/model/op.h"

struct kernel {
	int sockets[_INTERFACE_COUNT]; /* of the outer ends */
	uint16_t turn;                 /* told apart by it: markers */
};

/* cmocka's group setup: network_make, and what makes the kernel forward in it. */
int kernel_make_network(void **state);
void kernel_open(struct kernel *kernel);
void kernel_close(struct kernel *kernel);
/* These services, the first backend of each, and no connection that is remembered. */
void kernel_serve(const struct op *offers, uint32_t count);
/* How many frames came of one, of which no more than `room` are kept. */
uint32_t kernel_send(struct kernel *kernel, enum interface in, const struct frame *frame,
		     struct frame *left, uint32_t room);
