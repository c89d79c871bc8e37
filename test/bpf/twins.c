/*
 * Two clients and one entry: the younger can get no other than the elder's. At whatever instruction
 * the one is stopped while the other goes its way, neither gets what is the other's. They are
 * twins, of the same port and the same bits of hash, which gives them the same head, or have ports
 * of their own. What bpf/connection_table.h says under "Reading" is what is tried.
 */
#include <arpa/inet.h>
#include <string.h>
#include <linux/bpf.h>
#include "include/hash.h"
#include "test/bpf/chance.h"
#include "test/bpf/interleave.h"

static const uint32_t TWIN_CONNECTIONS = 2; /* one bucket */

struct twins {
	struct interleaving *interleaving;
	const struct kind *kind;
	struct blueprint elder,
		younger;       /* requests; the MAC addresses are STRANGER's and CLIENT's */
	struct blueprint late; /* the elder's, from BACKEND_B's MAC address */
	struct blueprint reply_to_elder, reply_to_younger;
};

/* What must hold after the two have gone, whichever was stopped. */
typedef void (*expectation)(const struct twins *twins, enum side elder, enum side younger);
typedef void (*preparation)(const struct twins *twins);

static uint64_t hash_of(const struct twins *twins, const struct address *address)
{
	return hash_endpoint(twins->interleaving->scene->datapath->seed, address,
			     htons(CLIENT_PORT), twins->kind->protocol);
}

static bool is_twin(uint64_t a, uint64_t b)
{
	return hash_tag(a) == hash_tag(b) && a % CONNECTION_WAYS == b % CONNECTION_WAYS;
}

static void find_twin(struct twins *twins)
{
	const uint64_t hash = hash_of(twins, &twins->elder.src);
	struct address address = twins->elder.src;
	struct chance chance = chance_of(3);

	do {
		address.word[3] = (__be32)chance_word(&chance);
	} while (!is_twin(hash_of(twins, &address), hash));
	twins->younger.src = address;
}

static struct twins open_twins(struct scene *scene, const struct kind *kind)
{
	struct twins twins = {.interleaving = interleaving_new(scene), .kind = kind};

	scene_offer(scene, kind, &ONLY_A);
	twins.elder = twins.younger = request_of(kind);
	memcpy(twins.elder.from_mac, role_mac(STRANGER), ETH_ALEN);
	find_twin(&twins);
	twins.late = twins.elder;
	twins.late.tcp_flags = ACK;
	memcpy(twins.late.from_mac, role_mac(BACKEND_B), ETH_ALEN);
	twins.reply_to_elder = twins.reply_to_younger = reply_of(kind, BACKEND_A);
	twins.reply_to_elder.dst = twins.elder.src;
	twins.reply_to_younger.dst = twins.younger.src;
	return twins;
}

static struct connection *entries_of(const struct twins *twins)
{
	return twins->interleaving->scene->connections.memory;
}

/* The place is free, with the elder's address still in it. */
static void leave_address(const struct twins *twins)
{
	interleaving_clear(twins->interleaving);
	interleaving_send(twins->interleaving, UPLINK, &twins->elder);
	interleaving_clear(twins->interleaving);
}

/* The elder's entry is over, and the others are of connections that are not. */
static void crowd_bucket(const struct twins *twins)
{
	struct connection *entries = entries_of(twins), elder = {};

	interleaving_clear(twins->interleaving);
	interleaving_send(twins->interleaving, UPLINK, &twins->elder);
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

static enum interface way_in(const struct twins *twins, const struct blueprint *packet)
{
	return packet->dst_port == twins->elder.dst_port ? UPLINK : POD;
}

static void meet(const struct twins *twins, preparation prepare,
		 const struct blueprint *packets[_SIDE_COUNT], expectation check, bool elder_stops)
{
	struct interleaving *interleaving = twins->interleaving;
	bool has_stopped = true;

	for (uint64_t stop = 0; has_stopped; stop++) {
		prepare(twins);
		for (int side = 0; side < _SIDE_COUNT; side++)
			interleaving->in[side] = way_in(twins, packets[side]);
		has_stopped = interleave(interleaving, packets[STOPPED], packets[MEANWHILE], stop);
		if (has_stopped)
			check(twins, elder_stops ? STOPPED : MEANWHILE,
			      elder_stops ? MEANWHILE : STOPPED);
	}
}

/* Stops the one, then the other, before each of its instructions. */
static void meet_everywhere(const struct twins *twins, preparation prepare,
			    const struct blueprint *elder, const struct blueprint *younger,
			    expectation check)
{
	const struct blueprint *first[] = {elder, younger}, *then[] = {younger, elder};

	meet(twins, prepare, first, check, true);
	meet(twins, prepare, then, check, false);
}

static void expect_no_reply(const struct twins *twins, enum side elder, enum side younger)
{
	assert_true(interleaving_left_for(twins->interleaving, younger, BACKEND_A));
	assert_int_equal(twins->interleaving->action[elder], XDP_PASS);
}

static void an_entry_counts_only_once_its_address_is_there(void **state)
{
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		struct twins twins = open_twins(*state, &KINDS[kind]);

		meet_everywhere(&twins, leave_address, &twins.reply_to_elder, &twins.younger,
				expect_no_reply);
		interleaving_free(twins.interleaving);
	}
}

/* The reply is to the younger, who cannot have been answered yet. */
static void expect_not_elders_way(const struct twins *twins, enum side reply, enum side younger)
{
	(void)younger;
	assert_false(interleaving_left_for(twins->interleaving, reply, STRANGER));
}

static void a_newcomer_never_reads_what_the_last_owner_left(void **state)
{
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		struct twins twins = open_twins(*state, &KINDS[kind]);

		meet_everywhere(&twins, crowd_bucket, &twins.reply_to_younger, &twins.younger,
				expect_not_elders_way);
		interleaving_free(twins.interleaving);
	}
}

static void expect_not_youngers_way(const struct twins *twins, enum side elder, enum side younger)
{
	(void)younger;
	assert_false(interleaving_left_for(twins->interleaving, elder, CLIENT));
}

static void a_reply_never_goes_the_way_of_an_entrys_next_owner(void **state)
{
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		struct twins twins = open_twins(*state, &KINDS[kind]);

		meet_everywhere(&twins, crowd_bucket, &twins.reply_to_elder, &twins.younger,
				expect_not_youngers_way);
		twins.younger.src_port = htons(CLIENT_PORT + 1);
		meet_everywhere(&twins, crowd_bucket, &twins.reply_to_elder, &twins.younger,
				expect_not_youngers_way);
		interleaving_free(twins.interleaving);
	}
}

/* The late packet comes from elsewhere, so it would change the entry if it were still its own. */
static void expect_unchanged(const struct twins *twins, enum side elder, enum side younger)
{
	struct connection entry;

	(void)elder;
	(void)younger;
	if (scene_find(twins->interleaving->scene, &twins->younger, &entry))
		assert_int_equal(entry.state.seen, 0);
	/* Else the late one came last, and has taken the place anew. */
}

static void an_entry_is_never_changed_for_its_last_owner(void **state)
{
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		struct twins twins = open_twins(*state, &KINDS[kind]);

		twins.younger.src_port = htons(CLIENT_PORT + 1); /* another head */
		meet_everywhere(&twins, crowd_bucket, &twins.late, &twins.younger,
				expect_unchanged);
		interleaving_free(twins.interleaving);
	}
}

/* Both go to one backend, so the head is the same word before and after. */
static void an_entry_is_not_changed_for_a_twin(void **state)
{
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		struct twins twins = open_twins(*state, &KINDS[kind]);

		meet_everywhere(&twins, crowd_bucket, &twins.late, &twins.younger,
				expect_unchanged);
		interleaving_free(twins.interleaving);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sized_scene_test(an_entry_counts_only_once_its_address_is_there, &TWIN_CONNECTIONS),
		sized_scene_test(a_newcomer_never_reads_what_the_last_owner_left,
				 &TWIN_CONNECTIONS),
		sized_scene_test(a_reply_never_goes_the_way_of_an_entrys_next_owner,
				 &TWIN_CONNECTIONS),
		sized_scene_test(an_entry_is_never_changed_for_its_last_owner, &TWIN_CONNECTIONS),
		sized_scene_test(an_entry_is_not_changed_for_a_twin, &TWIN_CONNECTIONS),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
