/*
 * Connections of a table of another size or layout, brought into ours while packets bring theirs
 * (bpf/bridge.h). As they do it (bpf/claim.h), an entry is claimed, filled, and then told.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include "include/connection.h"
#include "include/hash.h"
#include "lb/address.h"
#include "lb/datapath_internal.h"

static bool is_established(union connection_state state)
{
	return (state.seen & TCP_SEEN_ESTABLISHED) && !connection_is_closed(state.seen);
}

/* Of the old table, which may be laid out otherwise. */
struct old_entry {
	const uint64_t *head;
	const uint64_t *state;
	const struct address *client;
};

static struct old_entry old_entry(const struct old_table *old, size_t bucket, uint32_t turn)
{
	const struct table_layout *layout = &old->layout;
	const char *start =
		(const char *)old->view.memory + bucket * old->bucket_size + turn * layout->size;

	return (struct old_entry){
		.head = (const void *)(start + layout->head),
		.state = (const void *)(start + layout->state),
		.client = (const void *)(start + layout->client),
	};
}

/* Whether what was read was all there at once: heads of twins are the same, owners count. */
static bool is_of_one_owner(const struct old_entry *from, const struct connection *entry)
{
	const uint64_t head = __atomic_load_n(from->head, __ATOMIC_ACQUIRE);
	const union connection_state last = {
		.word = __atomic_load_n(from->state, __ATOMIC_RELAXED)};

	return head == entry->head.word && last.owner == entry->state.owner;
}

/* False: it is nobody's, or just now being made or forgotten. */
static bool read_comer(const struct datapath *datapath, const struct old_entry *from,
		       struct comer *comer)
{
	struct connection *entry = &comer->entry;

	entry->head.word = __atomic_load_n(from->head, __ATOMIC_ACQUIRE);
	if (!entry->head.word || entry->head.word & HEAD_UNSETTLED)
		return false;
	entry->state.word = __atomic_load_n(from->state, __ATOMIC_ACQUIRE);
	entry->client = *from->client;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (!is_of_one_owner(from, entry))
		return false;
	if ((entry->head.backend & BACKEND_INDEX_MASK) >= datapath_capacity_backends(datapath))
		return false;
	datapath_get_backend(datapath, entry->head.backend & BACKEND_INDEX_MASK, &comer->backend);
	if (comer->backend.handle != entry->head.backend)
		return false;
	comer->hash = hash_endpoint(datapath->seed, &entry->client, entry->head.client_port,
				    comer->backend.protocol);
	return true;
}

/* As in bpf/claim.h: a masqueraded connection's replies come to another port, its own. */
static bool has_own_replies(const struct connection *way, const struct comer *comer)
{
	const union connection_state state = {
		.word = __atomic_load_n(&way->state.word, __ATOMIC_RELAXED)};

	return state.may_be_masqueraded || comer->entry.state.may_be_masqueraded;
}

static bool has_same_replies(const struct backend_record *a, const struct backend_record *b)
{
	return a->port == b->port && a->protocol == b->protocol &&
	       address_equal(&a->address, &b->address);
}

static bool is_of_same_service(const struct backend_record *a, const struct backend_record *b)
{
	return a->service_port == b->service_port && a->protocol == b->protocol &&
	       address_equal(&a->service_address, &b->service_address);
}

/* Whether an entry is of the same flow, or its replies are those of this one. */
static bool is_in_the_way(const struct datapath *datapath, const struct connection *way,
			  const struct comer *comer)
{
	const union connection_head head = {
		.word = __atomic_load_n(&way->head.word, __ATOMIC_ACQUIRE) & ~HEAD_UNSETTLED};
	const uint32_t index = head.backend & BACKEND_INDEX_MASK;
	struct backend_record theirs;

	if (head.client_port != comer->entry.head.client_port || !head.word ||
	    index >= datapath_capacity_backends(datapath) ||
	    !address_equal(&way->client, &comer->entry.client))
		return false;
	datapath_get_backend(datapath, index, &theirs);
	return (has_same_replies(&theirs, &comer->backend) && !has_own_replies(way, comer)) ||
	       (head.tag == comer->entry.head.tag && is_of_same_service(&theirs, &comer->backend));
}

/*
 * An entry is in the way. Where no packet has come for it since it was brought, while in the old
 * table one has come for this one, that is the state of its connection now, or of the next one from
 * the same port. False: it has gone, and there is room for this one.
 */
static bool stays(struct connection *way, const struct comer *comer)
{
	__u64 head = __atomic_load_n(&way->head.word, __ATOMIC_ACQUIRE);
	union connection_state state = {
		.word = __atomic_load_n(&way->state.word, __ATOMIC_ACQUIRE)};
	union connection_state newer = comer->entry.state;

	if ((int32_t)(newer.last_seen - state.last_seen) <= 0 || head & HEAD_UNSETTLED)
		return true;
	newer.owner = state.owner;
	newer.may_be_masqueraded |= state.may_be_masqueraded;
	if (!newer.client_hop)
		newer.client_hop = state.client_hop;
	if (head == comer->entry.head.word) {
		__atomic_compare_exchange_n(&way->state.word, &state.word, newer.word, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
		return true;
	}
	return !__atomic_compare_exchange_n(&way->head.word, &head, 0, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_RELAXED);
}

/* Claims a free entry and fills it, which is then not settled yet. */
static bool fill(struct connection *way, const struct connection *entry)
{
	union connection_state state = entry->state;
	union connection_state old;
	__u64 head = 0;

	if (!__atomic_compare_exchange_n(&way->head.word, &head, CONNECTION_CLAIMED, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		return false;
	old.word = __atomic_load_n(&way->state.word, __ATOMIC_RELAXED);
	state.owner = old.owner + 1u;
	way->client = entry->client;
	__atomic_store_n(&way->state.word, state.word, __ATOMIC_RELEASE);
	__atomic_store_n(&way->head.word, entry->head.word | HEAD_UNSETTLED, __ATOMIC_SEQ_CST);
	return true;
}

/* What is there that stays; 0: nothing. For an entry that is not settled yet, any that is there. */
static int meet(const struct datapath *datapath, struct connection_bucket *bucket,
		const struct comer *comer, const struct connection *own)
{
	for (uint32_t i = 0; i < CONNECTION_WAYS; i++) {
		struct connection *way = &bucket->way[i];
		uint64_t head;

		if (way == own || !is_in_the_way(datapath, way, comer) ||
		    (!own && !stays(way, comer)))
			continue;
		head = __atomic_load_n(&way->head.word, __ATOMIC_ACQUIRE) & ~HEAD_UNSETTLED;
		return head == comer->entry.head.word ? TAKEN_IS_THERE : TAKEN_IS_IN_THE_WAY;
	}
	return 0;
}

/* Who begins another meanwhile sees this one, or is seen. */
int connections_put(const struct datapath *datapath, struct connection_bucket *buckets,
		    const struct comer *comer)
{
	const uint32_t count = bpf_map__max_entries(datapath->skeleton->maps.connections);
	struct connection_bucket *bucket = &buckets[hash_bucket(comer->hash, count)];
	int met = meet(datapath, bucket, comer, NULL);

	if (met)
		return met;
	for (uint32_t turn = 0; turn < CONNECTION_WAYS; turn++) {
		struct connection *way =
			&bucket->way[((uint32_t)comer->hash + turn) % CONNECTION_WAYS];

		if (!fill(way, &comer->entry))
			continue;
		met = meet(datapath, bucket, comer, way);
		__atomic_store_n(&way->head.word, met ? 0 : comer->entry.head.word,
				 __ATOMIC_RELEASE);
		return met;
	}
	return -ENOSPC;
}

/* True: it is not to have a place now, or it has one. */
static bool bring(const struct datapath *datapath, const struct old_entry *from, bool established,
		  struct connection_bucket *room)
{
	struct comer comer;

	if (!*from->head || !read_comer(datapath, from, &comer) ||
	    is_established(comer.entry.state) != established)
		return true;
	return connections_put(datapath, room, &comer) >= 0;
}

/* Established ones, which have more to lose, take their places before the others do. */
static uint32_t bring_all(const struct datapath *datapath, const struct old_table *old,
			  struct connection_bucket *room)
{
	uint32_t missed = 0;

	for (int established = 1; established >= 0; established--) {
		for (size_t bucket = 0; bucket < old->buckets; bucket++) {
			for (uint32_t turn = 0; turn < old->layout.ways; turn++) {
				const struct old_entry from = old_entry(old, bucket, turn);

				missed += !bring(datapath, &from, established, room);
			}
		}
	}
	return missed;
}

int moves_catch_up(struct datapath *datapath, uint32_t *missed)
{
	struct old_table old = {};
	struct mapping to = {};
	int error = moves_view_connections(datapath, &old);

	*missed = 0;
	if (error == -ENOENT)
		return 0;
	if (!error)
		error = mapping_open(&to, datapath->skeleton->maps.connections);
	if (!error)
		*missed = bring_all(datapath, &old, to.memory);
	mapping_close(&old.view);
	mapping_close(&to);
	return error;
}
