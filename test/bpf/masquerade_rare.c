/*
 * What is rare of masqueraded connections: ICMP errors about their packets, datagrams in pieces,
 * VLAN tags, a backend that is gone, and entries of an lbd that knew none.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include <string.h>
#include "include/masquerade.h"
#include "test/bpf/answer_story.h"
#include "test/bpf/fragment_story.h"
#include "test/bpf/icmp_story.h"
#include "test/bpf/masquerade_story.h"

#define OTHER_PORT 81

static void connect_all_masqueraded(struct scene *scene)
{
	offer_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++)
		connect_masqueraded(scene, &KINDS[i]);
}

/* What the backend's side quotes is from the node; the client gets its own packet quoted. */
static void an_error_about_a_request_is_about_the_clients_end(void **state)
{
	static const enum role SENDERS[] = {BACKEND_A, STRANGER};
	struct scene *scene = *state;

	connect_all_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT * 2 * ERROR_COUNT; i++) {
		const struct kind *kind = &KINDS[i / 2 / ERROR_COUNT];
		struct story story =
			from_backend_side(kind, SENDERS[i / ERROR_COUNT % 2], i % ERROR_COUNT);
		const struct blueprint request = request_of(kind);

		story.comes.quoted.src = node_address(kind->family);
		story.comes.quoted.src_port = node_port(scene, &request);
		story.comes.envelope.dst = node_address(kind->family);
		expect_icmp(scene, POD, &story.comes, VERDICT_REDIRECT, &story.leaves);
	}
}

static void an_error_about_a_reply_is_about_the_nodes_end(void **state)
{
	static const enum role SENDERS[] = {CLIENT, STRANGER};
	struct scene *scene = *state;

	connect_all_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT * 2 * ERROR_COUNT; i++) {
		const struct kind *kind = &KINDS[i / 2 / ERROR_COUNT];
		const enum role sender = SENDERS[i / ERROR_COUNT % 2];
		struct story story = from_client_side(kind, sender, i % ERROR_COUNT);
		const struct blueprint request = request_of(kind);

		story.leaves.quoted.dst = node_address(kind->family);
		story.leaves.quoted.dst_port = node_port(scene, &request);
		if (sender == CLIENT)
			story.leaves.envelope.src = node_address(kind->family);
		expect_icmp(scene, UPLINK, &story.comes, VERDICT_REDIRECT, &story.leaves);
	}
}

static struct crossing crossing; /* too long for comfort on the stack */

static void send_whole(struct scene *scene, uint32_t identification)
{
	for (size_t i = 0; i < PIECE_COUNT; i++) {
		const struct cut cut = piece_of(i, identification);

		expect_piece(scene, &crossing, &cut, VERDICT_REDIRECT);
	}
}

static void datagrams_in_pieces_cross_both_ways(void **state)
{
	struct scene *scene = *state;

	connect_all_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]), reply, leaves;

		request.payload_length = DATAGRAM_BYTES;
		request.tcp_flags = ACK;
		leaves = masqueraded_request(scene, &request);
		cross(&request, UPLINK, &leaves, &crossing);
		send_whole(scene, (uint32_t)i);

		reply = masqueraded_reply(scene, &request);
		reply.payload_length = DATAGRAM_BYTES;
		reply.tcp_flags = ACK;
		leaves = returned_reply(&reply, &request);
		cross(&reply, POD, &leaves, &crossing);
		send_whole(scene, (uint32_t)i);
	}
}

/* The client may only wait: it gets what the backend says as a reset, and then the backend is. */
static void a_backend_that_is_gone_ends_tcp(void **state)
{
	struct scene *scene = *state;

	connect_all_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]), reply, reset;

		reply = masqueraded_reply(scene, &request);
		reply.tcp_flags = ACK;
		scene_withdraw(scene, &KINDS[i]);
		if (KINDS[i].protocol != IPPROTO_TCP) {
			expect(scene, POD, &reply, VERDICT_DROP_BACKEND_GONE, NULL);
			continue;
		}
		reset = returned_reply(&reply, &request);
		reset.tcp_flags = RST | ACK;
		expect(scene, POD, &reply, VERDICT_REDIRECT, &reset);
		expect_answer(scene, POD, &reply, VERDICT_ANSWER_RESET);
		request.tcp_flags = ACK;
		expect_answer(scene, UPLINK, &request, VERDICT_ANSWER_RESET);
	}
}

/* It would be a reset. */
static void what_a_gone_backend_says_is_not_told_to_be_too_big(void **state)
{
	struct scene *scene = *state;

	connect_all_masqueraded(scene);
	scene_set_mtu(scene, UPLINK, 200);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]), reply;

		if (KINDS[i].family != IPV6 || KINDS[i].protocol != IPPROTO_TCP)
			continue;
		reply = masqueraded_reply(scene, &request);
		reply.payload_length = 200;
		scene_withdraw(scene, &KINDS[i]);
		expect(scene, POD, &reply, VERDICT_PASS_TOO_BIG, NULL);
	}
}

/* Frames for another host, pieces that have no flags, and what opens a connection. */
static void what_tells_nobody_of_a_gone_backend_ends_nothing(void **state)
{
	struct scene *scene = *state;

	connect_all_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]), reply, other, reset;
		const struct cut first = piece_of(0, (uint32_t)i), later = piece_of(1, (uint32_t)i);

		if (KINDS[i].protocol != IPPROTO_TCP)
			continue;
		reply = masqueraded_reply(scene, &request);
		reply.tcp_flags = ACK;
		other = reply;
		other.payload_length = DATAGRAM_BYTES;
		reset = returned_reply(&other, &request);
		cross(&other, POD, &reset, &crossing);
		expect_piece(scene, &crossing, &first, VERDICT_REDIRECT);
		scene_withdraw(scene, &KINDS[i]);

		expect_piece(scene, &crossing, &later, VERDICT_DROP_FRAGMENT);
		other = reply;
		memcpy(other.to_mac, role_mac(STRANGER), ETH_ALEN);
		expect(scene, POD, &other, VERDICT_PASS_OTHER_HOST, NULL);
		other = reply;
		other.tcp_flags = SYN;
		expect(scene, POD, &other, VERDICT_DROP_BACKEND_GONE, NULL);

		reset = returned_reply(&reply, &request);
		reset.tcp_flags = RST | ACK;
		expect(scene, POD, &reply, VERDICT_REDIRECT, &reset);
	}
}

/* A is a client here, from the port that it is a backend at: what it sends may be replies. */
static void a_backends_request_is_no_reply(void **state)
{
	struct scene *scene = *state;
	struct offer of_a = ONLY_A, of_b = ONLY_B;

	of_a.port = OTHER_PORT;
	of_b.masquerade = MASQUERADE_STRANGERS;
	of_b.is_remote[BACKEND_B] = true;
	offer_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		scene_offer(scene, &KINDS[i], &of_a);
		scene_offer(scene, &KINDS[i], &of_b);
		request.src = role_address(BACKEND_A, KINDS[i].family);
		request.src_port = htons(BACKEND_PORT);
		memcpy(request.from_mac, role_mac(BACKEND_A), ETH_ALEN);
		memcpy(request.to_mac, interface_mac(POD), ETH_ALEN);
		scene_take(scene, POD, &request);
		assert_int_not_equal(node_port(scene, &request), 0);
		scene_withdraw(scene, &KINDS[i]);
		expect_answer(scene, POD, &request,
			      KINDS[i].protocol == IPPROTO_TCP ? VERDICT_ANSWER_RESET
							       : VERDICT_ANSWER_UNREACHABLE);
	}
}

/* A backend that meets itself by the node's own address, with the same port at either end. */
static void a_port_that_makes_replies_of_requests_is_not_taken(void **state)
{
	const struct masquerade_source service = {.ipv4 = role_address(SERVICE, IPV4),
						  .ipv6 = role_address(SERVICE, IPV6)};
	struct offer offer = MASQUERADED;
	struct scene *scene = *state;

	offer.port = BACKEND_PORT;
	assert_int_equal(datapath_set_masquerade_source(scene->datapath, POD, &service), 0);
	scene_offer_all(scene, &offer);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		request.src = role_address(BACKEND_A, KINDS[i].family);
		request.src_port = request.dst_port = htons(BACKEND_PORT);
		memcpy(request.from_mac, role_mac(BACKEND_A), ETH_ALEN);
		memcpy(request.to_mac, interface_mac(POD), ETH_ALEN);
		scene_take(scene, POD, &request);
		assert_int_not_equal(node_port(scene, &request), 0);
		assert_int_not_equal(node_port(scene, &request), htons(BACKEND_PORT));
	}
}

/*
 * One port of a client, two services, one backend: of the one it knows the client by the node, of
 * the other, which does not masquerade, by the client's own end. Whichever has begun first.
 */
static void what_comes_to_a_clients_own_end_is_of_what_left_from_there(void **state)
{
	struct scene *scene = *state;
	struct offer plain = ONLY_A;

	plain.port = OTHER_PORT;
	offer_masqueraded(scene);
	scene_offer_all(scene, &plain);
	for (int i = 0; i < 2 * KIND_COUNT; i++) {
		const struct kind *kind = &KINDS[i / 2];
		struct blueprint hidden = request_of(kind), open = hidden, reply, returned;

		hidden.src_port = open.src_port = htons((uint16_t)(CLIENT_PORT + i % 2));
		open.dst_port = htons(OTHER_PORT);
		if (i % 2)
			assert_int_equal(request_goes_to(scene, &open), BACKEND_A);
		expect_masqueraded(scene, &hidden);
		assert_int_equal(request_goes_to(scene, &open), BACKEND_A);

		reply = reply_of(kind, BACKEND_A);
		reply.dst_port = open.src_port;
		returned = returned_reply(&reply, &open);
		expect(scene, POD, &reply, VERDICT_REDIRECT, &returned);
		expect_returned(scene, &hidden, SYN | ACK);

		scene_forget(scene, &open);
		expect(scene, POD, &reply, VERDICT_PASS_NO_SERVICE, NULL);
	}
}

static void set_stale_bit(struct scene *scene, const struct blueprint *request)
{
	struct connection_bucket *buckets = scene->connections.memory;
	struct connection there;
	const uint32_t count = (uint32_t)(scene->connections.size / sizeof(*buckets));

	assert_true(scene_find(scene, request, &there));
	for (uint32_t i = 0; i < count * CONNECTION_WAYS; i++) {
		struct connection *entry = &buckets[i / CONNECTION_WAYS].way[i % CONNECTION_WAYS];

		if (entry->head.word == there.head.word)
			entry->state.may_be_masqueraded = 1;
	}
}

static bool is_marked(const struct scene *scene, const struct blueprint *request)
{
	struct connection there;

	assert_true(scene_find(scene, request, &there));
	return there.state.may_be_masqueraded;
}

/* In entries of an lbd that knew no masquerade the bit is anything. */
static void a_bit_without_a_masquerade_means_nothing(void **state)
{
	struct scene *scene = *state;
	struct offer elsewhere = ONLY_A;

	elsewhere.is_remote[BACKEND_A] = true;
	scene_offer_all(scene, &elsewhere);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		scene_play(scene, &request, "SsA");
		set_stale_bit(scene, &request);
		scene_play(scene, &request, "aA");
		assert_false(is_marked(scene, &request));
	}
}

static bool visit_none(void *context, const struct connection_view *view)
{
	(void)context;
	(void)view;
	return false;
}

static void the_sweep_clears_such_a_bit_and_no_other(void **state)
{
	struct connection_cursor *cursor = calloc(1, sizeof(*cursor));
	struct scene *scene = *state;
	struct blueprint ordinary = request_of(&KINDS[0]), request = request_of(&KINDS[1]);

	offer_masqueraded(scene);
	scene_offer(scene, &KINDS[0], &ONLY_A);
	scene_play(scene, &ordinary, "SsA");
	set_stale_bit(scene, &ordinary);
	connect_masqueraded(scene, &KINDS[1]);
	while (datapath_sweep_some(scene->datapath, cursor, visit_none, NULL) > 0)
		;
	free(cursor);
	assert_false(is_marked(scene, &ordinary));
	assert_true(is_marked(scene, &request));
}

/* Its masquerade went while it lived (somebody has emptied the map): it gets the same again. */
static void what_was_removed_is_made_again_as_it_was(void **state)
{
	struct scene *scene = *state;

	connect_all_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		const __be16 port = node_port(scene, &request);
		struct connection there;

		scene_find(scene, &request, &there);
		scene_forget(scene, &request);
		for (int pass = 0; pass < 2; pass++)
			sweep_masquerades(scene, 11);
		assert_int_equal(node_port(scene, &request), 0);
		expect_masqueraded(scene, &request);
		assert_int_equal(node_port(scene, &request), port);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(an_error_about_a_request_is_about_the_clients_end),
		scene_test(an_error_about_a_reply_is_about_the_nodes_end),
		scene_test(datagrams_in_pieces_cross_both_ways),
		scene_test(a_backend_that_is_gone_ends_tcp),
		scene_test(what_a_gone_backend_says_is_not_told_to_be_too_big),
		scene_test(what_tells_nobody_of_a_gone_backend_ends_nothing),
		scene_test(a_backends_request_is_no_reply),
		scene_test(a_port_that_makes_replies_of_requests_is_not_taken),
		scene_test(what_comes_to_a_clients_own_end_is_of_what_left_from_there),
		scene_test(a_bit_without_a_masquerade_means_nothing),
		scene_test(the_sweep_clears_such_a_bit_and_no_other),
		scene_test(what_was_removed_is_made_again_as_it_was),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
