/*
 * Step gone: of a packet of TCP whose connection has lost its backend (removed, or down), in a
 * program of its own. The connection ends: at no other backend anybody knows of it. What the
 * backend says first goes on to the client, as a reset, unless it is a fragment: the client may be
 * waiting for nothing else, and say nothing.
 *
 * Ends with PASS_OTHER_HOST, DROP_FRAGMENT, and with DROP_BACKEND_GONE: whoever sent any other
 * packet gets a reset (answer.h).
 */
#pragma once

#include <linux/in.h>
#include <linux/tcp.h>
#include "bpf/alias.h"
#include "bpf/client_hop.h"
#include "bpf/connection_table.h"
#include "bpf/knobs.h"
#include "bpf/maps.h"
#include "bpf/packet.h"
#include "include/checksum.h"
#include "include/connection.h"
#include "include/verdict.h"

/* What is told of a connection that has ended. */
struct loss {
	struct connection *connection; /* NULL: none */
	__u32 backend;                 /* handle */
	__u16 client_hop;
	bool is_known; /* and was not the first time */
	bool is_hairpin;
	__u8 direction; /* enum direction, of the packet that met it */
};

static __always_inline bool is_lost(const struct found *found, __u32 now)
{
	const __u32 idle = connection_idle(now, found->state.last_seen);

	return !connection_is_served(found->backend, (__u32)found->head) &&
	       !connection_is_expired(&timeouts, found->backend->protocol, found->state.seen, idle);
}

/* Until its entry expires, what else comes is of a connection that is over. */
static __always_inline void end_connection(const struct found *found, __u32 now)
{
	union connection_state fresh = found->state;

	fresh.seen |= TCP_SEEN_RST;
	fresh.last_seen = now;
	refresh(found->connection, found->head, found->state.word, fresh.word, false);
}

static __always_inline bool lose_found(const struct found *found, enum direction direction,
				       struct loss *loss)
{
	const __u32 now = (__u32)bpf_jiffies64();

	if (!is_lost(found, now))
		return false;
	loss->backend = (__u32)found->head;
	loss->client_hop = found->state.client_hop;
	loss->is_known = found->state.seen & TCP_SEEN_RST;
	loss->direction = direction;
	end_connection(found, now);
	return true;
}

static __always_inline bool lose(const struct flow *flow, const struct client *client,
				 enum direction direction, struct loss *loss)
{
	const struct whereabouts asked = {.is_own_end = direction == DIRECTION_REPLY};
	struct found found;

	return search_as_asked(flow, client, direction, &asked, &found) &&
	       lose_found(&found, direction, loss);
}

/* The same of a connection with an alias. */
static __always_inline bool lose_aliased(struct packet *packet, enum direction direction,
					 struct loss *loss)
{
	const struct flow *flow = &packet->flow;
	const bool request = direction == DIRECTION_REQUEST;
	const __u64 hash =
		hash_endpoint(hash_seed, request || packet->is_hairpin ? &flow->src : &flow->dst,
			      request ? flow->src_port : flow->dst_port, flow->protocol);
	struct found found;

	return is_marked(hash) && search_aliased(packet, direction, hash, &found) &&
	       lose_found(&found, direction, loss);
}

/* A pod that is its own backend answers itself, by an address that stands for it. */
static __always_inline struct client client_of_lost_reply(const struct flow *flow, bool is_hairpin)
{
	struct client client = {.port = flow->dst_port};

	client.address = is_hairpin ? &flow->src : &flow->dst;
	client.hash = hash_endpoint(hash_seed, client.address, client.port, flow->protocol);
	return client;
}

/* A global function: verified once. True: a connection has ended, or had before. */
__noinline int lose_connection(const struct flow *flow, struct loss *loss)
{
	struct client client;

	if (!flow || !loss)
		return false; /* VERIFIER: a global function's pointers may be NULL */
	client = (struct client){
		&flow->src, flow->src_port,
		hash_endpoint(hash_seed, &flow->src, flow->src_port, flow->protocol), 0};
	if (lose(flow, &client, DIRECTION_REQUEST, loss))
		return true;
	loss->is_hairpin = is_same_address(&flow->dst, hairpin_of(false)) ||
			   is_same_address(&flow->dst, hairpin_of(true));
	client = client_of_lost_reply(flow, loss->is_hairpin);
	return lose(flow, &client, DIRECTION_REPLY, loss);
}

static __always_inline bool lose_any(struct packet *packet, struct loss *loss)
{
	const bool is_lost = lose_connection(&packet->flow, loss);

	packet->is_hairpin = loss->is_hairpin;
	return is_lost || lose_aliased(packet, DIRECTION_REQUEST, loss) ||
	       lose_aliased(packet, DIRECTION_REPLY, loss);
}

static __always_inline enum verdict lose_backend(struct packet *packet)
{
	struct loss loss = {};
	__u16 in;

	if (!is_for_us(packet, &in))
		return VERDICT_PASS_OTHER_HOST;
	if (is_later_fragment(packet))
		return VERDICT_DROP_FRAGMENT; /* it has no ports */
	packet->now = (__u32)bpf_jiffies64();
	if (!lose_any(packet, &loss) || loss.direction == DIRECTION_REQUEST || loss.is_known ||
	    packet->fragment)
		return VERDICT_DROP_BACKEND_GONE;
	packet->backend = backend_of(loss.backend);
	if (!packet->backend)
		return VERDICT_DROP_BACKEND_GONE;
	set_backend(packet, DIRECTION_REPLY, packet->backend);
	return go_back(packet, loss.client_hop, true);
}

/* Data may come with it (RFC 1122, 4.2.2.12). False: it cannot be made. */
static __always_inline bool become_reset(struct packet *packet)
{
	struct tcphdr *tcp = packet->transport;
	__u16 *word = (__u16 *)tcp + TCP_FLAGS_OFFSET / 2, before;
	__u8 *flags = (__u8 *)tcp + TCP_FLAGS_OFFSET;

	if ((void *)(tcp + 1) > packet->end)
		return false; /* VERIFIER: does not know that it is TCP (6.18) */
	before = *word;
	*flags = TCP_RST | (*flags & TCP_ACK);
	return change_checksum(packet, &tcp->check,
			       checksum_fold(checksum_replace(0, before, *word)));
}
