/*
 * Aliases: what becomes of a connection whose replies could not be told from another's, because the
 * client's port reaches the same backend by another service as well, and no other backend is free.
 * Its requests get another source port on their way to the backend, the alias port, and its replies
 * the client's own again.
 *
 * Each end has an entry, found by its port (include/abi.h); either tells all of the connection, the
 * other port included. A packet brings both up to date, so that they age alike and give way alike,
 * and a request restores the end of replies where it was lost: until it has, it does not leave.
 * What many CPUs do at once is as for any connection: whoever records an end of replies looks again
 * afterwards, and takes it back where it is not alone (bpf/connection_table.h). Two packets that
 * start one connection come upon the same alias port, for it is tried in an order that the client's
 * end and the backend tell; so does a packet whose connection was forgotten.
 *
 * All of it is for the programs `rare` and `icmp`; the other leaves for `rare` as soon as it finds
 * an entry with an alias, or no backend without.
 */
#pragma once

#include <linux/in.h>
#include "bpf/claim.h"
#include "bpf/client_hop.h"
#include "bpf/connection_table.h"
#include "bpf/knobs.h"
#include "bpf/maps.h"
#include "bpf/packet.h"
#include "bpf/part.h"
#include "include/connection.h"
#include "include/hash.h"
#include "include/verdict.h"

/*
 * Makes of one end of a connection the other, with the same state: what its entry is to be; and its
 * hash. Its port is 0 where the alias does not go with this one's.
 */
static __always_inline __u64 turn_end(struct connection *end, __u8 protocol)
{
	const __be16 port =
		connection_other_port(hash_seed, end->state.alias, end->head.client_port);
	const __u64 hash = hash_endpoint(hash_seed, &end->client, port, protocol);

	end->head.client_port = port;
	end->head.tag = hash_tag(hash);
	end->state.alias ^= ALIAS_REPLY_END;
	return hash;
}

/*
 * The entry of an end, as its number in the bucket, and its state; negative: there is none. A
 * global function: verified once.
 */
__noinline int find_end(const struct connection *end, __u64 hash, union connection_state *state)
{
	struct connection_bucket *bucket = bucket_of(hash);

	if (!bucket || !end || !state)
		return -1;
#pragma clang loop unroll(disable)
	for (__u32 way = 0; way < CONNECTION_WAYS; way++) {
		const struct connection *entry = &bucket->way[way];
		const __u64 head = load_word(&entry->head.word);

		if (head != end->head.word)
			continue;
		state->word = load_word(after(&entry->state, head));
		if (state->alias == end->state.alias &&
		    is_same_address(after(&entry->client, state->word), &end->client) &&
		    is_of_one_owner(entry, head, state))
			return way;
	}
	return -1;
}

/* NULL: there is none. */
static __always_inline struct connection *entry_of_end(const struct connection *end, __u64 hash,
						       union connection_state *state)
{
	int way = find_end(end, hash, state);
	struct connection_bucket *bucket = bucket_of(hash);

	if (!bucket || way < 0)
		return NULL;
	/* VERIFIER: the compiler would add to the bucket's address before it is known to be one. */
	asm volatile("" : "+r"(way));
	return &bucket->way[(__u32)way % CONNECTION_WAYS];
}

/*
 * Records an end of replies, in the entry that it may have already, if they are its alone. That
 * one is of a connection that has lost the other end; it tells what was seen, unless that is long
 * ago or a new connection `begins`.
 */
static __always_inline bool record_replies(struct connection *end, __u64 hash, __u32 now,
					   const struct backend_record *backend, bool begins)
{
	const __u32 index = backend->handle & BACKEND_INDEX_MASK;
	union connection_state state;
	struct connection *known = entry_of_end(end, hash, &state);

	if (known && !begins &&
	    !connection_is_expired(&timeouts, backend->protocol, state.seen,
				   connection_idle(now, state.last_seen)))
		end->state.seen = state.seen;
	if (claim_replies(end, hash, now, index) ||
	    record_connection(end, hash, now, known, end->head.word))
		return false;
	if (!claim_replies(end, hash, now, index))
		return true;
	forget_connection(end, hash);
	return false;
}

/* What this end has seen, the other has; where the client's frames come from, requests tell. */
static __always_inline union connection_state
join(union connection_state other, union connection_state seen, __u32 now, bool is_request)
{
	other.seen |= seen.seen;
	if (is_request)
		other.client_hop = seen.client_hop;
	if (connection_idle(now, seen.last_seen) < connection_idle(now, other.last_seen))
		other.last_seen = seen.last_seen;
	return other;
}

/*
 * Brings the other end of a connection up to what is known of one, and makes that one of the other;
 * for a request it is restored where it was lost. 0, or -1: it was lost, and its port is somebody
 * else's by now. A global function, too.
 */
__noinline int keep_other_end(struct connection *end, __u32 now, bool is_request)
{
	const struct backend_record *backend;
	union connection_state state, fresh;
	struct connection *there;
	__u64 hash;

	if (!end)
		return -1;
	backend = backend_of(end->head.backend);
	if (!backend)
		return -1;
	hash = turn_end(end, backend->protocol);
	there = entry_of_end(end, hash, &state);
	if (!there)
		return is_request && record_replies(end, hash, now, backend, true) ? 0 : -1;
	fresh = join(state, end->state, now, is_request);
	if (fresh.word != state.word)
		refresh(there, end->head.word, state.word, fresh.word, is_request);
	return 0;
}

/* Forgets the other end, since this one begins anew. A global function, too. */
__noinline int forget_other_end(struct connection *end)
{
	const struct backend_record *backend;

	if (!end)
		return -1;
	backend = backend_of(end->head.backend);
	if (!backend)
		return -1;
	return forget_connection(end, turn_end(end, backend->protocol));
}

/*
 * Tries one alias port: records the end of replies of what is `wanted`, the end of requests. The
 * port, or 0. A lone FIN or RST makes no state, here either: it leaves with the port that it would
 * have got. A global function, too.
 */
__noinline int take_alias(struct connection *wanted, __u8 alias, __u32 now, __u8 tcp_flags)
{
	const struct backend_record *backend;
	__be16 port;
	__u64 hash;

	if (!wanted)
		return 0;
	backend = backend_of(wanted->head.backend);
	port = connection_other_port(hash_seed, alias, wanted->head.client_port);
	if (!backend || !port)
		return 0;
	wanted->state.alias = alias;
	wanted->state.seen = 0;
	hash = turn_end(wanted, backend->protocol);
	if (tcp_flags & (TCP_FIN | TCP_RST)
		    ? claim_replies(wanted, hash, now, backend->handle & BACKEND_INDEX_MASK)
		    : !record_replies(wanted, hash, now, backend, tcp_flags & TCP_SYN))
		port = 0;
	turn_end(wanted, backend->protocol);
	return port;
}

/* Others have checksums over their ports that no difference brings up to date (SCTP). */
static __always_inline bool may_have_alias(const struct packet *packet)
{
	return packet->flow.protocol == IPPROTO_TCP || packet->flow.protocol == IPPROTO_UDP;
}

/* Both ends of a connection, or none of them. */
static __always_inline enum verdict record_ends(struct packet *packet, struct connection *wanted)
{
	const __u32 first = hash_mix(packet->client_hash, wanted->head.backend) % ALIASES;

	packet->other_port = 0;
#pragma clang loop unroll(disable)
	for (__u32 try = 0; try < ALIASES && !packet->other_port; try++)
		packet->other_port = take_alias(wanted, 1 + (first + try) % ALIASES, packet->now,
						packet->tcp_flags);
	if (!packet->other_port)
		return VERDICT_DROP_COLLISION;
	if (packet->tcp_flags & (TCP_FIN | TCP_RST))
		return VERDICT_CONTINUE;
	/* In a bucket that is full, the second end may have taken the place of the first. */
	if (record_connection(wanted, packet->client_hash, packet->now, packet->known,
			      packet->known_head) ||
	    keep_other_end(wanted, packet->now, false)) {
		forget_other_end(wanted);
		return VERDICT_DROP_TABLE;
	}
	packet->is_new = true;
	return VERDICT_CONTINUE;
}

/*
 * Starts a connection with an alias to a backend that it cannot have without. Ends with
 * DROP_COLLISION where no alias port is free, and DROP_TABLE.
 */
static __always_inline enum verdict start_aliased(struct packet *packet, __u16 in,
						  struct connection *wanted, __u32 index)
{
	const struct backend_record *backend = bpf_map_lookup_elem(&backends, &index);
	enum verdict verdict;

	if (!backend || !may_have_alias(packet))
		return VERDICT_DROP_COLLISION;
	wanted->head.backend = backend->handle;
	if (!(packet->tcp_flags & (TCP_FIN | TCP_RST)))
		wanted->state.client_hop = learn_sender(packet, in);
	verdict = record_ends(packet, wanted);
	if (verdict == VERDICT_CONTINUE)
		set_backend(packet, DIRECTION_REQUEST, backend);
	return verdict;
}
