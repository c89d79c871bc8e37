/*
 * The table as a whole: see hammer_table.h.
 */
#include "test/bpf/hammer_table.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <string.h>
#include "include/connection.h"
#include "include/hash.h"

/* An entry that is checked, with what it names. */
struct checked {
	const struct connection *entry;
	const struct caller *caller;
	struct backend_record backend;
	bool is_live;
};

static const struct connection *entry_at(const struct scene *scene, uint32_t bucket, uint32_t way)
{
	const struct connection_bucket *buckets = scene->connections.memory;

	return &buckets[bucket].way[way];
}

static uint32_t read_clock(const struct scene *scene)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);

	bpf_prog_test_run_opts(bpf_program__fd(scene->datapath->skeleton->progs.clock), &options);
	return options.retval;
}

/* Ways back were learnt of this very caller; in lbd's time, one may be none any more. */
static bool has_own_hop(const struct scene *scene, const struct checked *checked, bool lbd)
{
	const struct caller *caller = checked->caller;
	const __u32 index = checked->entry->state.client_hop;
	const unsigned int used = atomic_load(&caller->macs_used);
	struct way_back way;

	bpf_map_lookup_elem(bpf_map__fd(scene->datapath->skeleton->maps.client_hops), &index, &way);
	way.hop.port &= (__u16) ~(CLIENT_HOP_LEAVING | CLIENT_HOP_TAGGED);
	if (!way.hop.port)
		return lbd;
	if (way.hop.port != caller_interface(caller))
		return false;
	for (uint32_t mac = 0; mac < MACS; mac++)
		if (used & 1u << mac && !memcmp(way.hop.mac, caller->mac[mac], ETH_ALEN) &&
		    way.tags.word == caller->tags[mac].word)
			return true;
	return false;
}

static void check_entry(const struct scene *scene, const struct callers *callers, uint32_t bucket,
			struct checked *checked, bool lbd)
{
	const struct connection *entry = checked->entry;
	const uint32_t index = entry->head.backend & BACKEND_INDEX_MASK;
	const union connection_state state = entry->state;
	const uint32_t idle = connection_idle(read_clock(scene), state.last_seen);
	uint32_t service;
	uint64_t hash;

	if (entry->head.word & HEAD_UNSETTLED)
		fail_msg("an entry of bucket %u is left unsettled", bucket);
	checked->caller = callers_find(callers, entry);
	if (!checked->caller)
		fail_msg("an entry of bucket %u is nobody's", bucket);
	hash = hash_endpoint(callers->seed, &entry->client, entry->head.client_port,
			     checked->caller->kind->protocol);
	if ((hash_tag(hash) ^ entry->head.tag) > ALIASES ||
	    hash_bucket(hash, callers->buckets) != bucket)
		fail_msg("an entry of bucket %u is not where its client's hash leads", bucket);
	assert_in_range(index, 1, datapath_capacity_backends(scene->datapath) - 1);
	datapath_get_backend(scene->datapath, index, &checked->backend);
	if (!lbd && checked->backend.handle != entry->head.backend)
		fail_msg("an entry names a backend that there never was");
	checked->is_live = connection_is_served(&checked->backend, entry->head.backend) &&
			   !connection_is_closed(state.seen) &&
			   !connection_is_expired(&scene->datapath->timeouts,
						  checked->backend.protocol, state.seen, idle);
	service = (uint32_t)ntohs(checked->backend.service_port) - SERVICE_PORT;
	if (checked->is_live && !(atomic_load(&checked->caller->called) & 1u << service))
		fail_msg("an entry is of a caller that never called service %u", service);
}

/* Whether their backend takes both for the same client's port. */
static bool have_same_replies(const struct checked *a, const struct checked *b)
{
	return a->entry->head.client_port == b->entry->head.client_port &&
	       !memcmp(&a->entry->client, &b->entry->client, sizeof(a->entry->client)) &&
	       a->backend.protocol == b->backend.protocol && a->backend.port == b->backend.port &&
	       !memcmp(&a->backend.address, &b->backend.address, sizeof(a->backend.address));
}

/*
 * Two live entries: only a caller that several threads send for may have such a pair, and of two
 * services not even that one.
 */
static void check_pair(const struct checked *a, const struct checked *b,
		       struct leftovers *leftovers)
{
	const bool same = a->caller == b->caller && a->backend.service == b->backend.service;
	const bool shared = a->caller->calling == CALLS_SHARED;

	if (!a->is_live || !b->is_live)
		return;
	if (have_same_replies(a, b) && (!same || a->entry->head.tag != b->entry->head.tag)) {
		if (!shared)
			fail_msg("a backend's replies are of two connections");
		leftovers->ambiguous++;
	} else if (same && a->entry->head.word >> 32 == b->entry->head.word >> 32) {
		if (!shared)
			fail_msg("a caller has two entries for one service");
		leftovers->twice++;
	}
}

void hammer_check_table(const struct scene *scene, const struct callers *callers, bool lbd,
			struct leftovers *leftovers)
{
	struct checked checked[CONNECTION_WAYS];

	for (uint32_t bucket = 0; bucket < callers->buckets; bucket++) {
		uint32_t count = 0;

		for (uint32_t way = 0; way < CONNECTION_WAYS; way++) {
			checked[count].entry = entry_at(scene, bucket, way);
			if (!checked[count].entry->head.word)
				continue;
			check_entry(scene, callers, bucket, &checked[count], lbd);
			if (checked[count].is_live && !has_own_hop(scene, &checked[count], lbd))
				fail_msg("an entry's way back is another client's");
			for (uint32_t i = 0; i < count; i++)
				check_pair(&checked[i], &checked[count], leftovers);
			count++;
		}
	}
}
