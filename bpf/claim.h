/*
 * Who gets an entry. A backend's replies are known by it and by the port that it knows the client
 * by, be it the client's own or an alias (bpf/alias.h), so each such port may reach a backend by
 * one connection only: a packet that would start one claims its replies.
 *
 *   It looks for other connections with these replies, writes its entry, and looks again. Two that
 *   do so on two CPUs may look at the same time; then each sees the other the second time (perhaps
 *   both do), and who sees another takes its entry back. Until then its head is unsettled: others
 *   that look see it, packets do not find it. So none leaves by an entry that is taken back.
 *
 *   A connection that is over gives its replies up, but may begin anew at the same time, with the
 *   same head. Who takes its entry away makes the head unsettled first: only as long as it is not
 *   may anybody fill the entry. If the state is still the one that was over, it is forgotten, else
 *   let be.
 *
 *   Whose head is unsettled is its owner's alone, for some instructions: nobody else changes it.
 *   bpf_alias_meet stops packets before each of their instructions to show all this.
 *
 *   Who gives way: a free entry, then of those that are not established (half-open, closed; UDP:
 *   unanswered) the longest idle, then of the established ones the longest idle, if that is as long
 *   as an opening one may be. Otherwise the newcomer gets no entry, as in netfilter, whose early
 *   drop spares what is assured (nf_conntrack_core.c). Expired entries are for lbd to remove. A
 *   packet that revives its connection in the very moment that another takes the entry loses it,
 *   and is balanced again.
 */
#pragma once

#include "bpf/connection_table.h"
#include "bpf/instruction.h"
#include "bpf/knobs.h"
#include "bpf/maps.h"
#include "include/connection.h"

#define CLAIM_TRIES 4

#define GIVES_NEVER 0
#define GIVES_RELUCTANTLY 1
#define GIVES_UNESTABLISHED (1u << 31) /* and a step, and steps idle */
#define GIVES_FREE 0xffffffffu
#define IDLE_STEP 4 /* jiffies: as many as there are fit below GIVES_UNESTABLISHED */

/*
 * Whether a backend knows both by the same port of the same client, be it an alias or not, as far
 * as can be told without the backend.
 */
static __always_inline bool is_same_client(const struct connection *other, __u64 head,
					   const struct connection *wanted)
{
	const union connection_head same = {.client_port = 0xffff, .tag = (__u16)~ALIASES};

	return !((head ^ wanted->head.word) >> 32 & same.word >> 32) &&
	       is_same_address(after(&other->client, head), &wanted->client);
}

/* Of those: whether a packet of the one would find the other as well. */
static __always_inline bool is_same_connection(__u64 head, const struct backend_record *theirs,
					       const struct connection *wanted,
					       const struct backend_record *backend)
{
	return head >> 32 == wanted->head.word >> 32 &&
	       theirs->service_port == backend->service_port &&
	       is_same_address(&theirs->service_address, &backend->service_address);
}

static __always_inline bool is_alive(union connection_state state, __u32 handle, __u32 now,
				     const struct backend_record *backend)
{
	return connection_is_served(backend, handle) && !connection_is_closed(state.seen) &&
	       !connection_is_expired(&timeouts, backend->protocol, state.seen,
				      connection_idle(now, state.last_seen));
}

/* Nobody else fills an entry, or changes its head, from here to store_head. */
static __always_inline bool take_entry(struct connection *connection, __u64 head)
{
	return __sync_val_compare_and_swap(&connection->head.word, head, CONNECTION_CLAIMED) ==
	       head;
}

static __always_inline void store_head(struct connection *connection, __u64 head)
{
	*(volatile __u64 *)&connection->head.word = head;
}

/*
 * Forgets what was over with this head and state, settled both. False: it has begun anew. The value
 * of the comparison is a full barrier, on arm64 as well.
 */
static __always_inline bool forget_over(struct connection *connection, __u64 head, __u64 state)
{
	bool is_over;

	if (__sync_val_compare_and_swap(&connection->head.word, head, head | HEAD_UNSETTLED) !=
	    head)
		return true; /* others have taken it */
	is_over = load_word(&connection->state.word) == state;
	store_head(connection, is_over ? 0 : head);
	return is_over;
}

/*
 * Whether an entry has the replies of this backend to the port of `wanted`, and its connection is
 * alive. If it is over, it is forgotten.
 */
static __always_inline bool is_in_the_way(struct connection *other, const struct connection *wanted,
					  const struct backend_record *backend, __u32 now)
{
	const __u64 head = load_word(&other->head.word);
	const struct backend_record *theirs;
	union connection_state state;

	if (!is_same_client(other, head, wanted))
		return false;
	theirs = backend_of((__u32)head);
	if (!theirs || is_same_connection(head, theirs, wanted, backend) ||
	    theirs->port != backend->port || theirs->protocol != backend->protocol ||
	    !is_same_address(&theirs->address, &backend->address))
		return false;
	state.word = load_word(after(&other->state, head));
	/* A masqueraded one's come to a port that no client has. */
	if (state.may_be_masqueraded || wanted->state.may_be_masqueraded)
		return false;
	if (is_alive(state, (__u32)(head & ~HEAD_UNSETTLED), now, theirs))
		return true;
	return !(head & HEAD_UNSETTLED) && !forget_over(other, head, state.word);
}

/*
 * Whether replies of this backend to the port of `wanted` are of no other connection: 0, else -1. A
 * global function: verified once, not at each of the picks.
 */
__noinline int claim_replies(const struct connection *wanted, __u64 hash, __u32 now, __u32 index)
{
	const struct backend_record *backend = bpf_map_lookup_elem(&backends, &index);
	struct connection_bucket *bucket = bucket_of(hash);

	if (!bucket || !backend || !wanted)
		return -1;
#pragma clang loop unroll(full)
	for (__u32 way = 0; way < CONNECTION_WAYS; way++)
		if (is_in_the_way(&bucket->way[way], wanted, backend, now))
			return -1;
	return 0;
}

/* The same for every newcomer, and therefore faster. */
static __always_inline bool is_alone(struct connection_bucket *bucket,
				     const struct connection *wanted,
				     const struct backend_record *backend, __u32 now)
{
#pragma clang loop unroll(full)
	for (__u32 way = 0; way < CONNECTION_WAYS; way++)
		if (is_in_the_way(&bucket->way[way], wanted, backend, now))
			return false;
	return true;
}

/* How willingly an entry that is not free gives way to a newcomer: at least GIVES_NEVER. */
static __always_inline __u32 gives_way(const struct connection *connection, __u32 now)
{
	union connection_state state;
	__u32 idle;

	state.word = load_word(&connection->state.word);
	idle = connection_idle(now, state.last_seen);
	if (!(state.seen & TCP_SEEN_ESTABLISHED) || connection_is_closed(state.seen))
		return GIVES_UNESTABLISHED + 1 + idle / IDLE_STEP;
	return idle < timeouts.tcp_opening ? GIVES_NEVER : GIVES_RELUCTANTLY + 1 + idle / IDLE_STEP;
}

/*
 * How willingly another connection of the newcomer's own client gives way: who talks to two
 * services must not lose one to the other while there is another way, but has no more than a
 * bucket's.
 */
static __always_inline __u32 gives_way_to_own(__u32 willing)
{
	if (willing > GIVES_UNESTABLISHED)
		return GIVES_UNESTABLISHED;
	return willing == GIVES_NEVER ? GIVES_RELUCTANTLY : willing;
}

/*
 * How willingly an entry gives way. VERIFIER: an unknown number, though it is one of few. Were it
 * known how willing each entry is, all that eight of them may be together would be verified. Not
 * by a function of its own: eight guarded returns (SRSO) are a tenth of a new flow.
 */
static __always_inline __u32 willingness(const struct connection *connection, __u32 now,
					 bool is_own)
{
	const __u32 willing = gives_way(connection, now);

	return (__u32)make_unknown(is_own ? gives_way_to_own(willing) : willing, now);
}

/* The entry that gives way most willingly, with its head; NULL where none does. */
static __always_inline struct connection *choose_way(struct connection_bucket *bucket,
						     const struct connection *wanted, __u64 hash,
						     __u32 now, __u64 *head)
{
	struct connection *chosen = NULL;
	__u32 best = GIVES_NEVER;

	for (__u32 turn = 0; turn < CONNECTION_WAYS && best != GIVES_FREE; turn++) {
		struct connection *connection = way_of(bucket, hash, turn);
		const __u64 seen = load_word(&connection->head.word);
		__u32 willing;

		if (seen & HEAD_UNSETTLED)
			continue;
		willing = seen ? willingness(connection, now, seen >> 32 == wanted->head.word >> 32)
			       : GIVES_FREE;
		if (willing <= best)
			continue;
		best = willing;
		chosen = connection;
		*head = seen;
	}
	return chosen;
}

static __always_inline void count_eviction(void)
{
	const __u32 first = 0;
	__u64 *count = bpf_map_lookup_elem(&evictions, &first);

	if (count)
		++*count;
}

/* Takes an entry where a client's hash leads. NULL: none gives way. */
static __always_inline struct connection *
take_way(struct connection_bucket *bucket, const struct connection *wanted, __u64 hash, __u32 now)
{
	struct connection *way;
	__u64 head;

	for (int try = 0; try < CLAIM_TRIES; try++) {
		way = choose_way(bucket, wanted, hash, now, &head);
		if (!way)
			return NULL;
		if (!take_entry(way, head))
			continue;
		if (head)
			count_eviction();
		return way;
	}
	return NULL;
}

/*
 * Makes the entry of a connection, in `known`, the one that its flow already has with the head
 * `known_head`, or like a newcomer's. 0; -1 where no entry gives way; 1 where another connection
 * has its replies. A global function: verified once, with a stack of its own.
 */
__noinline int record_connection(const struct connection *wanted, __u64 hash, __u32 now,
				 struct connection *known, __u64 known_head)
{
	struct connection_bucket *bucket = bucket_of(hash);
	const struct backend_record *backend;
	union connection_state state, old;
	struct connection *way = known;
	bool alone;

	if (!bucket || !wanted)
		return -1;
	if (!way || !take_entry(way, known_head))
		way = take_way(bucket, wanted, hash, now);
	if (!way)
		return -1;
	old.word = load_word(&way->state.word);
	state = wanted->state;
	state.owner = old.owner + 1;
	way->client = wanted->client;
	store_word_after(&way->state.word, state.word);
	__sync_lock_test_and_set(&way->head.word, wanted->head.word | HEAD_UNSETTLED);
	backend = backend_of(wanted->head.backend);
	alone = backend && is_alone(bucket, wanted, backend, now);
	store_head(way, alone ? wanted->head.word : 0);
	return !alone;
}
