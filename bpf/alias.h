/*
 * Aliases: what becomes of a connection whose replies could not be told from another's, because the
 * client's port reaches the same backend by another service as well, and no other backend is free.
 * Its requests get another source port on their way to the backend, the alias port, and its replies
 * the client's own again.
 *
 * It has one entry, like any connection, where the alias port leads, as if that were the client's:
 * so replies find it, and whose they are is claimed and looked at again as for any other
 * (bpf/claim.h); whoever really comes from that port meets it there. Its tag is turned by the
 * alias, so that neither passes for the other. A request turns its own port by one alias after
 * another until it finds the entry. There is no second entry, and nothing that two must agree on.
 *
 * Only what is marked is searched for so. Both ports' hashes have a mark before the entry is there,
 * and a mark is renewed as the connection is used: it is taken away (compare-and-swap) only when it
 * is older than any timeout. So whoever comes after a packet of the connection has left sees it. A
 * packet that looks at the mark just before is one of two first packets of a connection
 * (bpf/connection_table.h): should it get an entry without an alias, or with another, requests take
 * one of the two from then on, always the same one, since all search in one order; replies to
 * either port find theirs, of the same service and the same client.
 *
 * All of it is for the programs `rare` and `icmp`. The first one pays for a look at a mark, where
 * it finds no entry.
 */
#pragma once

#include <linux/in.h>
#include "bpf/claim.h"
#include "bpf/client_hop.h"
#include "bpf/connection_table.h"
#include "bpf/knobs.h"
#include "bpf/maps.h"
#include "bpf/packet.h"
#include "include/connection.h"
#include "include/hash.h"

static __always_inline __u64 *mark_of(__u64 hash)
{
	const __u32 index = (__u32)hash % ALIAS_MARKS;

	return bpf_map_lookup_elem(&alias_marks, &index);
}

/* Whether a connection with an alias may have this end: the client's own, or that of the alias. */
static __always_inline bool is_marked(__u64 hash)
{
	const __u64 *mark = mark_of(hash);

	return mark && load_word(mark);
}

/* A global function, as those below: verified once, with a stack of its own. */
__noinline int set_mark(__u64 hash, __u32 now)
{
	__u64 *mark = mark_of(hash), then = mark ? load_word(mark) : 0;

	if (mark && (!then || now - (__u32)then >= refresh_interval))
		*(volatile __u64 *)mark = now ? now : 1;
	return !mark;
}

static __always_inline __u32 longer(__u32 a, __u32 b)
{
	return a > b ? a : b;
}

static __always_inline __u32 longest_timeout(void)
{
	return longer(longer(longer(timeouts.tcp_opening, timeouts.tcp_established),
			     longer(timeouts.tcp_closing, timeouts.tcp_closed)),
		      timeouts.udp);
}

/* A mark may be an interval older than its connections, and what they know of a packet another. */
__noinline int clear_old_mark(__u64 hash, __u32 now)
{
	__u64 *mark = mark_of(hash), then = mark ? load_word(mark) : 0;

	if (then && connection_idle(now, (__u32)then) > longest_timeout() + 2 * refresh_interval)
		__sync_val_compare_and_swap(mark, then, 0);
	return !mark;
}

/* An entry with an alias, as it was found. No pointers: a global function tells them. */
struct aliased {
	__u64 hash, head, state;
	__u32 turn; /* of the search */
	__be16 other_port;
};

/*
 * The connection with an alias that a packet is of which goes this way, even one that has expired.
 * 0, or -1: there is none.
 */
__noinline int find_aliased(const struct flow *flow, enum direction direction, bool is_hairpin,
			    struct aliased *aliased)
{
	const bool request = direction == DIRECTION_REQUEST;
	struct client client;
	struct found found;
	__be16 port;

	if (!flow || !aliased)
		return -1; /* VERIFIER: a global function's pointers may be NULL */
	port = request ? flow->src_port : flow->dst_port;
	client.address = request || is_hairpin ? &flow->src : &flow->dst;
#pragma clang loop unroll(disable)
	for (client.alias = 1; client.alias <= ALIASES; client.alias++) {
		/* Else clang keeps what it makes of them, on a stack that has no room for it. */
		asm volatile("" : "+r"(client.address), "+r"(flow), "+r"(port));
		client.port = port;
		aliased->other_port = connection_other_port(hash_seed, client.alias, port);
		if (!aliased->other_port)
			continue;
		if (request)
			client.port = aliased->other_port;
		client.hash = hash_endpoint(hash_seed, client.address, client.port, flow->protocol);
		aliased->hash = client.hash;
		if (!search(flow, &client, direction, &found))
			continue;
		aliased->head = found.head;
		aliased->state = found.state.word;
		aliased->turn = found.turn;
		return 0;
	}
	return -1;
}

/* Of the client's other end: of a request that of the alias, of a reply that of the client. */
static __always_inline __u64 other_hash(const struct packet *packet, enum direction direction,
					__be16 other_port)
{
	const struct flow *flow = &packet->flow;
	const bool is_from_client = direction == DIRECTION_REQUEST || packet->is_hairpin;

	return hash_endpoint(hash_seed, is_from_client ? &flow->src : &flow->dst, other_port,
			     flow->protocol);
}

/* The same for steps: the packet's client's port is then another one where it goes. */
static __always_inline bool search_aliased(struct packet *packet, enum direction direction,
					   __u64 hash, struct found *found)
{
	struct connection_bucket *bucket;
	struct aliased aliased = {};

	if (find_aliased(&packet->flow, direction, packet->is_hairpin, &aliased)) {
		clear_old_mark(hash, packet->now);
		return false;
	}
	set_mark(hash, packet->now);
	set_mark(other_hash(packet, direction, aliased.other_port), packet->now);
	bucket = bucket_of(aliased.hash);
	found->backend = backend_of((__u32)aliased.head);
	if (!bucket || !found->backend)
		return false;
	found->connection = way_of(bucket, aliased.hash, aliased.turn);
	found->head = aliased.head;
	found->state.word = aliased.state;
	packet->other_port = aliased.other_port;
	return true;
}

/*
 * Of a flow that has just started afresh without an alias: what it had before with one is over.
 * What another packet of it has just got meanwhile is not.
 */
static __always_inline void forget_aliased(struct packet *packet)
{
	struct found found;

	if (is_marked(packet->client_hash) &&
	    search_aliased(packet, DIRECTION_REQUEST, packet->client_hash, &found) &&
	    (starts_afresh(packet->tcp_flags, found.state.seen) ||
	     !is_alive(found.state, (__u32)found.head, packet->now, found.backend)))
		forget_over(found.connection, found.head, found.state.word);
	packet->other_port = 0;
}

/*
 * Makes of what is `wanted` a connection with this alias, and room for it: what this flow has left
 * there is forgotten. -1: the alias does not go with the port, or another packet of the flow has
 * just got it.
 */
__noinline int turn_to_alias(struct connection *wanted, const struct flow *flow, __u8 alias,
			     __u32 now, __u8 tcp_flags)
{
	struct client client = {.alias = alias};
	struct found found;

	if (!wanted || !flow)
		return -1;
	client.address = &flow->src;
	client.port = connection_other_port(hash_seed, alias, flow->src_port);
	if (!client.port)
		return -1;
	client.hash = hash_endpoint(hash_seed, &flow->src, client.port, flow->protocol);
	wanted->head.client_port = client.port;
	wanted->head.tag = hash_tag(client.hash) ^ alias;
	if (tcp_flags & (TCP_FIN | TCP_RST))
		return 0; /* makes no state */
	if (!search(flow, &client, DIRECTION_REQUEST, &found))
		return 0;
	if (is_alive(found.state, (__u32)found.head, now, found.backend) &&
	    !starts_afresh(tcp_flags, found.state.seen))
		return -1;
	return forget_over(found.connection, found.head, found.state.word) ? 0 : -1;
}

/*
 * The entry without an alias of a flow that starts afresh with one. What another packet of it has
 * just begun there is not over.
 */
__noinline int forget_if_over(struct connection *known, __u64 head, __u32 now, __u8 tcp_flags)
{
	const struct backend_record *backend = backend_of((__u32)head);
	union connection_state state;

	if (!known || !backend)
		return -1;
	state.word = load_word(&known->state.word);
	if (!is_alive(state, (__u32)head, now, backend) || starts_afresh(tcp_flags, state.seen))
		forget_over(known, head, state.word);
	return 0;
}

/* Others have checksums over their ports that no difference brings up to date (SCTP). */
static __always_inline bool may_have_alias(const struct packet *packet)
{
	return packet->flow.src_port &&
	       (packet->flow.protocol == IPPROTO_TCP || packet->flow.protocol == IPPROTO_UDP);
}

static __always_inline bool take_alias(struct packet *packet, struct connection *wanted, __u8 alias,
				       __u32 index)
{
	__u64 hash;

	if (turn_to_alias(wanted, &packet->flow, alias, packet->now, packet->tcp_flags))
		return false;
	hash = hash_endpoint(hash_seed, &wanted->client, wanted->head.client_port,
			     packet->flow.protocol);
	if (claim_replies(wanted, hash, packet->now, index))
		return false;
	packet->other_port = wanted->head.client_port;
	if (packet->tcp_flags & (TCP_FIN | TCP_RST))
		return true;
	set_mark(hash, packet->now);
	set_mark(packet->client_hash, packet->now);
	return !record_connection(wanted, hash, packet->now, NULL, 0);
}

/*
 * Starts a connection with an alias to a backend that it cannot have without. An entry that its
 * flow has without one is of a connection before, which requests must not meet any more. Ends with
 * DROP_COLLISION where no alias is to be had.
 */
static __always_inline enum verdict start_aliased(struct packet *packet, __u16 in,
						  struct connection *wanted, __u32 index)
{
	const struct backend_record *backend = bpf_map_lookup_elem(&backends, &index);
	const bool is_lone_end = packet->tcp_flags & (TCP_FIN | TCP_RST);
	bool taken = false;

	if (!backend || !may_have_alias(packet))
		return VERDICT_DROP_COLLISION;
	wanted->head.backend = backend->handle;
	if (!is_lone_end)
		wanted->state.client_hop = learn_sender(packet, in);
		/* What the flow has left at aliases after the one it gets would outlive this
		 * connection. */
#pragma clang loop unroll(disable)
	for (__u8 alias = 1; alias <= ALIASES; alias++) {
		if (taken)
			turn_to_alias(wanted, &packet->flow, alias, packet->now, packet->tcp_flags);
		else
			taken = take_alias(packet, wanted, alias, index);
	}
	if (!taken)
		return VERDICT_DROP_COLLISION;
	if (packet->known && !is_lone_end)
		forget_if_over(packet->known, packet->known_head, packet->now, packet->tcp_flags);
	packet->is_new = !is_lone_end;
	set_backend(packet, DIRECTION_REQUEST, backend);
	return VERDICT_CONTINUE;
}
