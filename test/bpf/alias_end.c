/*
 * The two entries of a connection with an alias: they age alike, either is restored by what is
 * known of the other, and they go together.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include <string.h>
#include "test/bpf/alias_story.h"

#define MARGIN_SECONDS 5 /* a loaded machine may take so long between two lines */

static const char *const PLAYS[] = {"S",     "SS",   "Ss",    "SsA",   "SsAaA",  "SsAF",
				    "SsAFa", "SsAf", "SsAfA", "SsAFf", "SsAFfA", "SsAfF",
				    "Sr",    "SsAR", "SsAr",  "SsAFr"};

#define PLAY_COUNT (sizeof(PLAYS) / sizeof(PLAYS[0]))

/* What both entries say of the connection, apart from whose they are. */
static void expect_alike(const struct scene *scene, const struct blueprint *request)
{
	struct connection requests, replies;

	assert_true(scene_find(scene, request, &requests));
	assert_true(scene_find_replies(scene, request, &replies));
	assert_int_equal(requests.head.backend, replies.head.backend);
	assert_int_equal(requests.state.last_seen, replies.state.last_seen);
	assert_int_equal(requests.state.client_hop, replies.state.client_hop);
	assert_int_equal(requests.state.seen, replies.state.seen);
}

static void whatever_is_seen_is_seen_of_both(void **state)
{
	struct scene *scene = *state;

	offer_one_backend(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t row = 0; row < PLAY_COUNT; row++) {
			struct blueprint request = request_of(&KINDS[i]);
			struct blueprint other = request_to_other(&KINDS[i]);

			request.src_port = other.src_port = htons((uint16_t)(20000 + row));
			scene_play(scene, &request, "S");
			for (const char *letter = PLAYS[row]; *letter; letter++) {
				const char play[] = {*letter, '\0'};

				scene_play(scene, &other, play);
				expect_alike(scene, &other);
			}
		}
	}
}

static void a_packet_either_way_keeps_both_alive(void **state)
{
	struct scene *scene = *state;

	offer_one_backend(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		const bool tcp = KINDS[i].protocol == IPPROTO_TCP;
		const unsigned int nearly =
			(tcp ? TCP_ESTABLISHED_SECONDS : UDP_SECONDS) - MARGIN_SECONDS;
		const struct blueprint request = request_of(&KINDS[i]);
		const struct blueprint other = request_to_other(&KINDS[i]);

		connect_both(scene, &KINDS[i]);
		for (int turn = 0; turn < 4; turn++) {
			scene_let_pass(scene, &request, nearly);
			scene_let_pass(scene, &other, nearly);
			scene_play(scene, &other, turn % 2 ? "A" : "a");
			expect_alike(scene, &other);
			scene_play(scene, &request, turn % 2 ? "A" : "a");
		}
	}
}

static void replies_follow_a_client_that_moves(void **state)
{
	struct scene *scene = *state;

	offer_one_backend(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint other = request_to_other(&KINDS[i]);
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A), returned;

		connect_both(scene, &KINDS[i]);
		other.tcp_flags = reply.tcp_flags = ACK;
		memcpy(other.from_mac, role_mac(STRANGER), ETH_ALEN);
		scene_take(scene, UPLINK, &other);
		expect_alike(scene, &other);

		reply.dst_port = scene_source_port(scene, &other);
		returned = returned_from_service(&reply, UPLINK);
		returned.src_port = other.dst_port;
		returned.dst_port = other.src_port;
		memcpy(returned.to_mac, role_mac(STRANGER), ETH_ALEN);
		expect(scene, POD, &reply, VERDICT_REDIRECT, &returned);
	}
}

/* A connection that is over, both ways, and the other one for which it had the alias. */
static void after_it_is_over_it_begins_without(void **state)
{
	static const char *const ENDS[] = {"FfA", "fFa", "r", "R"};
	struct scene *scene = *state;

	offer_one_backend(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (int row = 0; row < 4; row++) {
			const struct blueprint request = request_of(&KINDS[i]);
			const struct blueprint other = request_to_other(&KINDS[i]);
			uint32_t entries = scene_count_entries(scene);

			connect_both(scene, &KINDS[i]);
			scene_play(scene, &request, ENDS[row]);
			scene_play(scene, &other, ENDS[row]);
			if (KINDS[i].protocol == IPPROTO_UDP) {
				scene_let_pass(scene, &request, UDP_SECONDS + 1);
				scene_let_pass(scene, &other, UDP_SECONDS + 1);
			}
			scene_play(scene, &other, "SsA");
			assert_int_equal(scene_source_port(scene, &other), other.src_port);
			assert_int_equal(scene_count_entries(scene), entries + 1);
			scene_forget(scene, &other);
		}
	}
}

/* Its alias port is its own still, so the new one has it as well. */
static void while_the_cause_lives_it_begins_with_an_alias_again(void **state)
{
	struct scene *scene = *state;

	offer_one_backend(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint other = request_to_other(&KINDS[i]);
		struct connection replies;
		__be16 alias;

		connect_both(scene, &KINDS[i]);
		alias = scene_source_port(scene, &other);
		scene_play(scene, &other, "Ff");
		if (KINDS[i].protocol == IPPROTO_UDP)
			scene_let_pass(scene, &other, UDP_SECONDS + 1);
		scene_play(scene, &other, "S");
		assert_int_equal(scene_source_port(scene, &other), alias);
		assert_true(scene_find_replies(scene, &other, &replies));
		assert_int_equal(replies.state.seen, 0);
		scene_play(scene, &other, "sA");
		talk(scene, &KINDS[i]);
		assert_int_equal(scene_count_entries(scene), 3 * (i + 1));
	}
}

static void a_request_restores_the_end_of_replies(void **state)
{
	struct scene *scene = *state;

	offer_one_backend(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint other = request_to_other(&KINDS[i]);
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A);

		connect_both(scene, &KINDS[i]);
		reply.dst_port = scene_source_port(scene, &other);
		scene_forget_replies(scene, &other);
		expect(scene, POD, &reply, VERDICT_PASS_NO_SERVICE, NULL);
		scene_play(scene, &other, "A");
		assert_int_equal(scene_source_port(scene, &other), reply.dst_port);
		expect_alike(scene, &other);
		talk(scene, &KINDS[i]);
	}
}

static void expect_established(const struct scene *scene, const struct blueprint *request)
{
	struct connection connection;

	assert_true(scene_find(scene, request, &connection));
	assert_true(connection.state.seen & TCP_SEEN_ESTABLISHED);
}

/* Replies go on meanwhile, and it stays what it was. */
static void a_request_restores_the_end_of_requests(void **state)
{
	struct scene *scene = *state;

	offer_one_backend(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint other = request_to_other(&KINDS[i]);
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A), returned;
		__be16 port;

		connect_both(scene, &KINDS[i]);
		other.tcp_flags = reply.tcp_flags = ACK;
		reply.dst_port = scene_source_port(scene, &other);
		returned = returned_from_service(&reply, UPLINK);
		returned.src_port = other.dst_port;
		returned.dst_port = other.src_port;
		scene_forget(scene, &other);
		expect(scene, POD, &reply, VERDICT_REDIRECT, &returned);
		request_goes_from(scene, &other, &port);
		assert_int_equal(port, reply.dst_port);
		expect_established(scene, &other);
		expect_alike(scene, &other);
		talk(scene, &KINDS[i]);
	}
}

/* The order in which alias ports are tried is that of the client's port and the backend. */
static void a_connection_that_was_forgotten_finds_its_alias_again(void **state)
{
	struct scene *scene = *state;

	offer_one_backend(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint other = request_to_other(&KINDS[i]);
		__be16 alias, port;

		connect_both(scene, &KINDS[i]);
		other.tcp_flags = ACK;
		alias = scene_source_port(scene, &other);
		scene_forget_replies(scene, &other);
		scene_forget(scene, &other);
		request_goes_from(scene, &other, &port);
		assert_int_equal(port, alias);
		scene_play(scene, &other, "a");
		talk(scene, &KINDS[i]);
	}
}

/* What came from the alias port before it was restored has it now. */
static void an_end_that_is_somebody_elses_is_not_restored(void **state)
{
	struct scene *scene = *state;

	offer_one_backend(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint own = request_of(&KINDS[i]);
		const struct blueprint other = request_to_other(&KINDS[i]);

		connect_both(scene, &KINDS[i]);
		own.src_port = scene_source_port(scene, &other);
		scene_forget_replies(scene, &other);
		scene_play(scene, &own, "SsA");
		assert_int_equal(scene_source_port(scene, &own), own.src_port);
		scene_play(scene, &other, "SsA");
		assert_int_not_equal(scene_source_port(scene, &other), own.src_port);
		assert_int_not_equal(scene_source_port(scene, &other), other.src_port);
		talk(scene, &KINDS[i]);
		scene_play(scene, &own, "AaA");
	}
}

static void it_goes_with_its_backend(void **state)
{
	static const enum backend_state GONE[] = {BACKEND_DOWN, BACKEND_NONE};
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT * 2; i++) {
		const struct kind *kind = &KINDS[i / 2];
		struct blueprint other = request_to_other(kind);
		struct offer offer = {
			.port = OTHER_PORT,
			.backends = {[BACKEND_A] = GONE[i % 2], [BACKEND_B] = BACKEND_ACTIVE}};

		scene_offer(scene, kind, &ONLY_A);
		scene_offer(scene, kind, &OTHER_ONLY_A);
		connect_both(scene, kind);
		scene_offer(scene, kind, &offer);
		other.tcp_flags = ACK;
		assert_int_equal(request_goes_to(scene, &other), BACKEND_B);
		assert_int_equal(scene_count_entries(scene), 2);
		memset(scene->connections.memory, 0, scene->connections.size);
	}
}

static void it_keeps_a_backend_that_drains(void **state)
{
	struct scene *scene = *state;
	struct offer drains = A_DRAINS_TO_B;

	drains.port = OTHER_PORT;
	offer_one_backend(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		connect_both(scene, &KINDS[i]);
		scene_offer(scene, &KINDS[i], &drains);
		talk(scene, &KINDS[i]);
	}
}

/* Nothing gives way, so neither end is left behind. */
static void what_finds_no_room_leaves_nothing(void **state)
{
	struct scene *scene = *state;
	struct connection *entries = scene->connections.memory;

	offer_one_backend(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);
		const struct blueprint other = request_to_other(&KINDS[i]);

		memset(entries, 0, scene->connections.size);
		scene_play(scene, &request, "SsA");
		for (uint32_t way = 0; way < CONNECTION_WAYS; way++) {
			struct connection stranger = entries[way];

			for (uint32_t j = 0; !stranger.head.word; j++)
				stranger = entries[j];
			if (!entries[way].head.word) {
				stranger.client.word[3] ^= htonl(way + 1);
				entries[way] = stranger;
			}
		}
		expect(scene, UPLINK, &other, VERDICT_DROP_COLLISION, NULL);
		assert_false(scene_find(scene, &other, &(struct connection){}));
		assert_false(scene_find_replies(scene, &other, &(struct connection){}));
		scene_play(scene, &request, "AaA");
	}
}

static const uint32_t ONE_BUCKET = 2; /* connections: eight entries */

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(whatever_is_seen_is_seen_of_both),
		scene_test(a_packet_either_way_keeps_both_alive),
		scene_test(replies_follow_a_client_that_moves),
		scene_test(after_it_is_over_it_begins_without),
		scene_test(while_the_cause_lives_it_begins_with_an_alias_again),
		scene_test(a_request_restores_the_end_of_replies),
		scene_test(a_request_restores_the_end_of_requests),
		scene_test(a_connection_that_was_forgotten_finds_its_alias_again),
		scene_test(an_end_that_is_somebody_elses_is_not_restored),
		scene_test(it_goes_with_its_backend),
		scene_test(it_keeps_a_backend_that_drains),
		sized_scene_test(what_finds_no_room_leaves_nothing, &ONE_BUCKET),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
