/*
 * What the entries of the connection table mean: which timeout applies, whether a connection is
 * over, and which entry belongs to it in the other direction. The datapath acts on it, lbd sweeps
 * and lists by it, so both compile this.
 */
#pragma once

#include <linux/in.h>
#include <stdbool.h>
#include "include/abi.h"

/* Both sides have said FIN, or one has said RST. */
static inline __attribute__((always_inline)) bool connection_is_closed(__u8 seen)
{
	const __u8 both = TCP_SEEN_REQUEST_FIN | TCP_SEEN_REPLY_FIN;

	return (seen & TCP_SEEN_RST) || (seen & both) == both;
}

static inline __attribute__((always_inline)) __u64
connection_timeout(const volatile struct timeouts *timeouts, __u8 protocol, __u8 seen)
{
	if (protocol != IPPROTO_TCP)
		return timeouts->udp;
	if (connection_is_closed(seen))
		return timeouts->tcp_closed;
	if (seen & (TCP_SEEN_REQUEST_FIN | TCP_SEEN_REPLY_FIN))
		return timeouts->tcp_closing;
	if (seen & TCP_SEEN_ESTABLISHED)
		return timeouts->tcp_established;
	return timeouts->tcp_opening;
}

/* The clock is coarse and per CPU: an entry may be a tick younger than `now`, hence signed. */
static inline __attribute__((always_inline)) bool
connection_is_expired(const volatile struct timeouts *timeouts, __u8 protocol,
		      const struct connection *connection, __u64 now_ns)
{
	__s64 idle = (__s64)(now_ns - connection->last_seen_ns);

	return idle > (__s64)connection_timeout(timeouts, protocol, connection->seen);
}

static inline __attribute__((always_inline)) bool connection_same_address(const struct address *a,
									  const struct address *b)
{
	/* The last word first: of IPv4 addresses it is the one that differs. */
	return a->word[3] == b->word[3] && a->word[2] == b->word[2] && a->word[1] == b->word[1] &&
	       a->word[0] == b->word[0];
}

/*
 * A translation changes one end of a flow and leaves the other, but for a client that is its own
 * backend (hairpin) and would not take a packet from itself: its request comes from the address
 * `source`, and what it answers to that goes back to it.
 */
static inline __attribute__((always_inline)) bool
connection_is_hairpin(const struct flow *flow, const struct connection *connection,
		      const struct address *source)
{
	if (connection->direction == DIRECTION_REQUEST)
		return connection_same_address(&flow->src, &connection->translation);
	return connection_same_address(&flow->dst, source);
}

/* The entry of the other direction; its packets are those that this one's become, turned round. */
static inline __attribute__((always_inline)) void
connection_reverse(const struct flow *flow, const struct connection *connection,
		   const struct address *source, struct flow *reverse_flow,
		   struct connection *reverse)
{
	const bool hairpin = connection_is_hairpin(flow, connection, source);

	*reverse = *connection;
	*reverse_flow = (struct flow){.protocol = flow->protocol};
	if (connection->direction == DIRECTION_REQUEST) {
		reverse_flow->src = connection->translation;
		reverse_flow->src_port = connection->translation_port;
		reverse_flow->dst = hairpin ? *source : flow->src;
		reverse_flow->dst_port = flow->src_port;
		reverse->translation = flow->dst;
		reverse->translation_port = flow->dst_port;
		reverse->direction = DIRECTION_REPLY;
	} else {
		reverse_flow->src = hairpin ? flow->src : flow->dst;
		reverse_flow->src_port = flow->dst_port;
		reverse_flow->dst = connection->translation;
		reverse_flow->dst_port = connection->translation_port;
		reverse->translation = flow->src;
		reverse->translation_port = flow->src_port;
		reverse->direction = DIRECTION_REQUEST;
	}
}
