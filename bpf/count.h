/*
 * Counts each packet once by its verdict and, where it was of a service, by its backend or, if it
 * got none, by the service. ICMP is counted by verdict alone: it is not what a service carries; a
 * denied packet by the prefix, too. The only place that counts. Per CPU: no line is shared, and
 * packets lose no update.
 */
#pragma once

#include "bpf/knobs.h"
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

/* Of one CPU after another, as many elements as there are backends. */
static __always_inline struct traffic_counter *counter_of(const struct backend_record *backend)
{
	const __u32 index =
		bpf_get_smp_processor_id() * backend_count + (backend->handle & BACKEND_INDEX_MASK);

	return bpf_map_lookup_elem(&backend_counters, &index);
}

/* A global function: out of the way of packets while nothing is denied. */
__noinline int count_denied(struct hook_context *ctx, __u32 denied)
{
	const __u32 index = bpf_get_smp_processor_id() * DENY_COUNTERS + denied;
	const __u32 verdict = VERDICT_DROP_DENIED;
	struct counter *counter = bpf_map_lookup_elem(&deny_counters, &index);
	const __u32 bytes = frame_length(ctx);

	if (counter)
		add(counter, bytes);
	counter = bpf_map_lookup_elem(&verdict_counters, &verdict);
	if (counter)
		add(counter, bytes);
	return HOOK_DROP;
}

static __always_inline void count_verdict(const struct packet *packet, enum verdict verdict)
{
	const __u32 index = verdict;
	struct counter *counter = bpf_map_lookup_elem(&verdict_counters, &index);

	if (counter)
		add(counter, packet->bytes);
}

/* A packet for a program that is not there. */
__noinline int count_left(struct hook_context *ctx)
{
	const __u32 verdict = VERDICT_PASS_PROTOCOL;
	struct counter *counter = bpf_map_lookup_elem(&verdict_counters, &verdict);

	if (counter)
		add(counter, frame_length(ctx));
	return HOOK_PASS;
}

/* A connection that was started by a packet which goes on in another program, known there. */
static __always_inline void count_start(const struct packet *packet)
{
	struct traffic_counter *counter;

	if (!packet->is_new || !packet->backend)
		return;
	counter = counter_of(packet->backend);
	if (counter)
		counter->connections++;
}

static __always_inline void count(const struct packet *packet, enum verdict verdict)
{
	const __u32 service = packet->service;
	struct service_counter *refused;

	count_verdict(packet, verdict);
	if (packet->backend) {
		add_traffic(counter_of(packet->backend), packet);
	} else if (service && verdict != VERDICT_PASS_OTHER_HOST &&
		   verdict != VERDICT_PASS_TAKEOVER) {
		refused = bpf_map_lookup_elem(&service_counters, &service);
		if (refused)
			add(&refused->refused, packet->bytes);
	}
}
