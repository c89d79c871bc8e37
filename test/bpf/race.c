/*
 * Races of two packets of one client, and what the table holds afterwards. See duel.h.
 */
#include <arpa/inet.h>
#include <string.h>
#include "test/bpf/duel.h"

#define OTHER_PORT 81
#define FIRST_PORT 82

static bool backend_tells_apart(const struct duel *duel)
{
	return duel_left_for(duel, 0, BACKEND_A) != duel_left_for(duel, 1, BACKEND_A) ||
	       duel_source_port(duel, 0) != duel_source_port(duel, 1);
}

/* Of one client's port, to two services. */
static uint32_t fight_for_backend(struct duel *duel, uint32_t i)
{
	struct blueprint request = request_of(&KINDS[i % KIND_COUNT]), other;
	uint32_t sent;

	request.src_port = htons((uint16_t)(1024 + i % 60000));
	other = request;
	other.dst_port = htons(OTHER_PORT);
	duel_fight(duel, &request, &other);
	sent = duel_sent(duel, 0) + duel_sent(duel, 1);
	assert_true(sent < 2 || backend_tells_apart(duel));
	return sent;
}

/*
 * Both look before either entry is there, so both may choose one backend: then one of the two, or
 * both, must take it back. Its replies would all be taken for those of one service.
 */
static void two_services_at_once_never_share_a_backend(void **state)
{
	struct duel *duel = duel_new(*state);
	struct offer other_both = BOTH;
	uint32_t sent;

	other_both.port = OTHER_PORT;
	scene_offer_all(duel->scene, &BOTH);
	scene_offer_all(duel->scene, &other_both);
	for (uint32_t i = 0; i < duel_count(); i++) {
		sent = fight_for_backend(duel, i);
		assert_int_equal(scene_count_connections(duel->scene), sent);
		duel_clear(duel);
	}
	duel_free(duel);
}

/*
 * Neither has another backend, and a third has it already: both look for an alias port at once, and
 * may come upon the same one.
 */
static void two_aliases_at_once_never_share_a_port(void **state)
{
	struct duel *duel = duel_new(*state);
	struct offer first = ONLY_A, second = ONLY_A;
	uint32_t lost = 0, sent;

	first.port = FIRST_PORT;
	second.port = OTHER_PORT;
	scene_offer_all(duel->scene, &first);
	scene_offer_all(duel->scene, &ONLY_A);
	scene_offer_all(duel->scene, &second);
	for (uint32_t i = 0; i < duel_count(); i++) {
		struct blueprint request = request_of(&KINDS[i % KIND_COUNT]);

		request.src_port = htons((uint16_t)(1024 + i % 60000));
		request.dst_port = htons(FIRST_PORT);
		duel_start(duel, &request);
		sent = fight_for_backend(duel, i);
		lost += sent < 2;
		assert_int_equal(scene_count_connections(duel->scene), 1 + sent);
		duel_clear(duel);
	}
	print_message("# %u of %u duels: not both found a port\n", lost, duel_count());
	duel_free(duel);
}

/* Whoever got a first packet may answer it. */
static void expect_answer(struct duel *duel, const struct kind *kind, __be16 port,
			  enum role backend)
{
	struct blueprint reply = reply_of(kind, backend);

	reply.dst_port = port;
	duel->in[0] = POD;
	duel_start(duel, &reply);
	duel->in[0] = UPLINK;
	assert_true(duel_left_for(duel, 0, CLIENT));
}

/* Request after request goes where the first one goes, and either backend may answer. */
static void two_first_packets_leave_one_way_in_the_end(void **state)
{
	struct offer any = BOTH;
	struct duel *duel = duel_new(*state);
	uint32_t twice = 0, parted = 0;

	any.algorithm = ALGORITHM_RANDOM;
	scene_offer_all(duel->scene, &any);
	for (uint32_t i = 0; i < duel_count(); i++) {
		struct blueprint request = request_of(&KINDS[i % KIND_COUNT]);
		bool first;

		request.src_port = htons((uint16_t)(1024 + i % 60000));
		duel_fight(duel, &request, &request);
		twice += scene_count_connections(duel->scene) == 2;
		parted += duel_left_for(duel, 0, BACKEND_A) != duel_left_for(duel, 1, BACKEND_A);
		for (int side = 0; side < 2; side++)
			expect_answer(duel, &KINDS[i % KIND_COUNT], request.src_port,
				      duel_left_for(duel, side, BACKEND_A) ? BACKEND_A : BACKEND_B);
		duel_fight(duel, &request, &request);
		first = duel_left_for(duel, 0, BACKEND_A);
		assert_int_equal(duel_left_for(duel, 1, BACKEND_A), first);
		assert_in_range(scene_count_connections(duel->scene), 1, 2);
		duel_clear(duel);
	}
	print_message("# %u of %u duels: two entries for one connection\n", twice, duel_count());
	print_message("# %u of %u duels: of two backends\n", parted, duel_count());
	duel_free(duel);
}

#define BOTH_FINS (TCP_SEEN_REQUEST_FIN | TCP_SEEN_REPLY_FIN)

static void set_seen(struct scene *scene, uint8_t seen)
{
	struct connection *entries = scene->connections.memory;

	for (size_t i = 0; i < scene->connections.size / sizeof(*entries); i++)
		if (entries[i].head.word)
			entries[i].state.seen = seen;
}

static uint32_t count_seen(const struct scene *scene, uint8_t seen)
{
	const struct connection *entries = scene->connections.memory;
	uint32_t count = 0;

	for (size_t i = 0; i < scene->connections.size / sizeof(*entries); i++)
		count += entries[i].head.word && (entries[i].state.seen & seen);
	return count;
}

/*
 * The head is the same before and after, only the owner's count tells. A late ACK of the old
 * connection that brings its entry up to date just as a SYN starts it afresh must not hand it what
 * was seen of the old one.
 */
static void a_connection_that_starts_afresh_stays_fresh(void **state)
{
	struct duel *duel = duel_new(*state);

	scene_offer_all(duel->scene, &ONLY_A);
	for (uint32_t i = 0; i < duel_count(); i++) {
		struct blueprint request = request_of(&KINDS[i % 2 ? 2 : 0]), late = request;

		request.src_port = late.src_port = htons((uint16_t)(1024 + i % 60000));
		late.tcp_flags = ACK;
		memcpy(late.from_mac, role_mac(STRANGER), ETH_ALEN); /* worth a change */
		duel_start(duel, &request);
		set_seen(duel->scene, BOTH_FINS);
		duel_fight(duel, &request, &late);
		assert_int_equal(count_seen(duel->scene, BOTH_FINS), 0);
		duel_clear(duel);
	}
	duel_free(duel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(two_services_at_once_never_share_a_backend),
		scene_test(two_aliases_at_once_never_share_a_port),
		scene_test(two_first_packets_leave_one_way_in_the_end),
		scene_test(a_connection_that_starts_afresh_stays_fresh),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
