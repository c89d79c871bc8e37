/*
 * Masqueraded connections: clients whose address becomes the node's on the way to a backend on
 * another node, and back.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include <string.h>
#include "test/bpf/masquerade_story.h"

#define OTHER_PORT 81
#define GRACE 11    /* seconds: longer than lbd leaves alone what is new */
#define FEW_PORTS 4 /* of a scene that has no more */
#define FIRST_OF_FEW 50000

static const char *const CLIENT_PREFIXES[] = {"192.0.2.0/24", "2001:db8::/48"};

static void place_client(struct scene *scene, enum network network)
{
	for (int family = 0; family < _FAMILY_COUNT; family++)
		scene_set_network(scene, CLIENT_PREFIXES[family], network);
}

static void packets_leave_as_the_nodes_and_come_back_as_the_services(void **state)
{
	struct scene *scene = *state;

	offer_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		connect_masqueraded(scene, &KINDS[i]);
		assert_in_range(ntohs(node_port(scene, &request)), 1024, 32767);
		request.tcp_flags = FIN | ACK;
		expect_masqueraded(scene, &request);
		expect_returned(scene, &request, FIN | ACK);
	}
	assert_int_equal(scene_count_connections(scene), KIND_COUNT);
	assert_int_equal(count_masquerades(scene), 2 * KIND_COUNT);
}

static void only_clients_elsewhere_towards_backends_elsewhere_are_masqueraded(void **state)
{
	static const bool MASQUERADED_OF[_MASQUERADE_COUNT][_NETWORK_COUNT] = {
		[MASQUERADE_STRANGERS] = {[NETWORK_NONE] = true},
		[MASQUERADE_OTHERS] = {[NETWORK_NONE] = true, [NETWORK_CLUSTER] = true},
	};
	struct scene *scene = *state;
	uint16_t port = CLIENT_PORT;

	offer_masqueraded(scene);
	for (int i = 0; i < _MASQUERADE_COUNT * _NETWORK_COUNT * 2 * KIND_COUNT; i++) {
		const struct kind *kind = &KINDS[i % KIND_COUNT];
		const bool is_remote = i / KIND_COUNT % 2;
		const int network = i / KIND_COUNT / 2 % _NETWORK_COUNT;
		const int masquerade = i / KIND_COUNT / 2 / _NETWORK_COUNT;
		struct blueprint request = request_of(kind);
		struct offer offer = MASQUERADED;

		offer.masquerade = (enum masquerade)masquerade;
		offer.is_remote[BACKEND_A] = is_remote;
		scene_offer(scene, kind, &offer);
		place_client(scene, (enum network)network);
		request.src_port = htons(++port);
		if (is_remote && MASQUERADED_OF[masquerade][network])
			expect_masqueraded(scene, &request);
		else
			assert_int_equal(request_goes_to(scene, &request), BACKEND_A);
	}
}

/* Of a service that masquerades the choice is the same as of one that does not. */
static void where_its_backend_is_tells_for_each_connection(void **state)
{
	struct scene *scene = *state;
	struct offer offer = MASQUERADED;

	offer.algorithm = ALGORITHM_ROUND_ROBIN;
	offer.backends[BACKEND_B] = BACKEND_ACTIVE;
	offer.is_remote[BACKEND_B] = false;
	offer_masqueraded(scene);
	scene_offer_all(scene, &offer);
	for (int i = 0; i < KIND_COUNT; i++) {
		unsigned int to_a = 0;

		for (int turn = 0; turn < 10; turn++) {
			struct blueprint request = request_of(&KINDS[i]);

			request.src_port = htons((uint16_t)(CLIENT_PORT + turn));
			scene_take(scene, UPLINK, &request);
			to_a += node_port(scene, &request) != 0;
			if (node_port(scene, &request))
				expect_masqueraded(scene, &request);
			else
				assert_int_equal(request_goes_to(scene, &request), BACKEND_B);
		}
		assert_int_equal(to_a, 5);
	}
}

static void checksums_are_right_for_any_payload_and_for_none(void **state)
{
	struct scene *scene = *state;

	offer_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT * 2; i++) {
		struct blueprint request = request_of(&KINDS[i / 2]), reply, leaves;

		connect_masqueraded(scene, &KINDS[i / 2]);
		request.tcp_flags = ACK;
		reply = masqueraded_reply(scene, &request);
		reply.tcp_flags = ACK;
		request.udp_checksum = reply.udp_checksum = i % 2 ? CHECKSUM_NONE : CHECKSUM_RIGHT;
		for (uint32_t word = 1; word < 0x10000; word += 97) {
			request.first_payload_word = reply.first_payload_word = (uint16_t)word;
			request.payload_length = reply.payload_length = 2 + word % 1400;
			leaves = masqueraded_request(scene, &request);
			expect(scene, UPLINK, &request, VERDICT_REDIRECT, &leaves);
			leaves = returned_reply(&reply, &request);
			expect(scene, POD, &reply, VERDICT_REDIRECT, &leaves);
		}
	}
}

static void no_two_connections_have_one_port_towards_a_backend(void **state)
{
	enum { CONNECTIONS = 30 };
	struct scene *scene = *state;
	__be16 ports[CONNECTIONS];

	offer_masqueraded(scene);
	for (int n = 0; n < CONNECTIONS; n++) {
		struct blueprint request = request_of(&KINDS[0]);

		request.src = role_address(n % 2 ? CLIENT : STRANGER, IPV4);
		request.src_port = htons((uint16_t)(CLIENT_PORT + n / 2));
		expect_masqueraded(scene, &request);
		ports[n] = node_port(scene, &request);
		for (int other = 0; other < n; other++)
			assert_int_not_equal(ports[n], ports[other]);
	}
}

/* One port of a client, two services, one backend: what needs an alias elsewhere. */
static void one_port_reaches_two_services_without_an_alias(void **state)
{
	struct scene *scene = *state;
	struct offer second = MASQUERADED;

	second.port = OTHER_PORT;
	offer_masqueraded(scene);
	scene_offer_all(scene, &second);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]), other = request;

		other.dst_port = htons(OTHER_PORT);
		connect_masqueraded(scene, &KINDS[i]);
		expect_masqueraded(scene, &other);
		assert_int_not_equal(node_port(scene, &request), node_port(scene, &other));
		for (int turn = 0; turn < 3; turn++) {
			expect_returned(scene, &request, ACK);
			expect_returned(scene, &other, ACK);
			expect_masqueraded(scene, &request);
			expect_masqueraded(scene, &other);
		}
	}
}

static void a_client_keeps_its_port_where_it_may(void **state)
{
	struct scene *scene = *state;

	offer_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		request.src_port = htons(FIRST_OF_FEW + 2);
		expect_masqueraded(scene, &request);
		assert_int_equal(node_port(scene, &request), request.src_port);
		request.src = role_address(STRANGER, KINDS[i].family);
		expect_masqueraded(scene, &request);
		assert_int_not_equal(node_port(scene, &request), request.src_port);
	}
}

static void without_a_free_port_a_connection_is_dropped_until_one_is_gone(void **state)
{
	struct scene *scene = *state;

	offer_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]), last;

		for (int n = 0; n < FEW_PORTS; n++) {
			request.src_port = htons((uint16_t)(CLIENT_PORT + n));
			expect_masqueraded(scene, &request);
		}
		last = request;
		last.src_port = htons(CLIENT_PORT + FEW_PORTS);
		expect(scene, UPLINK, &last, VERDICT_DROP_MASQUERADE, NULL);

		scene_forget(scene, &request);
		sweep_masquerades(scene, GRACE);
		expect(scene, UPLINK, &last, VERDICT_DROP_MASQUERADE, NULL);
		sweep_masquerades(scene, GRACE);
		expect_masqueraded(scene, &last);
	}
}

static void without_an_address_of_the_node_it_is_dropped(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &MASQUERADED);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);

		expect(scene, UPLINK, &request, VERDICT_DROP_MASQUERADE, NULL);
	}
	assert_int_equal(scene_count_connections(scene), 0);
}

static void a_full_table_drops_what_is_new_and_nothing_else(void **state)
{
	struct scene *scene = *state;
	struct blueprint first = request_of(&KINDS[0]), request = first;

	offer_masqueraded(scene);
	expect_masqueraded(scene, &first);
	for (int n = 1; n < MAX_SCENE_MASQUERADES; n++) {
		request.src_port = htons((uint16_t)(CLIENT_PORT + n));
		scene_take(scene, UPLINK, &request);
	}
	request.src_port = htons(CLIENT_PORT + MAX_SCENE_MASQUERADES);
	expect(scene, UPLINK, &request, VERDICT_DROP_MASQUERADE, NULL);
	expect_masqueraded(scene, &first);
	expect_returned(scene, &first, SYN | ACK);
}

static void the_sweep_leaves_what_is_alive_and_what_is_new(void **state)
{
	struct scene *scene = *state;

	offer_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++)
		connect_masqueraded(scene, &KINDS[i]);
	for (int pass = 0; pass < 4; pass++)
		sweep_masquerades(scene, GRACE);
	assert_int_equal(count_masquerades(scene), 2 * KIND_COUNT);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		expect_returned(scene, &request, ACK);
		scene_forget(scene, &request);
	}
	sweep_masquerades(scene, GRACE);
	assert_int_equal(count_masquerades(scene), KIND_COUNT);
	sweep_masquerades(scene, 0);
	assert_int_equal(count_masquerades(scene), KIND_COUNT); /* the claims, for a while */
	sweep_masquerades(scene, GRACE);
	assert_int_equal(count_masquerades(scene), 0);
}

/* Its entry gave way to another connection's; what it is known by to its backend is still there. */
static void a_connection_without_its_entry_goes_on_as_it_was(void **state)
{
	struct scene *scene = *state;
	struct offer moves_to_b = MASQUERADED;

	moves_to_b.backends[BACKEND_A] = BACKEND_DRAINING;
	moves_to_b.backends[BACKEND_B] = BACKEND_ACTIVE;
	offer_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		__be16 port;

		if (KINDS[i].protocol != IPPROTO_TCP)
			continue;
		connect_masqueraded(scene, &KINDS[i]);
		port = node_port(scene, &request);
		scene_offer(scene, &KINDS[i], &moves_to_b);
		scene_forget(scene, &request);
		request.tcp_flags = ACK;
		expect_masqueraded(scene, &request);
		assert_int_equal(node_port(scene, &request), port);
		expect_returned(scene, &request, ACK);
	}
}

/* Between the two steps of the sweep it begins again: the claim is its own. */
static void what_begins_again_finds_its_port(void **state)
{
	struct scene *scene = *state;

	offer_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);
		__be16 port;

		connect_masqueraded(scene, &KINDS[i]);
		port = node_port(scene, &request);
		scene_forget(scene, &request);
		sweep_masquerades(scene, GRACE);
		assert_int_equal(node_port(scene, &request), 0);
		expect_masqueraded(scene, &request);
		assert_int_equal(node_port(scene, &request), port);
		expect_returned(scene, &request, SYN | ACK);
	}
}

static void what_starts_afresh_at_another_backend_leaves_nothing_of_before(void **state)
{
	struct scene *scene = *state;
	struct offer b_alone = ONLY_B;

	offer_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		if (KINDS[i].protocol != IPPROTO_TCP)
			continue;
		connect_masqueraded(scene, &KINDS[i]);
		request.tcp_flags = RST;
		expect_masqueraded(scene, &request);
		b_alone.masquerade = MASQUERADE_STRANGERS;
		b_alone.is_remote[BACKEND_B] = true;
		scene_offer(scene, &KINDS[i], &b_alone);
		request.tcp_flags = SYN;
		scene_take(scene, UPLINK, &request);
		assert_int_not_equal(node_port(scene, &request), 0);
	}
	assert_int_equal(count_masquerades(scene), 2 * 2);
}

/* The claim of before is still there. */
static void what_begins_again_without_it_has_no_replies_to_the_node(void **state)
{
	struct scene *scene = *state;

	offer_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]), reply;

		connect_masqueraded(scene, &KINDS[i]);
		scene_offer(scene, &KINDS[i], &ONLY_A);
		scene_let_pass(scene, &request, 2 * TCP_ESTABLISHED_SECONDS);
		assert_int_equal(request_goes_to(scene, &request), BACKEND_A);
		reply = masqueraded_reply(scene, &request);
		expect(scene, POD, &reply, VERDICT_PASS_NO_SERVICE, NULL);
	}
}

static void it_keeps_its_address_when_the_way_changes(void **state)
{
	const struct masquerade_source other = {.ipv4 = role_address(STRANGER, IPV4),
						.ipv6 = role_address(STRANGER, IPV6)};
	struct scene *scene = *state;

	offer_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++)
		connect_masqueraded(scene, &KINDS[i]);
	assert_int_equal(datapath_set_masquerade_source(scene->datapath, POD, &other), 0);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		request.tcp_flags = ACK;
		expect_masqueraded(scene, &request);
		expect_returned(scene, &request, ACK);
	}
}

/* A backend elsewhere that calls its own service: it gets the node's address, not hairpin's. */
static void a_backend_elsewhere_that_is_its_own_client_is_masqueraded(void **state)
{
	struct scene *scene = *state;

	offer_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]), leaves;
		struct blueprint reply, returned;

		request.src = role_address(BACKEND_A, KINDS[i].family);
		memcpy(request.from_mac, role_mac(BACKEND_A), ETH_ALEN);
		memcpy(request.to_mac, interface_mac(POD), ETH_ALEN);
		scene_take(scene, POD, &request);
		leaves = masqueraded_request(scene, &request);
		expect(scene, POD, &request, VERDICT_TX, &leaves);
		reply = masqueraded_reply(scene, &request);
		returned = returned_reply(&reply, &request);
		memcpy(returned.to_mac, role_mac(BACKEND_A), ETH_ALEN);
		memcpy(returned.from_mac, interface_mac(POD), ETH_ALEN);
		expect(scene, POD, &reply, VERDICT_TX, &returned);
	}
}

static void a_lone_end_is_of_nobody(void **state)
{
	struct scene *scene = *state;

	offer_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		if (KINDS[i].protocol != IPPROTO_TCP)
			continue;
		request.tcp_flags = FIN | ACK;
		expect(scene, UPLINK, &request, VERDICT_DROP_MASQUERADE, NULL);
		request.tcp_flags = RST;
		expect(scene, UPLINK, &request, VERDICT_DROP_MASQUERADE, NULL);
	}
	assert_int_equal(count_masquerades(scene), 0);
}

static void a_strangers_packet_to_a_port_of_the_node_is_the_stacks(void **state)
{
	struct scene *scene = *state;

	offer_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);
		struct blueprint reply;

		connect_masqueraded(scene, &KINDS[i]);
		reply = masqueraded_reply(scene, &request);
		reply.dst_port = htons((uint16_t)(ntohs(reply.dst_port) + 1));
		expect(scene, POD, &reply, VERDICT_PASS_NO_SERVICE, NULL);
		reply = masqueraded_reply(scene, &request);
		reply.src = role_address(BACKEND_B, KINDS[i].family);
		expect(scene, POD, &reply, VERDICT_PASS_NO_SERVICE, NULL);
	}
}

static void give_few_ports(struct datapath_options *options)
{
	options->masquerade_ports =
		(struct masquerade_ports){.first = FIRST_OF_FEW, .count = FEW_PORTS};
}

static int open_with_few_ports(void **state)
{
	return scene_open_changed(state, give_few_ports);
}

#define few_ports_test(function)                                                                   \
	cmocka_unit_test_setup_teardown(function, open_with_few_ports, scene_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(packets_leave_as_the_nodes_and_come_back_as_the_services),
		scene_test(only_clients_elsewhere_towards_backends_elsewhere_are_masqueraded),
		scene_test(where_its_backend_is_tells_for_each_connection),
		scene_test(checksums_are_right_for_any_payload_and_for_none),
		scene_test(no_two_connections_have_one_port_towards_a_backend),
		scene_test(one_port_reaches_two_services_without_an_alias),
		scene_test(without_an_address_of_the_node_it_is_dropped),
		scene_test(a_full_table_drops_what_is_new_and_nothing_else),
		scene_test(the_sweep_leaves_what_is_alive_and_what_is_new),
		scene_test(a_connection_without_its_entry_goes_on_as_it_was),
		scene_test(what_begins_again_finds_its_port),
		scene_test(what_starts_afresh_at_another_backend_leaves_nothing_of_before),
		scene_test(what_begins_again_without_it_has_no_replies_to_the_node),
		scene_test(it_keeps_its_address_when_the_way_changes),
		scene_test(a_backend_elsewhere_that_is_its_own_client_is_masqueraded),
		scene_test(a_lone_end_is_of_nobody),
		scene_test(a_strangers_packet_to_a_port_of_the_node_is_the_stacks),
		few_ports_test(a_client_keeps_its_port_where_it_may),
		few_ports_test(without_a_free_port_a_connection_is_dropped_until_one_is_gone),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
