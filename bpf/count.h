/*
 * Counts each packet once by its verdict and, where it was of a service, by service and backend.
 * The only place that counts. Per-CPU: no line is shared, no update is lost.
 */
#pragma once

#include "bpf/maps.h"
#include "bpf/packet.h"
#include "include/verdict.h"

static __always_inline void add(struct counter *counter, __u32 bytes)
{
	counter->packets++;
	counter->bytes += bytes;
}

static __always_inline void add_traffic(struct traffic_counter *counter,
					const struct packet *packet)
{
	if (!counter)
		return;
	add(packet->direction == DIRECTION_REPLY ? &counter->reply : &counter->request,
	    packet->bytes);
	counter->connections += packet->is_new;
}

static __always_inline void count(const struct packet *packet, enum verdict verdict)
{
	const __u32 index = verdict;
	struct counter *counter = bpf_map_lookup_elem(&verdict_counters, &index);

	if (counter)
		add(counter, packet->bytes);
	if (!packet->service)
		return;
	add_traffic(bpf_map_lookup_elem(&service_counters, &packet->service), packet);
	if (packet->backend)
		add_traffic(bpf_map_lookup_elem(&backend_counters, &packet->backend), packet);
}
