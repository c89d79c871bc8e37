/*
 * Tunnels that end at this node: what was in them goes to the backend at their end, as if its
 * client had sent it here; what is not of such a tunnel stays as it came.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include <string.h>
#include "test/bpf/icmp_story.h"
#include "test/bpf/tunnel_story.h"

static const struct kind ASSOCIATIONS[] = {
	{IPV4, IPPROTO_SCTP, "sctp over ipv4"},
	{IPV6, IPPROTO_SCTP, "sctp over ipv6"},
};

#define OUTER ETH_HLEN /* where the outer header begins, in a frame without tags */

/* The service is everywhere; here is a backend of it. */
static const struct offer HERE = {
	.backends = {[BACKEND_A] = BACKEND_ACTIVE},
	.masquerade = MASQUERADE_STRANGERS,
};

static void expect_arrival(struct scene *scene, const struct tunnelled *comes)
{
	const struct blueprint leaves = forwarded_to(&comes->inner, BACKEND_A, POD);

	expect_from_tunnel(scene, comes, VERDICT_REDIRECT, &leaves);
}

static void expect_refused(struct scene *scene, const struct tunnelled *comes)
{
	expect_from_tunnel(scene, comes, VERDICT_PASS_PROTOCOL, NULL);
}

static void packets_go_to_the_backend_and_answers_to_the_client(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &HERE);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A);
		struct blueprint returned = returned_from_service(&reply, UPLINK);
		struct tunnelled comes = tunnel_of(&request);

		expect_arrival(scene, &comes);
		expect(scene, POD, &reply, VERDICT_REDIRECT, &returned);
		comes.inner.tcp_flags = ACK;
		for (uint32_t word = 1; word < 0x10000; word += 4099) {
			comes.inner.first_payload_word = (uint16_t)word;
			comes.inner.payload_length = 2 + word % 1400;
			expect_arrival(scene, &comes);
		}
	}
	assert_int_equal(scene_count_connections(scene), KIND_COUNT);
}

static void an_association_is_taken_out_likewise(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < _FAMILY_COUNT; i++) {
		const struct blueprint request = request_of(&ASSOCIATIONS[i]);
		const struct blueprint reply = reply_of(&ASSOCIATIONS[i], BACKEND_A);
		const struct blueprint returned = returned_from_service(&reply, UPLINK);
		const struct tunnelled comes = tunnel_of(&request);

		scene_offer(scene, &ASSOCIATIONS[i], &HERE);
		expect_arrival(scene, &comes);
		expect_arrival(scene, &comes);
		expect(scene, POD, &reply, VERDICT_REDIRECT, &returned);
	}
}

static void tags_and_padding_are_the_frames(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &HERE);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);
		struct tunnelled comes = tunnel_of(&request);
		struct blueprint leaves = forwarded_to(&request, BACKEND_A, POD);

		comes.inner.tags.tag[0] = (struct tag){htons(0x8100), htons(7)};
		expect_from_tunnel(scene, &comes, VERDICT_REDIRECT, &leaves);
		comes.inner.tags.word = 0;
		comes.inner.padding_length = leaves.padding_length = 3;
		expect_from_tunnel(scene, &comes, VERDICT_REDIRECT, &leaves);
	}
}

/* RFC 6040, 4.2. */
static void congestion_in_the_tunnel_is_told_on(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &HERE);
	for (int i = 0; i < KIND_COUNT * 4; i++) {
		const struct blueprint request = request_of(&KINDS[i / 4]);
		struct tunnelled comes = tunnel_of(&request);

		comes.ecn = 3;
		comes.inner_ecn = (uint8_t)(i % 4);
		if (comes.inner_ecn)
			expect_arrival(scene, &comes);
		else
			expect_refused(scene, &comes);
	}
}

static void a_strangers_tunnel_does_not_end_here(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &HERE);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);
		struct tunnelled comes = tunnel_of(&request);

		comes.from = other_node(KINDS[i].family);
		expect_refused(scene, &comes);
		comes.from = role_address(STRANGER, KINDS[i].family);
		expect_refused(scene, &comes);
	}
	assert_int_equal(scene_count_connections(scene), 0);
}

static void without_a_backend_of_the_service_at_its_end_nothing_is_taken_out(void **state)
{
	struct scene *scene = *state;
	struct offer offer = HERE;

	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct tunnelled comes = tunnel_of(&request);

		expect_refused(scene, &comes); /* no service */
		scene_offer(scene, &KINDS[i], &HERE);
		comes.to = role_address(BACKEND_B, KINDS[i].family);
		expect_refused(scene, &comes);
		comes = tunnel_of(&request);
		comes.inner.dst_port = htons(81);
		expect_refused(scene, &comes);
		comes = tunnel_of(&request);
		offer = HERE;
		offer.is_remote[BACKEND_A] = true;
		scene_offer(scene, &KINDS[i], &offer);
		expect_refused(scene, &comes);
		offer = HERE;
		offer.backends[BACKEND_A] = BACKEND_DOWN;
		scene_offer(scene, &KINDS[i], &offer);
		expect_refused(scene, &comes);
		offer = HERE;
		offer.masquerade = MASQUERADE_NONE; /* no other node had to tunnel it */
		scene_offer(scene, &KINDS[i], &offer);
		expect_refused(scene, &comes);
		scene_offer(scene, &KINDS[i], &HERE);
		expect_arrival(scene, &comes);
	}
}

/* The other node has chosen it before it stopped taking new ones. */
static void a_backend_that_drains_takes_it(void **state)
{
	struct scene *scene = *state;
	struct offer drains = HERE;

	drains.backends[BACKEND_A] = BACKEND_DRAINING;
	drains.backends[BACKEND_B] = BACKEND_ACTIVE;
	scene_offer_all(scene, &drains);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);
		const struct tunnelled comes = tunnel_of(&request);

		expect_arrival(scene, &comes);
	}
}

static void who_may_not_use_the_service_may_not_by_a_tunnel(void **state)
{
	struct scene *scene = *state;
	struct offer ranged = HERE;

	ranged.source_ranges[0] = "203.0.113.0/24";
	ranged.source_ranges[1] = "2001:db8:7::/48";
	scene_offer_all(scene, &ranged);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);
		struct tunnelled comes = tunnel_of(&request);

		expect_from_tunnel(scene, &comes, VERDICT_DROP_SOURCE_RANGE, NULL);
		comes.inner.src = hairpin_address(KINDS[i].family);
		expect_from_tunnel(scene, &comes, VERDICT_DROP_MARTIAN, NULL);
	}
}

static void who_is_denied_is_denied_inside(void **state)
{
	struct scene *scene = *state;
	struct prefix prefix;
	struct refusal refusal;

	scene_offer_all(scene, &HERE);
	assert_int_equal(prefix_parse("192.0.2.0/24", &prefix, &refusal), 0);
	assert_int_equal(datapath_deny(scene->datapath, &prefix, 1), 0);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);
		const struct tunnelled comes = tunnel_of(&request);

		if (KINDS[i].family == IPV4)
			expect_from_tunnel(scene, &comes, VERDICT_DROP_DENIED, NULL);
		else
			expect_arrival(scene, &comes);
	}
}

/* One at another node is not: they would lead each other round in circles. */
static void a_known_connection_goes_on_at_its_backend_if_that_is_here(void **state)
{
	struct scene *scene = *state;
	struct offer both = HERE;

	both.backends[BACKEND_B] = BACKEND_ACTIVE;
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);
		struct tunnelled comes = tunnel_of(&request);
		struct blueprint leaves;

		scene_offer(scene, &KINDS[i], &HERE);
		expect_arrival(scene, &comes);
		scene_offer(scene, &KINDS[i], &both);
		comes.inner.tcp_flags = ACK;
		comes.to = role_address(BACKEND_B, KINDS[i].family);
		expect_arrival(scene, &comes);
		both.is_remote[BACKEND_A] = true;
		scene_offer(scene, &KINDS[i], &both);
		leaves = forwarded_to(&comes.inner, BACKEND_B, POD);
		expect_from_tunnel(scene, &comes, VERDICT_REDIRECT, &leaves);
		both.is_remote[BACKEND_A] = false;
	}
}

static void what_is_cut_short_or_otherwise_made_stays_as_it_came(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &HERE);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);
		const struct tunnelled comes = tunnel_of(&request);
		const bool is_ipv6 = KINDS[i].family == IPV6;
		struct frame whole, frame;
		const size_t inner = OUTER + (is_ipv6 ? 40 : 20);

		tunnel_build(&comes, &whole);
		frame = whole;
		frame.bytes[inner] = 0x55; /* another version inside */
		expect_bytes(scene, UPLINK, &frame, VERDICT_PASS_PROTOCOL, NULL);
		frame = whole;
		frame.bytes[inner + (is_ipv6 ? 6 : 9)] = is_ipv6 ? 41 : 4; /* a tunnel in it */
		expect_bytes(scene, UPLINK, &frame, VERDICT_PASS_PROTOCOL, NULL);
		frame = whole;
		frame.bytes[inner + (is_ipv6 ? 5 : 3)] += 1; /* longer than the outer one says */
		expect_bytes(scene, UPLINK, &frame, VERDICT_PASS_PROTOCOL, NULL);
		if (!is_ipv6) {
			frame = whole;
			frame.bytes[OUTER + 6] = 0x20; /* a fragment of a tunnel's packet */
			expect_bytes(scene, UPLINK, &frame, VERDICT_PASS_PROTOCOL, NULL);
		}
		for (size_t length = inner; length < inner + 28; length += 4) {
			frame = whole;
			frame.length = length;
			frame_fit_length(&frame);
			expect_bytes(scene, UPLINK, &frame, VERDICT_PASS_PROTOCOL, NULL);
		}
	}
	assert_int_equal(scene_count_connections(scene), 0);
}

static void another_hosts_frame_stays_as_it_came(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &HERE);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);
		struct tunnelled comes = tunnel_of(&request);

		comes.inner.to_mac[5] ^= 1;
		expect_from_tunnel(scene, &comes, VERDICT_PASS_OTHER_HOST, NULL);
	}
}

static void an_error_is_taken_out_and_goes_to_the_backend(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &HERE);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);
		const struct tunnelled comes = tunnel_of(&request);

		expect_arrival(scene, &comes);
		for (int row = 0; row < ERROR_COUNT; row++) {
			const struct story story = from_client_side(&KINDS[i], STRANGER, row);
			const size_t header = KINDS[i].family == IPV6 ? 40 : 20;
			struct tunnelled around = comes;
			struct frame inner, sent, left;

			frame_build_error(&story.comes, &inner);
			frame_build_error(&story.leaves, &left);
			around.inner = story.comes.envelope;
			around.inner.protocol =
				KINDS[i].family == IPV6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
			around.inner.payload_length = inner.length - OUTER - header;
			tunnel_build(&around, &sent);
			memcpy(&sent.bytes[OUTER + header], &inner.bytes[OUTER],
			       inner.length - OUTER);
			scene->uncounted = header; /* by the program for ICMP */
			expect_bytes(scene, UPLINK, &sent, VERDICT_REDIRECT, &left);
			scene->uncounted = 0;
		}
	}
}

static void where_no_tunnel_ends_none_is_looked_into(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &HERE);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);
		const struct tunnelled comes = tunnel_of(&request);

		expect_refused(scene, &comes);
	}
}

static void end_tunnels(struct datapath_options *options)
{
	static struct prefix sources[_FAMILY_COUNT];

	for (int family = 0; family < _FAMILY_COUNT; family++) {
		const struct address node = entry_node((enum family)family);

		sources[family] = prefix_around(&node, 128);
	}
	options->tunnel_sources = sources;
	options->tunnel_source_count = _FAMILY_COUNT;
}

static int open_with_ends(void **state)
{
	return scene_open_changed(state, end_tunnels);
}

#define end_test(function) cmocka_unit_test_setup_teardown(function, open_with_ends, scene_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		end_test(packets_go_to_the_backend_and_answers_to_the_client),
		end_test(an_association_is_taken_out_likewise),
		end_test(tags_and_padding_are_the_frames),
		end_test(congestion_in_the_tunnel_is_told_on),
		end_test(a_strangers_tunnel_does_not_end_here),
		end_test(without_a_backend_of_the_service_at_its_end_nothing_is_taken_out),
		end_test(a_backend_that_drains_takes_it),
		end_test(who_may_not_use_the_service_may_not_by_a_tunnel),
		end_test(who_is_denied_is_denied_inside),
		end_test(a_known_connection_goes_on_at_its_backend_if_that_is_here),
		end_test(what_is_cut_short_or_otherwise_made_stays_as_it_came),
		end_test(another_hosts_frame_stays_as_it_came),
		end_test(an_error_is_taken_out_and_goes_to_the_backend),
		scene_test(where_no_tunnel_ends_none_is_looked_into),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
