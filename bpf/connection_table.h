/*
 * The connection table: buckets of a few entries, chosen by the hash of the client's end of a flow,
 * so that one entry serves both directions and a lookup costs one cache miss. An LRU hash costs
 * three, and its locks on every new flow (docs/performance.md).
 *
 * Many CPUs use it at once, without locks:
 *
 *   Reading. Head, state, the client's address, the head again and the state's owner again, in this
 *   order. Whoever fills an entry claims it (compare-and-swap of the head), writes address, state
 *   with the next owner, head, each seen after the one before. A packet that finds its address with
 *   the state of an older owner came upon a filling: if that is not over, the head is claimed when
 *   it looks again, and if it is, the owner is another. The head alone would not tell, since twins
 *   (of one port, backend, bucket and 16 bits of hash) have the same. bpf_twins stops a packet
 *   before each instruction that meets others' to show it.
 *
 *   The state is changed by compare-and-swap, and only while head and owner (a count) are the same:
 *   not where the entry has since been filled again, be it by the same client. A change that loses
 *   is tried again; after a few times it is left to the next packet.
 *
 *   Two packets that start one connection on two CPUs may fill two entries. Replies of either
 *   backend find theirs; requests take the first that the search meets, from then on the same one.
 *   The other expires.
 *
 *   Who fills an entry, and who gives way: bpf/claim.h.
 *
 * What is worse than in an LRU hash: a bucket can be full while others are empty. lbd gives the
 * table four entries for each connection of --max-connections, so at that limit one new connection
 * in about 900 finds eight others in its bucket; where all of them are established and in use, it
 * gets no entry. And one client port can have no more than eight connections, to as many services:
 * the ninth takes the place of the one that is idle longest.
 */
#pragma once

#include "bpf/knobs.h"
#include "bpf/maps.h"
#include "bpf/packet.h"
#include "include/connection.h"
#include "include/hash.h"
#include "include/masquerade.h"

#define REFRESH_TRIES 4

/* An entry as a packet found it. */
struct found {
	struct connection *connection; /* NULL: none */
	struct backend_record *backend;
	__u64 head;
	union connection_state state;
	__u32 turn;        /* of the search that came upon it */
	bool has_siblings; /* there may be other connections of the client's port */
};

/* The upper half of a head: what is of the client in it. */
static __always_inline __u32 client_half(__be16 port, __u16 tag)
{
	const union connection_head head = {.client_port = port, .tag = tag};

	return head.word >> 32;
}

/*
 * The address of what must be read after `seen` was. The compiler keeps the order; a processor that
 * does not (WEAKLY_ORDERED, from meson: arm64), where the address depends on what was read.
 */
static __always_inline const void *after(const void *address, __u64 seen)
{
	if (!WEAKLY_ORDERED) {
		asm volatile("" ::: "memory");
		return address;
	}
	asm volatile("%0 &= 0" : "+r"(seen));
	return address + seen;
}

/* Writes what must be seen to be written after all that was written before. */
static __always_inline void store_word_after(__u64 *word, __u64 value)
{
	if (WEAKLY_ORDERED) {
		__sync_lock_test_and_set(word, value);
		return;
	}
	asm volatile("" ::: "memory");
	*(volatile __u64 *)word = value;
}

static __always_inline bool is_same_address(const struct address *a, const struct address *b)
{
	return !((a->half[0] ^ b->half[0]) | (a->half[1] ^ b->half[1]));
}

static __always_inline struct backend_record *backend_of(__u32 handle)
{
	const __u32 index = handle & BACKEND_INDEX_MASK;

	return bpf_map_lookup_elem(&backends, &index);
}

static __always_inline struct connection_bucket *bucket_of(__u64 hash)
{
	const __u32 index = hash_bucket(hash, connection_buckets);

	return bpf_map_lookup_elem(&connections, &index);
}

/* Each hash has an entry where its search begins, which is mostly where it ends. */
static __always_inline struct connection *way_of(struct connection_bucket *bucket, __u64 hash,
						 __u32 turn)
{
	return &bucket->way[((__u32)hash + turn) % CONNECTION_WAYS];
}

/* The end of a packet's flow that its connection is found by. */
struct client {
	const struct address *address;
	__be16 port; /* as the backend knows it */
	__u64 hash;
	__u8 alias; /* 0: none */
};

/* Whether a packet that goes this way is of a connection to this backend. */
static __always_inline bool is_of_backend(const struct flow *flow, enum direction direction,
					  const struct backend_record *backend)
{
	if (backend->protocol != flow->protocol)
		return false;
	if (direction == DIRECTION_REQUEST)
		return backend->service_port == flow->dst_port &&
		       is_same_address(&backend->service_address, &flow->dst);
	return backend->port == flow->src_port && is_same_address(&backend->address, &flow->src);
}

/*
 * A new SYN where the old connection is over or one side has ended it: the port is used again
 * (RFC 9293, 3.6.1), and what was seen of the old connection must not age the new one.
 */
static __always_inline bool starts_afresh(__u8 tcp_flags, __u8 seen)
{
	const __u8 ended = TCP_SEEN_REQUEST_FIN | TCP_SEEN_REPLY_FIN | TCP_SEEN_RST;

	return (tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && (seen & ended);
}

/* Whether the state and the address that were read are of one owner, the head's. */
static __always_inline bool is_of_one_owner(const struct connection *connection, __u64 head,
					    const union connection_state *state)
{
	const __u64 again = load_word(after(&connection->head, connection->client.half[1]));
	union connection_state last;

	last.word = load_word(after(&connection->state, again));
	return again == head && last.owner == state->owner;
}

/*
 * The connection of a packet that goes this way, even one that has expired or whose backend has
 * gone while its index was not given to another.
 */
static __always_inline bool search_as_asked(const struct flow *flow, const struct client *client,
					    enum direction direction,
					    const struct whereabouts *asked, struct found *found)
{
	const __u32 wanted = client_half(client->port, hash_tag(client->hash) ^ client->alias);
	struct connection_bucket *bucket = bucket_of(client->hash);
	struct connection *connection;
	__u64 head;

	found->has_siblings = false;
	if (!bucket)
		return false;
#pragma clang loop unroll(disable)
	for (__u32 turn = 0; turn < CONNECTION_WAYS; turn++) {
		connection = way_of(bucket, client->hash, turn);
		head = load_word(&connection->head.word);
		if (head >> 32 != wanted)
			continue;
		found->has_siblings = true;
		found->state.word = load_word(after(&connection->state, head));
		if (!is_same_address(after(&connection->client, found->state.word),
				     client->address) ||
		    !is_of_one_owner(connection, head, &found->state))
			continue;
		if (asked->is_own_end && found->state.may_be_masqueraded)
			continue;
		found->backend = backend_of((__u32)head);
		if (!found->backend || found->backend->handle != (__u32)head ||
		    !is_of_backend(flow, direction, found->backend))
			continue;
		found->connection = connection;
		found->head = head;
		found->turn = turn;
		return true;
	}
	return false;
}

static __always_inline bool search(const struct flow *flow, const struct client *client,
				   enum direction direction, struct found *found)
{
	const struct whereabouts any = {};

	return search_as_asked(flow, client, direction, &any, found);
}

/*
 * The same in a global function, verified once and not for each kind of packet that comes to it:
 * where one is found. The client is the source of the flow, or its destination with that port.
 */
__noinline int search_apart(const struct flow *flow, __u64 hash, __u32 direction, bool is_source,
			    struct whereabouts *where)
{
	struct client client = {.hash = hash};
	struct found found;
	bool is_found;

	if (!flow || !where)
		return false; /* VERIFIER: a global function's pointers may be NULL */
	client.address = is_source ? &flow->src : &flow->dst;
	client.port = direction == DIRECTION_REQUEST ? flow->src_port : flow->dst_port;
	is_found = search_as_asked(flow, &client, direction, where, &found);
	where->has_siblings = found.has_siblings;
	if (!is_found)
		return false;
	where->head = found.head;
	where->state = found.state.word;
	where->turn = found.turn;
	return true;
}

static __always_inline bool search_there(const struct packet *packet, const struct client *client,
					 enum direction direction, struct whereabouts *where,
					 struct found *found)
{
	const bool is_source = direction == DIRECTION_REQUEST || packet->is_hairpin;
	struct connection_bucket *bucket;
	bool is_found;

	is_found = search_apart(&packet->flow, client->hash, direction, is_source, where);
	found->has_siblings = where->has_siblings;
	bucket = bucket_of(client->hash);
	if (!is_found || !bucket)
		return false;
	found->connection = way_of(bucket, client->hash, where->turn);
	found->head = where->head;
	found->state.word = where->state;
	found->backend = backend_of((__u32)where->head);
	return found->backend;
}

/* Programs of what is rare search apart, those of most packets in place. */
static __always_inline bool search_for(const struct packet *packet, const struct client *client,
				       enum direction direction, bool is_rare, struct found *found)
{
	struct whereabouts where = {};

	return is_rare ? search_there(packet, client, direction, &where, found)
		       : search(&packet->flow, client, direction, found);
}

/*
 * Brings an entry up to date while it is the one that was found. What another CPU has seen
 * meanwhile is kept, and its way back to the client unless this packet `moved`. Rare: on the first
 * packets, on FIN and RST, and once a second. A global function: verified once.
 */
__noinline int refresh(struct connection *connection, __u64 head, __u64 found, __u64 fresh,
		       bool moved)
{
	union connection_state old = {.word = found}, wanted = {.word = fresh}, there;

	if (!connection)
		return -1; /* VERIFIER: a global function's pointers may be NULL */
	for (int try = 0; try < REFRESH_TRIES; try++) {
		if (load_word(&connection->head.word) != head)
			return -1;
		there.word =
			__sync_val_compare_and_swap(&connection->state.word, old.word, wanted.word);
		if (there.word == old.word)
			return 0;
		if (there.owner != old.owner)
			return -1; /* the same head again, of another connection */
		old = there;
		wanted.seen |= old.seen;
		if (!moved)
			wanted.client_hop = old.client_hop;
	}
	return -1;
}

/* What nat is to write follows from the backend's record. */
static __always_inline void set_backend(struct packet *packet, enum direction direction,
					const struct backend_record *backend)
{
	packet->direction = direction;
	packet->service = backend->service;
	packet->backend = backend;
	if (direction == DIRECTION_REPLY)
		return;
	packet->is_hairpin = is_same_address(&packet->flow.src, &backend->address);
	packet->hop = load_nexthop(bpf_map_lookup_elem(&nexthops, &backend->nexthop));
}
