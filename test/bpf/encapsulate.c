/*
 * Connections that are led to other nodes in tunnels: what their packets become, which connections
 * they are, and which go on otherwise.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include <string.h>
#include "test/bpf/answer_story.h"
#include "test/bpf/icmp_story.h"
#include "test/bpf/masquerade_story.h"
#include "test/bpf/tunnel_story.h"

static const struct kind ASSOCIATIONS[] = {
	{IPV4, IPPROTO_SCTP, "sctp over ipv4"},
	{IPV6, IPPROTO_SCTP, "sctp over ipv6"},
};

#define NARROW 1400 /* bytes: an MTU */

static const char *const SERVICE_PREFIXES[] = {"10.96.0.10/32", "fd00:96::10/128"};

/* As a request leaves. */
static struct tunnelled led_away(const struct blueprint *request)
{
	struct tunnelled tunnelled = tunnel_of(request);

	tunnelled.inner.hop_limit--;
	memcpy(tunnelled.inner.to_mac, role_mac(BACKEND_A), ETH_ALEN);
	memcpy(tunnelled.inner.from_mac, interface_mac(POD), ETH_ALEN);
	return tunnelled;
}

static void expect_tunnelled(struct scene *scene, const struct blueprint *request)
{
	const struct tunnelled leaves = led_away(request);

	expect_into_tunnel(scene, request, VERDICT_REDIRECT, &leaves);
}

static void packets_leave_as_they_came_in_an_outer_header(void **state)
{
	struct scene *scene = *state;

	offer_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		expect_tunnelled(scene, &request);
		request.tcp_flags = ACK;
		expect_tunnelled(scene, &request);
		for (uint32_t length = 0; length < 1400; length += 97) {
			request.payload_length = length;
			expect_tunnelled(scene, &request);
		}
	}
	assert_int_equal(scene_count_connections(scene), KIND_COUNT);
	assert_int_equal(count_masquerades(scene), KIND_COUNT);
}

static void an_association_is_tunnelled_likewise(void **state)
{
	struct scene *scene = *state;

	offer_masqueraded(scene);
	for (int i = 0; i < _FAMILY_COUNT; i++) {
		const struct blueprint request = request_of(&ASSOCIATIONS[i]);

		scene_offer(scene, &ASSOCIATIONS[i], &MASQUERADED);
		expect_tunnelled(scene, &request);
		expect_tunnelled(scene, &request);
	}
}

static void tags_stay_or_go_as_of_any_packet(void **state)
{
	const struct masquerade_source any = {entry_node(IPV4), entry_node(IPV6)};
	const union tags tags = {.tag = {{htons(0x8100), htons(7)}}};
	struct scene *scene = *state;

	offer_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct tunnelled leaves = led_away(&request);

		request.tags = tags;
		expect_into_tunnel(scene, &request, VERDICT_REDIRECT, &leaves);
	}
	assert_int_equal(datapath_set_masquerade_source(scene->datapath, 0, &any), 0);
	scene_move(scene, BACKEND_A, UPLINK);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct tunnelled leaves;

		request.tags = tags;
		leaves = led_away(&request);
		memcpy(leaves.inner.from_mac, interface_mac(UPLINK), ETH_ALEN);
		expect_into_tunnel(scene, &request, VERDICT_TX, &leaves);
	}
}

static void what_was_marked_stays_marked_outside(void **state)
{
	struct scene *scene = *state;

	offer_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT * 4; i++) {
		const struct blueprint request = request_of(&KINDS[i / 4]);
		struct tunnelled comes = tunnel_of(&request), leaves = led_away(&request);
		struct frame sent, left;

		comes.inner_ecn = leaves.inner_ecn = (uint8_t)(i % 4);
		tunnel_build_inner(&comes, &sent);
		tunnel_build(&leaves, &left);
		expect_bytes(scene, UPLINK, &sent, VERDICT_REDIRECT, &left);
	}
}

/* Its answers are not seen; that it goes on tells that there are some. */
static void a_connection_that_goes_on_lives_as_long_as_any(void **state)
{
	struct scene *scene = *state;

	offer_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct connection connection;

		expect_tunnelled(scene, &request);
		request.tcp_flags = ACK;
		expect_tunnelled(scene, &request);
		assert_true(scene_find(scene, &request, &connection));
		if (KINDS[i].protocol == IPPROTO_TCP)
			assert_int_equal(connection.state.seen,
					 TCP_SEEN_REPLY | TCP_SEEN_ESTABLISHED);
	}
}

/* IPv4 packets, too, that might be fragmented. */
static void too_big_with_the_header_is_answered_with_what_fits(void **state)
{
	struct scene *scene = *state;

	offer_masqueraded(scene);
	scene_set_mtu(scene, POD, NARROW);
	for (int i = 0; i < KIND_COUNT; i++) {
		const bool is_ipv6 = KINDS[i].family == IPV6;
		const size_t header = is_ipv6 ? 40 : 20;
		struct blueprint request = request_of(&KINDS[i]);
		struct refused_frame refused;
		struct frame frame;
		size_t spare;

		frame_build(&request, &frame);
		spare = NARROW - header - (frame.length - ETH_HLEN);
		request.payload_length += spare;
		expect_tunnelled(scene, &request);
		request.payload_length++;
		frame_build(&request, &frame);
		refused = (struct refused_frame){
			.frame = &frame,
			.network = ETH_HLEN,
			.transport = ETH_HLEN + header,
			.linear = frame.length,
			.mtu = (uint32_t)(NARROW - header),
		};
		expect_answer_to(scene, UPLINK, &refused, VERDICT_ANSWER_TOO_BIG);
	}
}

static void the_last_hop_is_the_stacks_to_answer(void **state)
{
	struct scene *scene = *state;

	offer_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		request.hop_limit = 1;
		expect(scene, UPLINK, &request, VERDICT_PASS_HOP_LIMIT, NULL);
	}
}

static void without_an_address_of_the_node_nothing_leaves(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &MASQUERADED);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);

		expect(scene, UPLINK, &request, VERDICT_DROP_MASQUERADE, NULL);
	}
}

static void an_address_of_the_node_is_masqueraded(void **state)
{
	struct scene *scene = *state;

	for (int family = 0; family < _FAMILY_COUNT; family++)
		scene_set_network(scene, SERVICE_PREFIXES[family], NETWORK_NODE);
	offer_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++)
		connect_masqueraded(scene, &KINDS[i]);
}

static void what_may_be_segments_is_masqueraded(void **state)
{
	struct scene *scene = *state;

	scene_flag_port(scene, UPLINK, PORT_GENERIC);
	offer_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++)
		connect_masqueraded(scene, &KINDS[i]);
}

static void a_masquerade_of_before_goes_on(void **state)
{
	struct scene *scene = *state;

	scene_flag_port(scene, UPLINK, PORT_GENERIC); /* as if there had been no tunnels */
	offer_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++)
		connect_masqueraded(scene, &KINDS[i]);
	scene_flag_port(scene, UPLINK, 0);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		request.tcp_flags = ACK;
		expect_masqueraded(scene, &request);
		if (KINDS[i].protocol != IPPROTO_TCP)
			continue;
		scene_forget(scene, &request); /* it has lost its entry */
		expect_masqueraded(scene, &request);
		request.tcp_flags = RST;
		expect_masqueraded(scene, &request);
		request.tcp_flags = SYN; /* another one */
		expect_tunnelled(scene, &request);
		assert_int_equal(node_port(scene, &request), 0);
	}
}

static void a_tunnel_of_before_goes_on(void **state)
{
	struct scene *scene = *state;

	offer_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);

		expect_tunnelled(scene, &request);
	}
	for (int family = 0; family < _FAMILY_COUNT; family++)
		scene_set_network(scene, SERVICE_PREFIXES[family], NETWORK_NODE);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		request.tcp_flags = ACK;
		expect_tunnelled(scene, &request);
		if (KINDS[i].protocol != IPPROTO_TCP)
			continue;
		scene_forget(scene, &request);
		expect_tunnelled(scene, &request);
		request.tcp_flags = RST;
		expect_tunnelled(scene, &request);
		request.tcp_flags = SYN;
		expect_masqueraded(scene, &request);
	}
}

static void the_sweep_forgets_what_is_gone(void **state)
{
	struct scene *scene = *state;

	offer_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);

		expect_tunnelled(scene, &request);
	}
	sweep_masquerades(scene, 11);
	assert_int_equal(count_masquerades(scene), KIND_COUNT);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);

		scene_forget(scene, &request);
	}
	sweep_masquerades(scene, 11);
	assert_int_equal(count_masquerades(scene), 0);
}

/* What its backend has sent met a router that tells the client's end: the backend must hear. */
static void an_error_about_an_answer_goes_to_who_has_sent_it(void **state)
{
	struct scene *scene = *state;

	offer_masqueraded(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		expect_tunnelled(scene, &request);
		for (int row = 0; row < ERROR_COUNT; row++) {
			struct story story = from_client_side(&KINDS[i], STRANGER, row);
			struct tunnelled around = led_away(&request);
			struct frame sent, inner, left;
			const size_t at = ETH_HLEN, header = KINDS[i].family == IPV6 ? 40 : 20;

			frame_build_error(&story.comes, &sent);
			memcpy(story.comes.envelope.to_mac, around.inner.to_mac, ETH_ALEN);
			memcpy(story.comes.envelope.from_mac, around.inner.from_mac, ETH_ALEN);
			story.comes.envelope.hop_limit--;
			frame_build_error(&story.comes, &inner);
			around.inner = story.comes.envelope;
			around.inner.protocol =
				KINDS[i].family == IPV6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
			around.inner.payload_length = inner.length - at - header;
			tunnel_build(&around, &left);
			memcpy(&left.bytes[at + header], &inner.bytes[at], inner.length - at);
			expect_bytes(scene, UPLINK, &sent, VERDICT_REDIRECT, &left);
		}
	}
}

static void tunnel(struct datapath_options *options)
{
	options->tunnels = true;
}

static int open_with_tunnels(void **state)
{
	return scene_open_changed(state, tunnel);
}

#define tunnel_test(function)                                                                      \
	cmocka_unit_test_setup_teardown(function, open_with_tunnels, scene_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		tunnel_test(packets_leave_as_they_came_in_an_outer_header),
		tunnel_test(an_association_is_tunnelled_likewise),
		tunnel_test(tags_stay_or_go_as_of_any_packet),
		tunnel_test(what_was_marked_stays_marked_outside),
		tunnel_test(a_connection_that_goes_on_lives_as_long_as_any),
		tunnel_test(too_big_with_the_header_is_answered_with_what_fits),
		tunnel_test(the_last_hop_is_the_stacks_to_answer),
		tunnel_test(without_an_address_of_the_node_nothing_leaves),
		tunnel_test(an_address_of_the_node_is_masqueraded),
		tunnel_test(what_may_be_segments_is_masqueraded),
		tunnel_test(a_masquerade_of_before_goes_on),
		tunnel_test(a_tunnel_of_before_goes_on),
		tunnel_test(the_sweep_forgets_what_is_gone),
		tunnel_test(an_error_about_an_answer_goes_to_who_has_sent_it),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
