/*
 * What packets cross while they move from the programs of an earlier lbd, whose maps are of other
 * sizes or laid out otherwise, to ours: lb/datapath_bridge.c says in which steps.
 *
 * Bringing the connection of a packet from the earlier table into ours: the first packet of each
 * that comes to us does. lbd brings those of which none comes (lb/datapath_catch_up.c).
 *
 * The programs that fill that table have made room for ours in one step, so nothing in it changes
 * but by the packets that were under way. Where no entry gives way to a connection that comes, its
 * packets are of an unknown one here.
 */
#pragma once

#include "bpf/alias.h"
#include "bpf/claim.h"
#include "bpf/connection_table.h"
#include "bpf/count.h"
#include "bpf/knobs.h"
#include "bpf/maps.h"
#include "bpf/packet.h"
#include "include/connection.h"
#include "include/hash.h"

/* The table of the earlier lbd; lbd says how it is laid out and how long it is. */
const volatile __u32 older_buckets = 1;
const volatile struct table_layout older = {
	.ways = CONNECTION_WAYS,
	.size = sizeof(struct connection),
	.head = 0,
	.state = 8,
	.client = 16,
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct connection_bucket);
	__uint(max_entries, 1);
} older_connections SEC(".maps");

/*
 * By enum bridge. lbd writes. Pinned for as long as a link has `cross`: the kernel empties it when
 * user space holds it no more.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
	__uint(max_entries, _BRIDGE_COUNT);
} bridge SEC(".maps");

/* One of its entries. */
struct older_entry {
	const __u64 *head;
	const __u64 *state;
	const struct address *client;
};

static __always_inline struct older_entry older_entry_of(const void *bucket, __u32 turn)
{
	const void *start = bucket + turn * older.size;

	return (struct older_entry){
		.head = start + older.head,
		.state = start + older.state,
		.client = start + older.client,
	};
}

/* As is_of_one_owner of our table. */
static __always_inline bool is_older_of_one_owner(const struct older_entry *entry, __u64 head,
						  const union connection_state *state)
{
	const __u64 again = load_word(after(entry->head, entry->client->half[1]));
	union connection_state last;

	last.word = load_word(after(entry->state, again));
	return again == head && last.owner == state->owner;
}

/* As search in our table. Of `found` it tells head, state and backend. */
static __always_inline bool search_older(const struct flow *flow, const struct client *client,
					 enum direction direction, struct found *found)
{
	const __u32 wanted = client_half(client->port, hash_tag(client->hash) ^ client->alias);
	const __u32 index = hash_bucket(client->hash, older_buckets);
	const void *bucket = bpf_map_lookup_elem(&older_connections, &index);

	if (!bucket)
		return false;
#pragma clang loop unroll(disable)
	for (__u32 turn = 0; turn < older.ways; turn++) {
		const struct older_entry entry = older_entry_of(bucket, turn);
		const __u64 head = load_word(entry.head);

		if (head >> 32 != wanted)
			continue;
		found->state.word = load_word(after(entry.state, head));
		if (!is_same_address(after(entry.client, found->state.word), client->address) ||
		    !is_older_of_one_owner(&entry, head, &found->state))
			continue;
		found->backend = backend_of((__u32)head);
		if (!found->backend || found->backend->handle != (__u32)head ||
		    !is_of_backend(flow, direction, found->backend))
			continue;
		found->head = head;
		return true;
	}
	return false;
}

/* Whether there is nothing more to do for packets of this flow. */
static __always_inline bool bring_by(const struct flow *flow, const struct client *client,
				     enum direction direction, __u32 now)
{
	struct connection wanted = {.client = *client->address};
	struct found found;

	if (search(flow, client, direction, &found))
		return true;
	if (!search_older(flow, client, direction, &found))
		return false;
	wanted.head.word = found.head;
	wanted.state = found.state;
	if (is_alive(found.state, (__u32)found.head, now, found.backend))
		record_connection(&wanted, client->hash, now, NULL, 0);
	return true;
}

/* A global function: verified once for both directions. */
__noinline int bring_connection(const struct flow *flow, enum direction direction, bool is_source,
				__u32 now)
{
	struct client client = {};
	__u64 hash;
	__be16 port;

	if (!flow)
		return -1; /* VERIFIER: a global function's pointers may be NULL */
	port = direction == DIRECTION_REQUEST ? flow->src_port : flow->dst_port;
	client.address = is_source ? &flow->src : &flow->dst;
	client.port = port;
	client.hash = hash = hash_endpoint(hash_seed, client.address, port, flow->protocol);
	if (bring_by(flow, &client, direction, now) || !is_marked(hash))
		return 0;
#pragma clang loop unroll(disable)
	for (client.alias = 1; client.alias <= ALIASES; client.alias++) {
		const __be16 other = connection_other_port(hash_seed, client.alias, port);

		client.port = direction == DIRECTION_REQUEST ? other : port;
		client.hash = hash_endpoint(hash_seed, client.address, client.port, flow->protocol);
		if (other && bring_by(flow, &client, direction, now))
			return 0;
	}
	return 0;
}

/* Of a reply to an address of ours: its connection is found by the flow of its requests. */
static __always_inline void bring_masqueraded(const struct flow *reply, __u32 now)
{
	struct flow request = {};

	if (find_masquerade(reply, DIRECTION_REPLY, &request))
		bring_connection(&request, DIRECTION_REQUEST, true, now);
}

/* Both ways it may be going, as in find_connection; a pod may be its own backend. */
static __always_inline void bring_connection_of(const struct packet *packet)
{
	const struct flow *flow = &packet->flow;
	const __u64 src = hash_endpoint(hash_seed, &flow->src, flow->src_port, flow->protocol);
	const __u64 dst = hash_endpoint(hash_seed, &flow->dst, flow->dst_port, flow->protocol);
	const bool is_hairpin = is_same_address(&flow->dst, hairpin_of(packet->is_ipv6));
	const __u32 now = (__u32)bpf_jiffies64();

	if (filter_has(&service_filter, service_filter_mask, dst))
		bring_connection(flow, DIRECTION_REQUEST, true, now);
	if (filter_has(&backend_filter, backend_filter_mask, src))
		bring_connection(flow, DIRECTION_REPLY, is_hairpin, now);
	if (masquerading)
		bring_masqueraded(flow, now);
}

static __always_inline int go_on(struct hook_context *ctx, enum bridge next)
{
	bpf_tail_call(ctx, &bridge, next);
	count_left(ctx);
	return HOOK_PASS;
}
