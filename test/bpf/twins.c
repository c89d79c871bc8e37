/*
 * Races for one entry, of two clients that only their addresses tell apart: the same port, the same
 * bits of hash. The table has one bucket, where the younger can get no other entry than the
 * elder's. What bpf/connection_table.h says under "Reading" is what is tried. See duel.h.
 */
#include <arpa/inet.h>
#include <string.h>
#include <linux/bpf.h>
#include "include/hash.h"
#include "test/bpf/duel.h"

static const uint32_t TWIN_CONNECTIONS = 2; /* one bucket */

struct twins {
	struct duel *duel;
	const struct kind *kind;
	struct blueprint elder,
		younger; /* requests; the MAC addresses are STRANGER's and CLIENT's */
	struct blueprint reply_to_elder, reply_to_younger;
};

static uint64_t hash_of(const struct twins *twins, const struct address *address)
{
	return hash_endpoint(twins->duel->scene->datapath->seed, address, htons(CLIENT_PORT),
			     twins->kind->protocol);
}

static bool is_twin(uint64_t a, uint64_t b)
{
	return hash_tag(a) == hash_tag(b) && a % CONNECTION_WAYS == b % CONNECTION_WAYS;
}

static void find_twin(struct twins *twins)
{
	const uint64_t hash = hash_of(twins, &twins->elder.src);
	struct address address = twins->elder.src;

	do {
		address.word[3] = (__be32)chance_word(&twins->duel->chance);
	} while (!is_twin(hash_of(twins, &address), hash));
	twins->younger.src = address;
}

static struct twins open_twins(struct scene *scene, const struct kind *kind)
{
	struct twins twins = {.duel = duel_new(scene), .kind = kind};

	scene_offer(scene, kind, &ONLY_A);
	twins.elder = twins.younger = request_of(kind);
	memcpy(twins.elder.from_mac, role_mac(STRANGER), ETH_ALEN);
	find_twin(&twins);
	twins.reply_to_elder = twins.reply_to_younger = reply_of(kind, BACKEND_A);
	twins.reply_to_elder.dst = twins.elder.src;
	twins.reply_to_younger.dst = twins.younger.src;
	return twins;
}

static struct connection *entries_of(const struct twins *twins)
{
	return twins->duel->scene->connections.memory;
}

/* The elder's entry is over, and the others are of connections that are not. */
static void crowd_bucket(const struct twins *twins)
{
	struct connection *entries = entries_of(twins), elder = {};

	duel_clear(twins->duel);
	duel_start(twins->duel, &twins->elder);
	for (uint32_t way = 0; way < CONNECTION_WAYS; way++)
		if (entries[way].head.word)
			elder = entries[way];
	elder.state.seen = TCP_SEEN_REPLY | TCP_SEEN_ESTABLISHED;
	for (uint32_t way = 0; way < CONNECTION_WAYS; way++) {
		if (entries[way].head.word) {
			entries[way].state.seen = TCP_SEEN_RST;
			continue;
		}
		entries[way] = elder;
		entries[way].client.word[2] ^= htonl(way + 1);
	}
}

/* The place is free, with the elder's address still in it. */
static void an_entry_counts_only_once_its_address_is_there(void **state)
{
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		struct twins twins = open_twins(*state, &KINDS[kind]);

		twins.duel->in[1] = POD;
		for (uint32_t i = 0; i < duel_count() / KIND_COUNT; i++) {
			duel_clear(twins.duel);
			duel_start(twins.duel, &twins.elder);
			duel_clear(twins.duel);
			duel_fight(twins.duel, &twins.younger, &twins.reply_to_elder);

			assert_true(duel_left_for(twins.duel, 0, BACKEND_A));
			if (twins.duel->action[1] != XDP_PASS)
				fail_msg("duel %u: a reply finds a free entry", i);
		}
		duel_free(twins.duel);
	}
}

/* A reply that the newcomer cannot have yet: as near as two of its first packets come. */
static void a_newcomer_never_reads_what_the_last_owner_left(void **state)
{
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		struct twins twins = open_twins(*state, &KINDS[kind]);

		twins.duel->in[1] = POD;
		for (uint32_t i = 0; i < duel_count() / KIND_COUNT; i++) {
			crowd_bucket(&twins);
			duel_fight(twins.duel, &twins.younger, &twins.reply_to_younger);
			assert_false(duel_left_for(twins.duel, 1, STRANGER));
		}
		duel_free(twins.duel);
	}
}

/*
 * The elder's late packet comes from elsewhere, so it would change the entry. How often it changed
 * the younger's.
 */
static uint32_t fight_with_late_packets(const struct twins *twins)
{
	struct blueprint late = twins->elder;
	struct connection entry;
	uint32_t taken = 0, changed = 0;

	late.tcp_flags = ACK;
	memcpy(late.from_mac, role_mac(BACKEND_B), ETH_ALEN);
	for (uint32_t i = 0; i < duel_count() / KIND_COUNT; i++) {
		crowd_bucket(twins);
		duel_fight(twins->duel, &twins->younger, &late);
		if (!scene_find(twins->duel->scene, &twins->younger, &entry))
			continue; /* the late one has taken the place anew */
		taken++;
		changed += entry.state.seen != 0;
	}
	assert_true(taken > 0);
	return changed;
}

static void an_entry_is_never_changed_for_its_last_owner(void **state)
{
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		struct twins twins = open_twins(*state, &KINDS[kind]);

		twins.younger.src_port = htons(CLIENT_PORT + 1); /* another head */
		assert_int_equal(fight_with_late_packets(&twins), 0);
		duel_free(twins.duel);
	}
}

/* Both go to one backend, so the head is the same word before and after. */
static void an_entry_is_not_changed_for_a_twin(void **state)
{
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		struct twins twins = open_twins(*state, &KINDS[kind]);

		assert_int_equal(fight_with_late_packets(&twins), 0);
		duel_free(twins.duel);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sized_scene_test(an_entry_counts_only_once_its_address_is_there, &TWIN_CONNECTIONS),
		sized_scene_test(a_newcomer_never_reads_what_the_last_owner_left,
				 &TWIN_CONNECTIONS),
		sized_scene_test(an_entry_is_never_changed_for_its_last_owner, &TWIN_CONNECTIONS),
		sized_scene_test(an_entry_is_not_changed_for_a_twin, &TWIN_CONNECTIONS),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
