/*
 * ICMP errors that are about no packet of our connections, or too short to tell: they pass
 * untouched.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <string.h>
#include "test/bpf/icmp_story.h"

static void a_quote_that_ends_before_the_ports_passes_untouched(void **state)
{
	struct scene *scene = *state;

	connect_all(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t length = 0; length < quote_ip_header(&KINDS[i]) + PORTS_END; length++) {
			struct story there = from_client_side(&KINDS[i], CLIENT, 0);
			struct story back = from_backend_side(&KINDS[i], BACKEND_A, 0);

			there.comes.quote_length = back.comes.quote_length = length;

			expect_icmp(scene, UPLINK, &there.comes, VERDICT_PASS_MALFORMED, NULL);
			expect_icmp(scene, POD, &back.comes, VERDICT_PASS_MALFORMED, NULL);
		}
	}
}

/* The lengths stay: each of these frames says more than it has. */
static void an_error_cut_short_anywhere_passes_untouched(void **state)
{
	struct scene *scene = *state;
	struct frame whole, cut;

	connect_all(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct story there = from_client_side(&KINDS[i], CLIENT, 0);
		struct story back = from_backend_side(&KINDS[i], BACKEND_A, 0);

		frame_build_error(&there.comes, &whole);
		for (cut = whole, cut.length = ETH_HLEN; cut.length < whole.length; cut.length++)
			expect_bytes(scene, UPLINK, &cut, VERDICT_PASS_MALFORMED, NULL);
		frame_build_error(&back.comes, &whole);
		for (cut = whole, cut.length = ETH_HLEN; cut.length < whole.length; cut.length++)
			expect_bytes(scene, POD, &cut, VERDICT_PASS_MALFORMED, NULL);
	}
}

static void an_error_about_another_flow_passes_untouched(void **state)
{
	struct scene *scene = *state;

	connect_all(scene);
	for (int i = 0; i < KIND_COUNT * 3; i++) {
		struct story there = from_client_side(&KINDS[i / 3], CLIENT, 0);
		struct story back = from_backend_side(&KINDS[i / 3], BACKEND_A, 0);

		if (i % 3 == 0) {
			there.comes.quoted.dst_port = htons(CLIENT_PORT + 1);
			back.comes.quoted.src_port = htons(CLIENT_PORT + 1);
		} else if (i % 3 == 1) {
			there.comes.quoted.src_port = htons(SERVICE_PORT + 1);
			back.comes.quoted.dst_port = htons(BACKEND_PORT + 1);
		} else {
			there.comes.quoted.dst = role_address(STRANGER, KINDS[i / 3].family);
			back.comes.quoted.src = role_address(STRANGER, KINDS[i / 3].family);
			back.comes.envelope.dst = back.comes.quoted.src;
		}
		expect_icmp(scene, UPLINK, &there.comes, VERDICT_PASS_NO_SERVICE, NULL);
		expect_icmp(scene, POD, &back.comes, VERDICT_PASS_NO_SERVICE, NULL);
	}
	assert_int_equal(scene_count_connections(scene), KIND_COUNT);
}

static void an_error_about_an_expired_connection_passes_untouched(void **state)
{
	struct scene *scene = *state;

	connect_all(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);
		struct story there = from_client_side(&KINDS[i], CLIENT, 0);
		struct story back = from_backend_side(&KINDS[i], BACKEND_A, 0);

		scene_let_pass(scene, &request, TCP_ESTABLISHED_SECONDS + 2);

		expect_icmp(scene, UPLINK, &there.comes, VERDICT_PASS_NO_SERVICE, NULL);
		expect_icmp(scene, POD, &back.comes, VERDICT_PASS_NO_SERVICE, NULL);
	}
}

static void an_error_about_a_backend_that_is_gone_passes_untouched(void **state)
{
	struct scene *scene = *state;

	connect_all(scene);
	scene_offer_all(scene, &ONLY_B);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct story there = from_client_side(&KINDS[i], CLIENT, 0);
		struct story back = from_backend_side(&KINDS[i], BACKEND_A, 0);

		expect_icmp(scene, UPLINK, &there.comes, VERDICT_PASS_NO_SERVICE, NULL);
		expect_icmp(scene, POD, &back.comes, VERDICT_PASS_NO_SERVICE, NULL);
	}
}

static void what_is_no_error_about_tcp_or_udp_passes_untouched(void **state)
{
	static const uint8_t TYPES[_FAMILY_COUNT][8] = {
		[IPV4] = {0, 4, 5, 9, 10, 13, 14, 255},
		[IPV6] = {0, 5, 100, 127, 133, 135, 137, 255},
	};
	struct scene *scene = *state;
	struct story story;

	connect_all(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (int row = 0; row < 8; row++) {
			story = from_backend_side(&KINDS[i], BACKEND_A, 0);
			story.comes.type = TYPES[KINDS[i].family][row];
			expect_icmp(scene, POD, &story.comes, VERDICT_PASS_PROTOCOL, NULL);
		}
		story = from_backend_side(&KINDS[i], BACKEND_A, 0);
		story.comes.quoted.protocol =
			KINDS[i].family == IPV6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
		expect_icmp(scene, POD, &story.comes, VERDICT_PASS_PROTOCOL, NULL);
	}
}

/* Only the first has ports; of IPv6 none was forwarded. */
static void an_error_about_a_later_fragment_passes_untouched(void **state)
{
	struct scene *scene = *state;

	connect_all(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct story story = from_backend_side(&KINDS[i], BACKEND_A, 3);

		story.comes.quoted.fragment = 0x2001;
		if (KINDS[i].family == IPV6)
			story.comes.quoted.protocol = IPPROTO_FRAGMENT;

		expect_icmp(scene, POD, &story.comes, VERDICT_PASS_FRAGMENT, NULL);
	}
}

static void an_error_that_goes_elsewhere_than_its_cause_came_from_passes_untouched(void **state)
{
	struct scene *scene = *state;

	connect_all(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct story there = from_client_side(&KINDS[i], CLIENT, 0);
		struct story back = from_backend_side(&KINDS[i], BACKEND_A, 0);

		there.comes.envelope.dst = role_address(BACKEND_A, KINDS[i].family);
		back.comes.envelope.dst = role_address(STRANGER, KINDS[i].family);

		expect_icmp(scene, UPLINK, &there.comes, VERDICT_PASS_MALFORMED, NULL);
		expect_icmp(scene, POD, &back.comes, VERDICT_PASS_MALFORMED, NULL);
	}
}

static void an_error_in_a_frame_to_another_host_passes_untouched(void **state)
{
	struct scene *scene = *state;

	connect_all(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct story story = from_client_side(&KINDS[i], CLIENT, 0);

		memcpy(story.comes.envelope.to_mac, role_mac(STRANGER), ETH_ALEN);

		expect_icmp(scene, UPLINK, &story.comes, VERDICT_PASS_OTHER_HOST, NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(a_quote_that_ends_before_the_ports_passes_untouched),
		scene_test(an_error_cut_short_anywhere_passes_untouched),
		scene_test(an_error_about_another_flow_passes_untouched),
		scene_test(an_error_about_an_expired_connection_passes_untouched),
		scene_test(an_error_about_a_backend_that_is_gone_passes_untouched),
		scene_test(what_is_no_error_about_tcp_or_udp_passes_untouched),
		scene_test(an_error_about_a_later_fragment_passes_untouched),
		scene_test(an_error_that_goes_elsewhere_than_its_cause_came_from_passes_untouched),
		scene_test(an_error_in_a_frame_to_another_host_passes_untouched),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
