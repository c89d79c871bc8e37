/*
 * Step connection: is the packet of a connection we remember, in either direction? Two filters tell
 * which way it may be going, one entry tells the rest. A known packet gets its translation and next
 * hop here; what it tells of the connection (flags, a new way back to the client) is written into
 * the entry.
 *
 * Ends with DROP_BACKEND_GONE (a reply from a backend that was removed or is down), PASS_OTHER_HOST
 * (a frame that was sent to another MAC address) and PASS_NO_SERVICE. A request whose connection is
 * over or expired goes on to the step service, which starts afresh; of UDP one that has lost its
 * backend, too. TCP parts for a program that ends the connection (gone.h).
 */
#pragma once

#include "bpf/alias.h"
#include "bpf/client_hop.h"
#include "bpf/connection_table.h"
#include "bpf/knobs.h"
#include "bpf/maps.h"
#include "bpf/masquerade_table.h"
#include "bpf/packet.h"
#include "bpf/part.h"
#include "bpf/stateless.h"
#include "bpf/tunnel.h"
#include "include/connection.h"
#include "include/verdict.h"

/* What this packet adds to what was seen. */
static __always_inline __u8 see(const struct packet *packet, enum direction direction, __u8 seen)
{
	const bool reply = direction == DIRECTION_REPLY;

	if (reply)
		seen |= TCP_SEEN_REPLY;
	else if ((seen & TCP_SEEN_REPLY) && !(packet->tcp_flags & TCP_SYN))
		seen |= TCP_SEEN_ESTABLISHED;
	if (packet->tcp_flags & TCP_FIN)
		seen |= reply ? TCP_SEEN_REPLY_FIN : TCP_SEEN_REQUEST_FIN;
	if (packet->tcp_flags & TCP_RST)
		seen |= TCP_SEEN_RST;
	return seen;
}

static __always_inline enum verdict track(struct packet *packet, const struct found *found,
					  enum direction direction, __u32 idle, bool is_rare)
{
	const bool moved = direction == DIRECTION_REQUEST &&
			   has_moved(packet, found->state.client_hop, is_rare);
	union connection_state fresh = found->state;
	__u16 in;

	fresh.seen = see(packet, direction, fresh.seen);
	if (fresh.seen == found->state.seen && !moved && idle < refresh_interval)
		return VERDICT_CONTINUE;
	if (moved) {
		if (!is_for_us(packet, &in))
			return VERDICT_PASS_OTHER_HOST;
		fresh.client_hop = learn_sender(packet, in);
	}
	fresh.last_seen = packet->now;
	refresh(found->connection, found->head, found->state.word, fresh.word, moved);
	return VERDICT_CONTINUE;
}

static __always_inline bool is_over(const struct found *found, __u32 idle)
{
	return idle >= refresh_interval &&
	       connection_is_expired(&timeouts, found->backend->protocol, found->state.seen, idle);
}

/* Of TCP whose backend is gone; a SYN opens another connection, and UDP goes on. */
static __always_inline void part_without_backend(const struct packet *packet)
{
	if (packet->flow.protocol == IPPROTO_TCP && !is_opening(packet))
		part(packet, PROGRAM_GONE);
}

static __always_inline bool takes_request(const struct packet *packet, const struct found *found,
					  __u32 idle)
{
	if (is_over(found, idle))
		return false;
	if (connection_is_served(found->backend, (__u32)found->head))
		return !starts_afresh(packet->tcp_flags, found->state.seen);
	part_without_backend(packet);
	return false;
}

static __always_inline enum verdict follow_request(struct packet *packet, const struct found *found,
						   __u32 idle, bool is_rare)
{
	const enum verdict verdict = track(packet, found, DIRECTION_REQUEST, idle, is_rare);

	if (verdict != VERDICT_CONTINUE)
		return verdict;
	set_backend(packet, DIRECTION_REQUEST, found->backend);
	return VERDICT_CONTINUE;
}

static __always_inline enum verdict find_request(struct packet *packet, bool is_rare)
{
	const struct client client = {&packet->flow.src, packet->flow.src_port, packet->client_hash,
				      0};
	struct found found;
	__u32 idle;

	if (search_for(packet, &client, DIRECTION_REQUEST, is_rare, &found)) {
		packet->known = found.connection;
		packet->known_head = found.head;
		idle = connection_idle(packet->now, found.state.last_seen);
		if (takes_request(packet, &found, idle)) {
			if (found.state.may_be_masqueraded)
				return part(packet, PROGRAM_MASQUERADE);
			return follow_request(packet, &found, idle, is_rare);
		}
	}
	packet->has_siblings = found.has_siblings; /* those after one were not looked at */
	if (!is_marked(packet->client_hash))
		return VERDICT_CONTINUE;
	if (!is_rare)
		return part(packet, PROGRAM_RARE);
	packet->has_siblings = true; /* with aliases they have other tags */
	if (!search_aliased(packet, DIRECTION_REQUEST, packet->client_hash, &found))
		return VERDICT_CONTINUE;
	idle = connection_idle(packet->now, found.state.last_seen);
	if (takes_request(packet, &found, idle))
		return follow_request(packet, &found, idle, is_rare);
	packet->other_port = 0;
	return VERDICT_CONTINUE;
}

static __always_inline bool is_to_hairpin(const struct packet *packet)
{
	if (packet->is_ipv6)
		return is_same_address(&packet->flow.dst, hairpin_of(true));
	return packet->flow.dst.word[3] == hairpin_of(false)->word[3];
}

/*
 * What a pod answers to its own request (hairpin) goes to an address that stands for it: its client
 * is its sender.
 */
static __always_inline struct client client_of_reply(struct packet *packet, __u64 dst_hash)
{
	const struct flow *flow = &packet->flow;
	struct client client = {&flow->dst, flow->dst_port, dst_hash, 0};

	if (is_to_hairpin(packet)) {
		packet->is_hairpin = true;
		client.address = &flow->src;
		client.hash = hash_endpoint(hash_seed, &flow->src, flow->dst_port, flow->protocol);
	}
	return client;
}

static __always_inline enum verdict find_reply(struct packet *packet, __u64 dst_hash, bool is_rare)
{
	const struct client client = client_of_reply(packet, dst_hash);
	enum verdict verdict;
	struct found found;
	bool known;
	__u32 idle;

	known = search_for(packet, &client, DIRECTION_REPLY, is_rare, &found);
	if (known && found.state.may_be_masqueraded)
		known = is_rare ? search_own_end(packet, &client, &found)
				: part(packet, PROGRAM_RARE);
	if (!known && masquerading && is_masqueraded_reply(&packet->flow))
		return part(packet, PROGRAM_MASQUERADE);
	if (!known && is_marked(client.hash)) {
		if (!is_rare)
			return part(packet, PROGRAM_RARE);
		known = search_aliased(packet, DIRECTION_REPLY, client.hash, &found);
	}
	if (!known) {
		part_with_stateless_reply(packet, client.hash);
		return VERDICT_CONTINUE;
	}
	idle = connection_idle(packet->now, found.state.last_seen);
	if (is_over(&found, idle))
		return VERDICT_CONTINUE;
	if (!connection_is_served(found.backend, (__u32)found.head)) {
		part_without_backend(packet);
		return VERDICT_DROP_BACKEND_GONE;
	}
	verdict = go_back(packet, found.state.client_hop, is_rare);
	if (verdict != VERDICT_CONTINUE)
		return verdict;
	track(packet, &found, DIRECTION_REPLY, idle, is_rare);
	set_backend(packet, DIRECTION_REPLY, found.backend);
	return VERDICT_CONTINUE;
}

static __always_inline enum verdict find_connection(struct packet *packet, bool is_rare)
{
	const struct flow *flow = &packet->flow;
	const __u64 src = hash_endpoint(hash_seed, &flow->src, flow->src_port, flow->protocol);
	const __u64 dst = hash_endpoint(hash_seed, &flow->dst, flow->dst_port, flow->protocol);
	const bool to_service = filter_has(&service_filter, service_filter_mask, dst);
	enum verdict verdict = VERDICT_CONTINUE;

	packet->now = (__u32)bpf_jiffies64();
	packet->client_hash = src;
	if (to_service)
		verdict = find_request(packet, is_rare);
	if (packet->backend || verdict != VERDICT_CONTINUE)
		return verdict;
	if (filter_has(&backend_filter, backend_filter_mask, src))
		verdict = find_reply(packet, dst, is_rare);
	if (packet->backend || verdict != VERDICT_CONTINUE)
		return verdict;
	return to_service ? VERDICT_CONTINUE : VERDICT_PASS_NO_SERVICE;
}

static __always_inline bool is_live(const struct packet *packet, const struct found *found)
{
	return connection_is_served(found->backend, (__u32)found->head) &&
	       !is_over(found, connection_idle(packet->now, found->state.last_seen));
}

static __always_inline bool find_live(struct packet *packet, const struct client *client,
				      enum direction direction, struct found *found)
{
	/* Of what only looks like a masqueraded one errors are not translated, until it does not.
	 */
	struct whereabouts where = {.is_own_end = direction == DIRECTION_REPLY};

	if (search_there(packet, client, direction, &where, found) && is_live(packet, found))
		return true;
	if (is_marked(client->hash) && search_aliased(packet, direction, client->hash, found) &&
	    is_live(packet, found))
		return true;
	packet->other_port = 0;
	return false;
}

static __always_inline bool follow_live(struct packet *packet, const struct client *client,
					enum direction direction, struct quote *quote)
{
	struct flow *other = room_for_other();
	struct found found;

	if (!find_live(packet, client, direction, &found))
		return false;
	set_backend(packet, direction, found.backend);
	if (direction == DIRECTION_REPLY)
		go_back(packet, found.state.client_hop, true);
	else if (found.state.may_be_masqueraded && other &&
		 (__u32)find_masquerade(&packet->flow, DIRECTION_REQUEST, other) ==
			 (__u32)found.head)
		quote->other = other;
	return true;
}

/* Of a packet that would have come back to an address that its client has not. */
static __always_inline bool follow_masqueraded(struct packet *packet, struct quote *quote)
{
	struct flow *request = room_for_other();
	struct whereabouts where = {};
	struct found found;
	__u32 backend;

	if (!request)
		return false;
	backend = (__u32)find_masquerade(&packet->flow, DIRECTION_REPLY, request);
	if (!backend || !search_apart(request,
				      hash_endpoint(hash_seed, &request->src, request->src_port,
						    request->protocol),
				      DIRECTION_REQUEST, true, &where))
		return false;
	found.head = where.head;
	found.state.word = where.state;
	found.backend = backend_of((__u32)where.head);
	if (!found.backend || (__u32)found.head != backend || !found.state.may_be_masqueraded ||
	    !is_live(packet, &found))
		return false;
	quote->other = request;
	set_backend(packet, DIRECTION_REPLY, found.backend);
	go_back(packet, found.state.client_hop, true);
	return true;
}

/*
 * The same for an ICMP error, which has its flow from the packet that it quotes. Anybody can send
 * one, so it neither keeps a connection alive nor changes what is known of it.
 */
static __always_inline enum verdict find_connection_of_error(struct packet *packet,
							     struct quote *quote)
{
	const struct flow *flow = &packet->flow;
	const __u64 src = hash_endpoint(hash_seed, &flow->src, flow->src_port, flow->protocol);
	const __u64 dst = hash_endpoint(hash_seed, &flow->dst, flow->dst_port, flow->protocol);
	struct client client = {&flow->src, flow->src_port, src, 0};

	packet->now = (__u32)bpf_jiffies64();
	if (filter_has(&service_filter, service_filter_mask, dst) &&
	    follow_live(packet, &client, DIRECTION_REQUEST, quote)) {
		if (quote->other && !quote->other->protocol)
			return lead_into_tunnel(packet, packet->backend);
		if (quote->other) {
			packet->is_hairpin = false;
			packet->other_port = quote->other->dst_port;
		}
		return VERDICT_CONTINUE;
	}
	if (!filter_has(&backend_filter, backend_filter_mask, src))
		return VERDICT_PASS_NO_SERVICE;
	client = client_of_reply(packet, dst);
	if (follow_live(packet, &client, DIRECTION_REPLY, quote))
		return VERDICT_CONTINUE;
	if (!masquerading || !follow_masqueraded(packet, quote))
		return VERDICT_PASS_NO_SERVICE;
	packet->other_port = quote->other ? quote->other->src_port : 0;
	return VERDICT_CONTINUE;
}
