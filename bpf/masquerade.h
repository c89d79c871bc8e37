/*
 * Step masquerade, of the program of that name, in the place of the steps connection and service:
 * packets of connections whose client's address becomes one of this node's on the way to a backend
 * elsewhere, because replies would else not come back here; and what starts a connection to a
 * service that asks for that, also where the backend it gets is of this node, and nothing changes.
 *
 * The entry of such a connection is like any other's, found by the client's end. What it leaves as
 * is beside it (bpf/masquerade_table.h). Its address and port stay while it lives, whatever becomes
 * of the way out. The first program parts by a bit of the entry that it has found, or, of a reply
 * that it finds no entry for, by a look at the map.
 *
 * Where the node tunnels, such a connection keeps its client's address, and its packets part for
 * the program that encapsulates them (bpf/encapsulate.h). How one has begun it goes on, whatever
 * the node does with others by now.
 *
 * It takes steps of theirs (bpf/connection.h, service.h, gone.h), which come before it in
 * bpf/walk.h. Ends with what they end with, and DROP_MASQUERADE.
 */
#pragma once

#include "bpf/alias.h"
#include "bpf/connection_table.h"
#include "bpf/knobs.h"
#include "bpf/maps.h"
#include "bpf/masquerade_table.h"
#include "bpf/network.h"
#include "bpf/packet.h"
#include "include/connection.h"
#include "include/verdict.h"

/*
 * The entry of a connection by the flow of its requests. `flow` is not the packet's own where that
 * is a reply.
 */
static __always_inline bool search_requests(struct masquerade_work *known, const struct flow *flow,
					    struct found *found)
{
	const __u64 hash = hash_endpoint(hash_seed, &flow->src, flow->src_port, flow->protocol);
	struct connection_bucket *bucket = bucket_of(hash);
	struct whereabouts *where = &known->where;

	if (!search_apart(flow, hash, DIRECTION_REQUEST, true, where) || !bucket)
		return false;
	found->connection = way_of(bucket, hash, where->turn);
	found->head = where->head;
	found->state.word = where->state;
	found->backend = backend_of((__u32)found->head);
	return found->backend;
}

/* As in bpf/gone.h: what the backend says first becomes a reset, then it gets one itself. */
static __always_inline enum verdict lose_reply(struct packet *packet, const struct found *found,
					       struct masquerade_work *known)
{
	__u16 in;

	if (packet->flow.protocol != IPPROTO_TCP || is_opening(packet))
		return VERDICT_DROP_BACKEND_GONE;
	if (!is_for_us(packet, &in))
		return VERDICT_PASS_OTHER_HOST;
	if (is_later_fragment(packet))
		return VERDICT_DROP_FRAGMENT; /* it has no flags */
	known->is_lost = 1;
	end_connection(found, packet->now);
	if (found->state.seen & TCP_SEEN_RST || packet->fragment)
		return VERDICT_DROP_BACKEND_GONE;
	set_backend(packet, DIRECTION_REPLY, found->backend);
	return go_back(packet, found->state.client_hop, true);
}

static __always_inline enum verdict follow_reply(struct packet *packet,
						 struct masquerade_work *known)
{
	enum verdict verdict;
	struct found found;
	__u32 idle;

	/* One of the same ends may have begun since without. */
	if (!search_requests(known, &known->other, &found) || (__u32)found.head != known->backend ||
	    !found.state.may_be_masqueraded)
		return VERDICT_PASS_NO_SERVICE;
	idle = connection_idle(packet->now, found.state.last_seen);
	if (is_over(&found, idle))
		return VERDICT_PASS_NO_SERVICE;
	if (!connection_is_served(found.backend, (__u32)found.head))
		return lose_reply(packet, &found, known);
	verdict = go_back(packet, found.state.client_hop, true);
	if (verdict != VERDICT_CONTINUE)
		return verdict;
	track(packet, &found, DIRECTION_REPLY, idle, true);
	set_backend(packet, DIRECTION_REPLY, found.backend);
	return VERDICT_CONTINUE;
}

/* The index of the backend that the packet's connection goes to, new or not; 0 with a verdict. */
static __always_inline __u32 choose_or_keep(struct packet *packet,
					    const struct service_record *service,
					    const struct connection *wanted, __u32 kept,
					    enum verdict *verdict)
{
	const struct backend_record *backend = kept ? backend_of(kept) : NULL;

	*verdict = VERDICT_CONTINUE;
	if (backend && connection_is_served(backend, kept) && backend->service == service->service)
		return kept & BACKEND_INDEX_MASK;
	return choose_backend(packet, service, wanted, verdict);
}

static __always_inline enum verdict start_masqueraded(struct packet *packet, __u16 in,
						      struct connection *wanted,
						      const struct backend_record *backend,
						      struct masquerade_work *known)
{
	const __u32 index = backend->handle & BACKEND_INDEX_MASK;
	const bool is_lone_end = packet->tcp_flags & (TCP_FIN | TCP_RST);
	enum verdict verdict;

	wanted->head.backend = backend->handle;
	wanted->state.may_be_masqueraded = 1;
	set_backend(packet, DIRECTION_REQUEST, backend);
	packet->is_hairpin = false;
	if (!is_lone_end &&
	    obtain_masquerade(&packet->flow, index, packet->hop.port, packet->is_ipv6))
		return VERDICT_DROP_MASQUERADE;
	/* A lone end makes no state, and means nothing to a backend that knows no such client. */
	if ((__u32)find_masquerade(&packet->flow, DIRECTION_REQUEST, &known->other) !=
	    backend->handle)
		return VERDICT_DROP_MASQUERADE;
	if (is_lone_end)
		return VERDICT_CONTINUE;
	verdict = start_connection(packet, in, wanted);
	return verdict;
}

/* Segments to be would not fit in; and an address of the node is no service's on others. */
static __always_inline bool may_be_tunnelled(const struct packet *packet, __u16 in)
{
	const __u32 index = in;
	const struct port *port;

	if (!HOOK_TUNNELS || !tunnels)
		return false;
	port = bpf_map_lookup_elem(&ports, &index);
	return port && !(port->flags & PORT_GENERIC) &&
	       network_of(&packet->flow.dst, packet->is_ipv6) != NETWORK_NODE;
}

static __always_inline bool is_to_be_tunnelled(const struct packet *packet, __u16 in,
					       const struct backend_record *backend,
					       const struct masquerade_work *known)
{
	if (known->backend == backend->handle && known->other.protocol != OTHER_IS_UNKNOWN)
		return known->other.protocol == OTHER_IS_TUNNEL; /* as before */
	return may_be_tunnelled(packet, in);
}

/* What it answers does not come by here. */
static __always_inline enum verdict start_tunnelled(struct packet *packet, __u16 in,
						    struct connection *wanted,
						    const struct backend_record *backend,
						    struct masquerade_work *known)
{
	wanted->head.backend = backend->handle;
	wanted->state.may_be_masqueraded = 1;
	set_backend(packet, DIRECTION_REQUEST, backend);
	packet->is_hairpin = false;
	known->other.protocol = OTHER_IS_TUNNEL;
	if (packet->tcp_flags & (TCP_FIN | TCP_RST))
		return VERDICT_CONTINUE; /* it makes no state: as in send_to */
	if (note_tunnel(&packet->flow, backend->handle))
		return VERDICT_DROP_MASQUERADE;
	return start_connection(packet, in, wanted);
}

static __always_inline enum verdict start_any(struct packet *packet, __u16 in,
					      const struct service_record *service,
					      struct connection *wanted,
					      struct masquerade_work *known)
{
	const struct backend_record *backend;
	enum verdict verdict;
	__u32 index;

	index = choose_or_keep(packet, service, wanted, known->backend, &verdict);
	if (verdict == VERDICT_DROP_NO_BACKEND)
		return leave_unserved(service);
	backend = bpf_map_lookup_elem(&backends, &index);
	if (!index || !backend)
		return VERDICT_DROP_NO_BACKEND;
	if (backend->flags & BACKEND_IS_REMOTE && is_to_be_masqueraded(packet, service))
		return is_to_be_tunnelled(packet, in, backend, known)
			       ? start_tunnelled(packet, in, wanted, backend, known)
			       : start_masqueraded(packet, in, wanted, backend, known);
	known->other.protocol = 0;
	if (verdict == VERDICT_CONTINUE)
		verdict = send_to(packet, in, service, wanted, index);
	if (packet->is_new)
		forget_aliased(packet);
	return verdict == VERDICT_DROP_COLLISION ? start_aliased(packet, in, wanted, index)
						 : verdict;
}

static __always_inline enum verdict balance_masqueraded(struct packet *packet,
							struct masquerade_work *known)
{
	struct connection *wanted = &known->wanted;
	const struct service_record *service = find_record(packet);
	enum verdict verdict;
	__u16 in;

	if (!service)
		return VERDICT_PASS_NO_SERVICE;
	packet->service = service->service;
	if (!is_for_us(packet, &in))
		return VERDICT_PASS_OTHER_HOST;
	verdict = admit_source(packet, service);
	if (verdict != VERDICT_CONTINUE)
		return verdict;
	wanted->head.word = 0;
	wanted->head.client_port = packet->flow.src_port;
	wanted->head.tag = hash_tag(packet->client_hash);
	wanted->state.word = 0;
	wanted->state.last_seen = packet->now;
	wanted->client = packet->flow.src;
	verdict = start_any(packet, in, service, wanted, known);
	if (verdict != VERDICT_CONTINUE)
		packet->backend = NULL; /* it carries nothing of it */
	if (packet->is_new && service->affinity_seconds)
		note_affinity(wanted, packet->service, service->affinity_seconds);
	return verdict;
}

/* What only looked like a masqueraded connection's is not asked again. */
static __always_inline void say_ordinary(const struct found *found)
{
	union connection_state fresh = found->state;

	fresh.may_be_masqueraded = 0;
	refresh(found->connection, found->head, found->state.word, fresh.word, false);
}

/* Of a connection that has an entry but, though its bit says so, no masquerade: is it to have one?
 */
static __always_inline bool has_lost_masquerade(const struct packet *packet,
						const struct found *found)
{
	const struct service_record *service;

	if (!(found->backend->flags & BACKEND_IS_REMOTE))
		return false;
	service = find_record(packet);
	return service && is_to_be_masqueraded(packet, service);
}

/* Of a tunnelled one no answer is seen: that its client goes on says that there was one. */
static __always_inline void say_established(const struct packet *packet, const struct found *found)
{
	const __u8 answered = TCP_SEEN_REPLY | TCP_SEEN_ESTABLISHED;
	union connection_state fresh = found->state;

	if (packet->flow.protocol != IPPROTO_TCP || packet->tcp_flags & TCP_SYN ||
	    (fresh.seen & answered) == answered)
		return;
	fresh.seen |= answered;
	fresh.last_seen = packet->now;
	refresh(found->connection, found->head, found->state.word, fresh.word, false);
}

static __always_inline enum verdict follow_or_start(struct packet *packet,
						    struct masquerade_work *known)
{
	enum verdict verdict;
	struct found found;
	__u32 idle;

	if (!search_requests(known, &packet->flow, &found)) {
		packet->has_siblings = true; /* perhaps: those with aliases, too */
		known->backend = is_of_old_connection(packet) ? known->backend : 0;
		return balance_masqueraded(packet, known);
	}
	packet->has_siblings = true;
	packet->known = found.connection;
	packet->known_head = found.head;
	idle = connection_idle(packet->now, found.state.last_seen);
	if (!takes_request(packet, &found, idle)) {
		known->backend = 0;
		return balance_masqueraded(packet, known);
	}
	if (known->backend != (__u32)found.head) {
		if (has_lost_masquerade(packet, &found)) {
			known->backend = (__u32)found.head;
			return balance_masqueraded(packet, known);
		}
		say_ordinary(&found);
		known->other.protocol = 0;
		return follow_request(packet, &found, idle, true);
	}
	verdict = follow_request(packet, &found, idle, true);
	packet->is_hairpin = false;
	if (known->other.protocol == OTHER_IS_TUNNEL && verdict == VERDICT_CONTINUE)
		say_established(packet, &found);
	return verdict;
}

static __always_inline enum verdict find_masqueraded(struct packet *packet,
						     struct masquerade_work *known)
{
	const struct flow *flow = &packet->flow;

	known->is_lost = 0;
	packet->now = (__u32)bpf_jiffies64();
	packet->client_hash = hash_endpoint(hash_seed, &flow->src, flow->src_port, flow->protocol);
	known->backend = (__u32)find_masquerade(flow, DIRECTION_REPLY, &known->other);
	if (known->backend)
		return follow_reply(packet, known);
	known->other.protocol = OTHER_IS_UNKNOWN;
	known->backend = (__u32)find_masquerade(flow, DIRECTION_REQUEST, &known->other);
	if (!known->other.protocol)
		known->other.protocol = OTHER_IS_TUNNEL;
	return follow_or_start(packet, known);
}
