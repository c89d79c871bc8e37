/*
 * What the entries of the connection table mean: which timeout applies, whether a connection is
 * over. The datapath acts on it, lbd sweeps and lists by it, so both compile this.
 */
#pragma once

#include <linux/in.h>
#include <stdbool.h>
#include "include/abi.h"
#include "include/hash.h"

/* Both sides have said FIN, or one has said RST. */
static inline __attribute__((always_inline)) bool connection_is_closed(__u8 seen)
{
	const __u8 both = TCP_SEEN_REQUEST_FIN | TCP_SEEN_REPLY_FIN;

	return (seen & TCP_SEEN_RST) || (seen & both) == both;
}

static inline __attribute__((always_inline)) __u32
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

/*
 * Jiffies since the last packet, as of `now`. CPUs learn of a tick one after another, so the last
 * packet may seem to come from the future: that is no time at all.
 */
#define JIFFIES_FUTURE 65536u

static inline __attribute__((always_inline)) __u32 connection_idle(__u32 now, __u32 last_seen)
{
	const __u32 idle = now - last_seen;

	return idle < -JIFFIES_FUTURE ? idle : 0;
}

static inline __attribute__((always_inline)) bool
connection_is_expired(const volatile struct timeouts *timeouts, __u8 protocol, __u8 seen,
		      __u32 idle)
{
	return idle > connection_timeout(timeouts, protocol, seen);
}

static inline __attribute__((always_inline)) bool
connection_is_served(const struct backend_record *backend, __u32 handle)
{
	return backend->handle == handle &&
	       (backend->state == BACKEND_ACTIVE || backend->state == BACKEND_DRAINING);
}

/*
 * The client's port and the one that its backend knows it by (an alias of 1 to ALIASES): of either
 * the other. Bits of the port are turned, the same ones both ways; which ones, the seed of this
 * node tells, and each alias turns others. 0: this alias does not go with this port.
 *
 * A port below 1024 and one below 512 stays below (rpcbind and others trust them), the others stay
 * above, as in netfilter (nf_nat_core.c). An even port becomes an odd one: Linux gives its
 * connections even ports while there are some, so odd ones are mostly free.
 */
static inline __attribute__((always_inline)) __be16 connection_other_port(__u64 seed, __u8 alias,
									  __be16 port)
{
	const __u32 turn = ((__u32)hash_mix(seed, 0) + alias * 1571) << 1 | 1;
	union {
		__be16 port;
		__u8 byte[2]; /* the higher one first */
	} other = {.port = port};
	const bool trusted = other.byte[0] < 4;

	other.byte[0] ^= turn >> 8 & (trusted ? 0x01 : 0x3f);
	other.byte[1] ^= turn;
	return port && trusted == (other.byte[0] < 4) ? other.port : 0;
}

/* The alias of an entry that is found by this hash. */
static inline __attribute__((always_inline)) __u8 connection_alias(union connection_head head,
								   __u64 hash)
{
	return (head.tag ^ hash_tag(hash)) & ALIASES;
}
