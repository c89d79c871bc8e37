/*
 * Which connections are masqueraded, and as what: the map masquerades. A connection has an element
 * for each direction, found by the flow of its packets as they arrive, and each names the other.
 * One that is tunnelled (bpf/encapsulate.h) has that of requests alone, which names no other.
 *
 * The one for replies is the claim on a port of ours: the kernel inserts it if there is none
 * (BPF_NOEXIST), so of two connections that want the same port towards the same backend one gets
 * it. The other comes second; until it is there, replies find their way already. Of two first
 * packets of one connection on two CPUs, both find the claim their own; where they chose two
 * backends, the one whose second element comes too late is dropped, and what it has claimed is left
 * to lbd.
 *
 * lbd removes both when the connection is gone, first the one of requests, much later the other
 * (lb/datapath_masquerade.c). A request in between, of a connection that begins again, finds the
 * claim its own: ports are tried in an order that depends on its flow alone.
 *
 * Elements are used again as soon as they are removed, perhaps while a packet reads one. It holds a
 * check of its key, written before all else: what does not fit is another connection's.
 */
#pragma once

#include <linux/errno.h>
#include <linux/in.h>
#include "bpf/connection_table.h"
#include "bpf/knobs.h"
#include "bpf/maps.h"
#include "include/hash.h"
#include "include/masquerade.h"

/*
 * In the place of the protocol of what find_masquerade tells of the other way: the connection is
 * tunnelled, or it has no element.
 */
#define OTHER_IS_TUNNEL IPPROTO_IPIP
#define OTHER_IS_UNKNOWN 255

/* Ports tried: by the hash of the flow, then one after the other. */
#define MASQUERADE_HASHED_TRIES 16
#define MASQUERADE_TRIES 48

/* Whether there may be any: lbd sets it where it finds some, packets with the first. */
volatile __u32 masquerading;

static __always_inline bool is_same_flow(const struct flow *a, const struct flow *b)
{
	return is_same_address(&a->src, &b->src) && is_same_address(&a->dst, &b->dst) &&
	       a->src_port == b->src_port && a->dst_port == b->dst_port &&
	       a->protocol == b->protocol;
}

/*
 * Of a packet that goes this way: the handle of the backend, and as what packets come the other
 * way; 0: it is not of a masqueraded connection. A global function, as those below: verified once,
 * with a stack of its own.
 */
__noinline int find_masquerade(const struct flow *flow, __u32 direction, struct flow *other)
{
	const struct masquerade_record *there;
	struct flow own;
	__u32 backend;

	if (!flow || !other)
		return 0; /* VERIFIER: a global function's pointers may be NULL */
	own = *flow;      /* VERIFIER: the key of a map may not be the caller's (6.1) */
	there = bpf_map_lookup_elem(&masquerades, &own);
	if (!there || there->direction != direction)
		return 0;
	*other = there->other;
	backend = there->backend;
	if (*(const volatile __u32 *)after(&there->check, backend) != hash_flow(&own))
		return 0;
	return (int)backend;
}

/* Whether packets that go this way may be replies of a masqueraded connection. */
static __always_inline bool is_masqueraded_reply(const struct flow *flow)
{
	const struct masquerade_record *there = bpf_map_lookup_elem(&masquerades, flow);

	return there && there->direction == DIRECTION_REPLY;
}

/* Where find_masquerade may tell it, off the stack; NULL: never. */
static __always_inline struct flow *room_for_other(void)
{
	const __u32 first = 0;
	struct masquerade_work *work = bpf_map_lookup_elem(&masquerade_work, &first);

	return work ? &work->other : NULL;
}

/* Whether the connection that was found, by what its backend sends to a client, is masqueraded. */
static __always_inline bool is_hidden(const struct packet *packet, const struct found *found)
{
	const struct flow *flow = &packet->flow;
	const __u32 first = 0;
	struct masquerade_work *work = bpf_map_lookup_elem(&masquerade_work, &first);

	if (!work || !found->backend)
		return true; /* VERIFIER: does not know that there are (6.1) */
	work->flow.src = packet->is_hairpin ? flow->src : flow->dst;
	work->flow.dst = found->backend->service_address;
	work->flow.src_port = flow->dst_port;
	work->flow.dst_port = found->backend->service_port;
	work->flow.protocol = flow->protocol;
	return (__u32)find_masquerade(&work->flow, DIRECTION_REQUEST, &work->other) ==
	       (__u32)found->head;
}

/*
 * The connection whose replies come to a client's own end, where one was found that looks as if it
 * were masqueraded: another one, or that, if it is not. Not for the first program, which parts with
 * what may be either.
 */
static __always_inline bool search_own_end(const struct packet *packet, const struct client *client,
					   struct found *found)
{
	struct whereabouts where = {.is_own_end = true};

	return search_there(packet, client, DIRECTION_REPLY, &where, found) ||
	       !is_hidden(packet, found); /* as it was found before */
}

/* The address that packets get which leave by this port; NULL: there is none. */
static __always_inline const struct address *source_of(__u32 port, bool is_ipv6)
{
	const struct masquerade_source *source = bpf_map_lookup_elem(&masquerade_sources, &port);
	const struct address *address;

	if (!source)
		return NULL;
	address = is_ipv6 ? &source->ipv6 : &source->ipv4;
	return address->half[0] | address->half[1] ? address : NULL;
}

/* In network order; 0: none. */
static __always_inline __be16 allowed_port(__u32 at)
{
	const __u32 port = at < masquerade_ports.count
				   ? masquerade_ports.first + at
				   : masquerade_ports.second_first + at - masquerade_ports.count;

	return bpf_htons((__u16)port);
}

static __always_inline bool is_allowed(__be16 port)
{
	const __u32 number = bpf_ntohs(port);

	return number - masquerade_ports.first < masquerade_ports.count ||
	       number - masquerade_ports.second_first < masquerade_ports.second_count;
}

/* Checksums of SCTP cover its ports, and no difference brings them up to date. */
static __always_inline __be16 first_port(const struct flow *flow)
{
	return flow->protocol == IPPROTO_SCTP || is_allowed(flow->src_port) ? flow->src_port : 0;
}

static __always_inline __be16 next_port(const struct flow *flow, __u64 hash, __u32 try)
{
	const __u32 count = masquerade_ports.count + masquerade_ports.second_count;
	const __u32 hashed = try < MASQUERADE_HASHED_TRIES ?
	try:
		0;
	const __u32 at = hash_slot((__u32)hash_mix(hash, hashed), count);

	if (!count || flow->protocol == IPPROTO_SCTP)
		return 0;
	return allowed_port(hashed ? at : (at + try) % count);
}

/* Claims this port for replies. 0; 1: it is another connection's; or -errno. */
static __always_inline int claim_port(struct masquerade_work *work, __be16 port)
{
	const struct masquerade_record *there;
	int error;

	work->flow.dst_port = port;
	if (is_same_flow(&work->flow, &work->request))
		return 1; /* a backend that calls itself: nobody could tell its requests */
	work->entry.check = hash_flow(&work->flow);
	/* Of an int: before 6.4 the kernel does not say what is above. */
	error = (int)bpf_map_update_elem(&masquerades, &work->flow, &work->entry, BPF_NOEXIST);
	if (error != -EEXIST)
		return error;
	there = bpf_map_lookup_elem(&masquerades, &work->flow);
	return !there || there->backend != work->entry.backend ||
	       !is_same_flow(&there->other, &work->request);
}

static __always_inline int claim_any_port(struct masquerade_work *work)
{
	const struct flow *request = &work->request;
	const __u64 hash =
		hash_endpoint(hash_seed, &request->src, request->src_port, request->protocol) ^
		request->dst_port;
	int answer;

#pragma clang loop unroll(disable)
	for (__u32 try = 0; try < MASQUERADE_TRIES; try++) {
		const __be16 port = try ? next_port(request, hash, try) : first_port(request);

		if (!port)
			continue;
		answer = claim_port(work, port);
		if (answer <= 0)
			return answer;
	}
	return -1;
}

/* The element of requests, where `work` has just claimed the replies. */
static __always_inline int add_requests(struct masquerade_work *work)
{
	const struct flow *request = &work->request;
	const struct masquerade_record *there;

	work->entry.other = work->flow;
	work->entry.direction = DIRECTION_REQUEST;
	work->entry.check = hash_flow(request);
	if (!bpf_map_update_elem(&masquerades, request, &work->entry, BPF_NOEXIST))
		return 0;
	there = bpf_map_lookup_elem(&masquerades, request);
	if (there) /* another packet's: its port is as good, if it leads to the same backend */
		return there->backend == work->entry.backend ? 0 : -1;
	bpf_map_delete_elem(&masquerades, &work->flow);
	return -1;
}

/* Whether what is there of a connection is whole, and what it is to be; else it is removed. */
static __always_inline bool keep_masquerade(struct masquerade_work *work, __u32 backend,
					    const struct address *source, __u32 now)
{
	const struct flow *request = &work->request;
	struct masquerade_record *there = bpf_map_lookup_elem(&masquerades, request), *replies;
	bool is_whole;

	if (!there)
		return false;
	work->flow = there->other;
	replies = bpf_map_lookup_elem(&masquerades, &work->flow);
	is_whole = replies && is_same_flow(&replies->other, request);
	if (is_whole && there->backend == backend && replies->backend == backend &&
	    is_same_address(&work->flow.dst, source)) {
		*(volatile __u32 *)&there->made = now;
		*(volatile __u32 *)&replies->made = now;
		return true;
	}
	bpf_map_delete_elem(&masquerades, request);
	if (is_whole)
		bpf_map_delete_elem(&masquerades, &work->flow);
	return false;
}

/*
 * Makes a masquerade for a connection of this request that goes to this backend (its index) by this
 * port, or keeps the one that its flow has had. 0, or -1: no port or no room is left.
 */
__noinline int obtain_masquerade(const struct flow *flow, __u32 index, __u32 port, bool is_ipv6)
{
	const __u32 first = 0, now = (__u32)bpf_jiffies64();
	struct masquerade_work *work = bpf_map_lookup_elem(&masquerade_work, &first);
	const struct backend_record *backend = bpf_map_lookup_elem(&backends, &index);
	const struct address *source = source_of(port, is_ipv6);

	if (!source)
		source = source_of(0, is_ipv6);
	if (!flow || !work || !backend || !source)
		return -1;
	work->request = *flow; /* VERIFIER: as above */
	if (keep_masquerade(work, backend->handle, source, now))
		return 0;
	if (!masquerading)
		masquerading = 1; /* before the first reply can come */
	work->flow.src = backend->address;
	work->flow.dst = *source;
	work->flow.src_port = backend->port;
	work->flow.protocol = work->request.protocol;
	work->entry.backend = backend->handle;
	work->entry.other = work->request;
	work->entry.made = now;
	work->entry.direction = DIRECTION_REPLY;
	if (claim_any_port(work))
		return -1;
	return add_requests(work);
}

/* What is there of a connection that was masqueraded: its port is free again. */
static __always_inline void drop_masquerade(struct masquerade_work *work)
{
	const struct masquerade_record *there = bpf_map_lookup_elem(&masquerades, &work->request);

	if (!there || !there->other.protocol)
		return;
	work->flow = there->other;
	there = bpf_map_lookup_elem(&masquerades, &work->flow);
	if (there && is_same_flow(&there->other, &work->request))
		bpf_map_delete_elem(&masquerades, &work->flow);
}

/*
 * Notes that the connection of this request is tunnelled to this backend (its handle). 0, or -1: no
 * room is left.
 */
__noinline int note_tunnel(const struct flow *flow, __u32 backend)
{
	const __u32 first = 0;
	struct masquerade_work *work = bpf_map_lookup_elem(&masquerade_work, &first);

	if (!flow || !work)
		return -1;
	work->request = *flow; /* VERIFIER: as above */
	drop_masquerade(work);
	work->entry = (struct masquerade_record){
		.check = hash_flow(&work->request),
		.backend = backend,
		.made = (__u32)bpf_jiffies64(),
		.direction = DIRECTION_REQUEST,
	};
	return bpf_map_update_elem(&masquerades, &work->request, &work->entry, BPF_ANY) ? -1 : 0;
}
