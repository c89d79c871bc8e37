/*
 * How long a connection is remembered, by what was seen of it, and how its port is used again.
 * Time is set back in the entries; nobody waits.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include "test/bpf/scene.h"

#define MARGIN_SECONDS 5 /* a loaded machine may take so long between two lines */

struct timeout_row {
	const char *play;
	unsigned int seconds;
};

static const struct timeout_row TCP_ROWS[] = {
	{"S", TCP_OPENING_SECONDS},       {"SS", TCP_OPENING_SECONDS},
	{"Ss", TCP_OPENING_SECONDS},      {"SsSs", TCP_OPENING_SECONDS},
	{"SsA", TCP_ESTABLISHED_SECONDS}, {"SsAaA", TCP_ESTABLISHED_SECONDS},
	{"AaA", TCP_ESTABLISHED_SECONDS}, {"SsAF", TCP_CLOSING_SECONDS},
	{"SsAFa", TCP_CLOSING_SECONDS},   {"SsAf", TCP_CLOSING_SECONDS},
	{"SsAfA", TCP_CLOSING_SECONDS},   {"SsAFf", TCP_CLOSED_SECONDS},
	{"SsAfF", TCP_CLOSED_SECONDS},    {"SsAFfA", TCP_CLOSED_SECONDS},
	{"Sr", TCP_CLOSED_SECONDS},       {"SsAR", TCP_CLOSED_SECONDS},
	{"SsAr", TCP_CLOSED_SECONDS},     {"SsAFr", TCP_CLOSED_SECONDS},
};

static const struct timeout_row UDP_ROWS[] = {
	{"S", UDP_SECONDS},
	{"SsSs", UDP_SECONDS},
};

static size_t rows_of(const struct kind *kind, const struct timeout_row **rows)
{
	const bool tcp = kind->protocol == IPPROTO_TCP;

	*rows = tcp ? TCP_ROWS : UDP_ROWS;
	return tcp ? sizeof(TCP_ROWS) / sizeof(TCP_ROWS[0])
		   : sizeof(UDP_ROWS) / sizeof(UDP_ROWS[0]);
}

/*
 * After the play and the time, A drains: whoever is remembered goes there, whoever is new goes to
 * B.
 */
static void expect_after(struct scene *scene, const struct kind *kind,
			 const struct timeout_row *row, unsigned int seconds, enum role wanted)
{
	static uint16_t port = 1024; /* each a connection of its own */
	struct blueprint request = request_of(kind);

	request.src_port = htons(port++);
	scene_offer(scene, kind, &ONLY_A);
	scene_play(scene, &request, row->play);
	scene_offer(scene, kind, &A_DRAINS_TO_B);
	scene_let_pass(scene, &request, seconds);
	request.tcp_flags = ACK;

	if (request_goes_to(scene, &request) != wanted)
		fail_msg("%s, %s: %s after %u s", kind->name, row->play,
			 wanted == BACKEND_A ? "forgotten" : "remembered", seconds);
}

static void a_connection_is_remembered_until_its_timeout_passes(void **state)
{
	const struct timeout_row *rows;
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		size_t count = rows_of(&KINDS[i], &rows);

		for (size_t row = 0; row < count; row++)
			expect_after(scene, &KINDS[i], &rows[row],
				     rows[row].seconds - MARGIN_SECONDS, BACKEND_A);
	}
}

static void a_connection_starts_afresh_after_its_timeout(void **state)
{
	const struct timeout_row *rows;
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		size_t count = rows_of(&KINDS[i], &rows);

		for (size_t row = 0; row < count; row++)
			expect_after(scene, &KINDS[i], &rows[row], rows[row].seconds + 1,
				     BACKEND_B);
	}
}

static void a_packet_either_way_keeps_a_connection_alive(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		const bool tcp = KINDS[i].protocol == IPPROTO_TCP;
		const unsigned int nearly =
			(tcp ? TCP_ESTABLISHED_SECONDS : UDP_SECONDS) - MARGIN_SECONDS;
		struct blueprint request = request_of(&KINDS[i]);

		scene_offer(scene, &KINDS[i], &ONLY_A);
		scene_play(scene, &request, "SsA");
		scene_offer(scene, &KINDS[i], &A_DRAINS_TO_B);
		for (int turn = 0; turn < 4; turn++) {
			scene_let_pass(scene, &request, nearly);
			scene_play(scene, &request, turn % 2 ? "A" : "a");
		}
	}
}

static void a_reply_after_the_timeout_passes_untouched(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A);

		scene_play(scene, &request, "S");
		scene_let_pass(scene, &request, TCP_ESTABLISHED_SECONDS + 1);

		expect(scene, POD, &reply, VERDICT_PASS_NO_SERVICE, NULL);
	}
}

/*
 * RFC 9293, 3.6.1: clients use a port again as soon as they may. One FIN is enough: the other
 * side's may have gone another way, or got lost with its host.
 */
static void a_syn_on_a_closed_connection_starts_afresh_at_once(void **state)
{
	static const char *const PLAYS[] = {"SsAFf", "SsAfFa", "SsAR", "SsAr",  "Sr",
					    "R",     "SsAF",   "SsAf", "SsAFa", "SF"};
	struct scene *scene = *state;
	uint16_t port = 1024;

	for (int i = 0; i < KIND_COUNT; i++) {
		if (KINDS[i].protocol != IPPROTO_TCP)
			continue;
		for (size_t row = 0; row < sizeof(PLAYS) / sizeof(PLAYS[0]); row++) {
			struct blueprint request = request_of(&KINDS[i]);

			request.src_port = htons(port++);
			scene_offer(scene, &KINDS[i], &ONLY_A);
			scene_play(scene, &request, PLAYS[row]);
			scene_offer(scene, &KINDS[i], &A_DRAINS_TO_B);

			assert_int_equal(request_goes_to(scene, &request), BACKEND_B);
		}
	}
}

static void assert_saw(const struct scene *scene, const struct kind *kind, uint8_t seen)
{
	const struct blueprint request = request_of(kind);
	struct connection connection;

	assert_true(scene_find(scene, &request, &connection));
	assert_int_equal(connection.state.seen, seen);
}

static void a_connection_that_starts_afresh_remembers_nothing_of_the_last(void **state)
{
	static const char *const PLAYS[] = {"SsAFfA", "SsAF", "SsAf", "SsAFa", "SsAr"};
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		if (KINDS[i].protocol != IPPROTO_TCP)
			continue;
		for (size_t row = 0; row < sizeof(PLAYS) / sizeof(PLAYS[0]); row++) {
			scene_play(scene, &request, PLAYS[row]);
			scene_play(scene, &request, "S");
			assert_saw(scene, &KINDS[i], 0);
			scene_play(scene, &request, "sA");
			assert_saw(scene, &KINDS[i], TCP_SEEN_REPLY | TCP_SEEN_ESTABLISHED);
		}
	}
}

static void the_last_packets_of_a_closed_connection_still_reach_its_backend(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		if (KINDS[i].protocol != IPPROTO_TCP)
			continue;
		scene_offer(scene, &KINDS[i], &ONLY_A);
		scene_play(scene, &request, "SsAFf");
		scene_offer(scene, &KINDS[i], &A_DRAINS_TO_B);
		scene_play(scene, &request, "AFfaRr");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(a_connection_is_remembered_until_its_timeout_passes),
		scene_test(a_connection_starts_afresh_after_its_timeout),
		scene_test(a_packet_either_way_keeps_a_connection_alive),
		scene_test(a_reply_after_the_timeout_passes_untouched),
		scene_test(a_syn_on_a_closed_connection_starts_afresh_at_once),
		scene_test(a_connection_that_starts_afresh_remembers_nothing_of_the_last),
		scene_test(the_last_packets_of_a_closed_connection_still_reach_its_backend),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
