/*
 * Step connection: is the packet of a connection we remember, in either direction? One lookup
 * answers. A known packet gets its translation and next hop here; what it tells of the connection
 * (flags, a new way back to the client) is written into both directions' entries.
 *
 * Ends with DROP_BACKEND_GONE (a reply from a backend that was removed or is down) and
 * PASS_OTHER_HOST (a frame that was sent to another MAC address). A request whose
 * connection is over, expired or has lost its backend goes on to the step service, which starts
 * afresh.
 *
 * Two CPUs may handle packets of one connection at once: the request and the reply direction have
 * entries of their own, and what they write into each other's is single aligned words
 * (last_seen_ns, client) or a byte that only gains bits (seen): the worst interleaving loses a bit
 * or a tick, which the next packet of that kind sets again.
 */
#pragma once

#include "bpf/knobs.h"
#include "bpf/maps.h"
#include "bpf/packet.h"
#include "include/connection.h"
#include "include/verdict.h"

#define REFRESH_INTERVAL_NS 1000000000ull /* shared lines are written once a second at most */

/* What nat is to write. */
static __always_inline void set_translation(struct packet *packet,
					    const struct connection *connection)
{
	packet->translation = connection->translation;
	packet->translation_port = connection->translation_port;
	packet->is_hairpin =
		connection_is_hairpin(&packet->flow, connection, hairpin_of(packet->is_ipv6));
}

/* Both lie on even offsets: the structs are aligned, a frame's addresses are its bytes 0 and 6. */
static __always_inline bool is_same_mac(const __u8 *a, const __u8 *b)
{
	const __u16 *x = (const __u16 *)a, *y = (const __u16 *)b;

	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2];
}

/*
 * Learns the frame's sender as the next hop for what goes back; port 0 where we do not know the
 * interface. False: the frame was sent to another MAC address and is none of ours, however it came
 * here (a flooding bridge, promiscuous mode).
 */
static __always_inline bool learn_sender(const struct packet *packet, struct nexthop *hop)
{
	__u32 index = ingress_index(packet_ingress(packet));
	struct port *port = bpf_map_lookup_elem(&ports, &index);

	copy_mac(hop->mac, packet->ethernet->h_source);
	hop->port = index;
	return !index || !port || is_same_mac(port->mac, packet->ethernet->h_dest);
}

/* Did this request come by another way than the last one did, or to another MAC address? */
static __always_inline bool has_moved(const struct packet *packet, const struct nexthop *client)
{
	__u32 index = client->port;
	struct port *port = bpf_map_lookup_elem(&ports, &index);

	if (!port || port->ifindex != packet_ingress(packet))
		return true;
	return !is_same_mac(client->mac, packet->ethernet->h_source) ||
	       !is_same_mac(port->mac, packet->ethernet->h_dest);
}

/* What this packet adds to what was seen. */
static __always_inline __u8 see(const struct packet *packet, const struct connection *connection)
{
	const bool reply = connection->direction == DIRECTION_REPLY;
	__u8 seen = connection->seen;

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

/*
 * Brings both entries up to date; an entry of the other direction that was evicted alone is made
 * again. Rare: on the first packets, on FIN and RST, and once a second. A global function: verified
 * once.
 */
__noinline int refresh(struct flow *flow, struct connection *connection, bool is_ipv6)
{
	struct connection reverse, *other;
	struct flow reverse_flow;

	if (!flow || !connection)
		return -1; /* VERIFIER: a global function's pointers may be NULL */
	connection_reverse(flow, connection, hairpin_of(is_ipv6), &reverse_flow, &reverse);
	other = bpf_map_lookup_elem(&connections, &reverse_flow);
	if (!other)
		return bpf_map_update_elem(&connections, &reverse_flow, &reverse, BPF_NOEXIST);
	if (other->backend != reverse.backend || other->generation != reverse.generation)
		return 0; /* of a later connection by now */
	other->last_seen_ns = reverse.last_seen_ns;
	other->client = reverse.client;
	other->seen |= reverse.seen;
	return 0;
}

static __always_inline enum verdict track(struct packet *packet, struct connection *connection)
{
	const __u8 seen = see(packet, connection);
	const bool moved = connection->direction == DIRECTION_REQUEST &&
			   has_moved(packet, &connection->client);
	struct nexthop sender;

	if (seen == connection->seen && !moved &&
	    (__s64)(packet->now_ns - connection->last_seen_ns) < (__s64)REFRESH_INTERVAL_NS)
		return VERDICT_CONTINUE;
	if (moved) {
		if (!learn_sender(packet, &sender))
			return VERDICT_PASS_OTHER_HOST;
		connection->client = sender;
	}
	connection->seen = seen;
	connection->last_seen_ns = packet->now_ns;
	refresh(&packet->flow, connection, packet->is_ipv6);
	return VERDICT_CONTINUE;
}

/*
 * A new SYN where the old connection is over or one side has ended it: the port is used again
 * (RFC 9293, 3.6.1), and what was seen of the old connection must not age the new one.
 */
static __always_inline bool starts_afresh(const struct packet *packet,
					  const struct connection *connection)
{
	const __u8 ended = TCP_SEEN_REQUEST_FIN | TCP_SEEN_REPLY_FIN | TCP_SEEN_RST;

	return (packet->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && (connection->seen & ended);
}

static __always_inline bool serves(const struct backend_record *backend, __u32 generation)
{
	return backend && backend->generation == generation &&
	       (backend->state == BACKEND_ACTIVE || backend->state == BACKEND_DRAINING);
}

static __always_inline enum verdict find_connection(struct packet *packet)
{
	struct connection *connection = bpf_map_lookup_elem(&connections, &packet->flow);
	struct backend_record *backend;
	enum verdict verdict;
	struct nexthop *hop;

	packet->known = connection;
	if (!connection)
		return VERDICT_CONTINUE;
	packet->now_ns = bpf_ktime_get_coarse_ns();
	if (connection_is_expired(&timeouts, packet->flow.protocol, connection, packet->now_ns))
		return VERDICT_CONTINUE;
	backend = bpf_map_lookup_elem(&backends, &connection->backend);
	if (!serves(backend, connection->generation))
		return connection->direction == DIRECTION_REPLY ? VERDICT_DROP_BACKEND_GONE
								: VERDICT_CONTINUE;
	if (connection->direction == DIRECTION_REQUEST) {
		if (starts_afresh(packet, connection))
			return VERDICT_CONTINUE;
		hop = bpf_map_lookup_elem(&nexthops, &backend->nexthop);
	} else {
		hop = &connection->client;
	}
	verdict = track(packet, connection);
	if (verdict != VERDICT_CONTINUE)
		return verdict;
	packet->service = connection->service;
	packet->backend = connection->backend;
	packet->direction = connection->direction;
	set_translation(packet, connection);
	packet->hop = load_nexthop(hop);
	return VERDICT_CONTINUE;
}
