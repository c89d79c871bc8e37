/*
 * ICMP errors about packets of our connections: they go to whom those came from, and quote what
 * that one has sent. icmp_stranger.c has those that pass untouched.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <string.h>
#include "test/bpf/icmp_story.h"

#define TCP_CHECKSUM_AT 16
#define TCP_CHECKSUM_END 18 /* bytes of the transport that must be quoted for it */

static void an_error_from_the_backend_comes_from_the_service(void **state)
{
	struct scene *scene = *state;

	connect_all(scene);
	for (int i = 0; i < KIND_COUNT * 6; i++) {
		struct story story = from_backend_side(&KINDS[i / 6], BACKEND_A, i % 6);

		expect_icmp(scene, POD, &story.comes, VERDICT_REDIRECT, &story.leaves);
	}
}

static void a_router_before_the_backend_keeps_its_address(void **state)
{
	struct scene *scene = *state;

	connect_all(scene);
	for (int i = 0; i < KIND_COUNT * 6; i++) {
		struct story story = from_backend_side(&KINDS[i / 6], STRANGER, i % 6);

		expect_icmp(scene, POD, &story.comes, VERDICT_REDIRECT, &story.leaves);
	}
}

static void an_error_from_the_client_goes_to_the_backend(void **state)
{
	static const enum role SENDERS[] = {CLIENT, STRANGER};
	struct scene *scene = *state;

	connect_all(scene);
	for (int i = 0; i < KIND_COUNT * 12; i++) {
		struct story story = from_client_side(&KINDS[i / 12], SENDERS[i % 12 / 6], i % 6);

		expect_icmp(scene, UPLINK, &story.comes, VERDICT_REDIRECT, &story.leaves);
	}
}

/* But never half of TCP's checksum, which the builder would make of the whole one. */
static void quote_so_much(struct story *story, const struct kind *kind, size_t length)
{
	story->comes.quote_length = story->leaves.quote_length = length;
	if (kind->protocol == IPPROTO_TCP && length < quote_ip_header(kind) + TCP_CHECKSUM_END &&
	    length > quote_ip_header(kind) + TCP_CHECKSUM_AT)
		story->comes.quote_length = story->leaves.quote_length =
			quote_ip_header(kind) + TCP_CHECKSUM_AT;
}

static void what_is_quoted_is_translated_however_much_it_is(void **state)
{
	struct scene *scene = *state;

	connect_all(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct kind *kind = &KINDS[i];

		for (size_t length = quote_ip_header(kind) + PORTS_END;
		     length < quote_ip_header(kind) + 60; length++) {
			struct story there = from_client_side(kind, CLIENT, 0);
			struct story back = from_backend_side(kind, BACKEND_A, 0);

			quote_so_much(&there, kind, length);
			quote_so_much(&back, kind, length);

			expect_icmp(scene, UPLINK, &there.comes, VERDICT_REDIRECT, &there.leaves);
			expect_icmp(scene, POD, &back.comes, VERDICT_REDIRECT, &back.leaves);
		}
	}
}

/* RFC 768: zero says that there is none, and stays. */
static void a_quoted_udp_packet_without_a_checksum_stays_without(void **state)
{
	struct scene *scene = *state;

	connect_all(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct story story = from_backend_side(&KINDS[i], BACKEND_A, 1);

		story.comes.quoted.udp_checksum = CHECKSUM_NONE;
		story.leaves.quoted.udp_checksum = CHECKSUM_NONE;

		expect_icmp(scene, POD, &story.comes, VERDICT_REDIRECT, &story.leaves);
	}
}

static void checksums_are_right_for_any_payload(void **state)
{
	struct scene *scene = *state;

	connect_all(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (uint32_t word = 1; word < 0x10000; word += 97) {
			struct story story = from_client_side(&KINDS[i], STRANGER, 2);

			story.comes.quoted.first_payload_word = (uint16_t)word;
			story.leaves.quoted.first_payload_word = (uint16_t)word;
			story.comes.rest = story.leaves.rest = word * 65537;

			expect_icmp(scene, UPLINK, &story.comes, VERDICT_REDIRECT, &story.leaves);
		}
	}
}

static void ipv4_options_of_both_headers_are_skipped(void **state)
{
	struct scene *scene = *state;

	connect_all(scene);
	for (int i = 0; i < 2; i++) {
		for (size_t length = 0; length <= IPV4_OPTIONS_MAX; length += 4) {
			struct story story = from_backend_side(&KINDS[i], BACKEND_A, 0);

			story.comes.envelope.options_length = IPV4_OPTIONS_MAX - length;
			story.leaves.envelope.options_length = IPV4_OPTIONS_MAX - length;
			story.comes.quoted.options_length = length;
			story.leaves.quoted.options_length = length;

			expect_icmp(scene, POD, &story.comes, VERDICT_REDIRECT, &story.leaves);
		}
	}
}

/* Anybody can send one: it must not keep a connection alive, nor move the way back. */
static void an_error_changes_nothing_of_the_connection(void **state)
{
	struct connection before, after;
	struct scene *scene = *state;

	connect_all(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);
		struct story there = from_client_side(&KINDS[i], STRANGER, 0);
		struct story back = from_backend_side(&KINDS[i], STRANGER, 0);
		struct traffic_counter carried = scene_traffic(scene, &KINDS[i]), carries;

		memcpy(there.comes.envelope.from_mac, role_mac(STRANGER), ETH_ALEN);
		scene_let_pass(scene, &request, UDP_SECONDS / 2);
		assert_true(scene_find(scene, &request, &before));
		expect_icmp(scene, UPLINK, &there.comes, VERDICT_REDIRECT, &there.leaves);
		expect_icmp(scene, POD, &back.comes, VERDICT_REDIRECT, &back.leaves);

		assert_true(scene_find(scene, &request, &after));
		assert_memory_equal(&before, &after, sizeof(before));
		carries = scene_traffic(scene, &KINDS[i]);
		assert_memory_equal(&carried, &carries, sizeof(carried));
	}
	assert_int_equal(scene_count_connections(scene), KIND_COUNT);
}

static void an_error_about_a_first_fragment_is_translated(void **state)
{
	struct scene *scene = *state;

	connect_all(scene);
	for (int i = 0; i < 2; i++) {
		struct story story = from_backend_side(&KINDS[i], BACKEND_A, 4);

		story.comes.quoted.fragment = story.leaves.quoted.fragment = 0x2000;

		expect_icmp(scene, POD, &story.comes, VERDICT_REDIRECT, &story.leaves);
	}
}

static void an_error_is_forwarded_like_any_packet(void **state)
{
	struct scene *scene = *state;

	connect_all(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct story story = from_client_side(&KINDS[i], CLIENT, 0);

		story.comes.envelope.hop_limit = 1;
		expect_icmp(scene, UPLINK, &story.comes, VERDICT_PASS_HOP_LIMIT, NULL);

		/* Unresolved: translated, and the stack does the rest. */
		story = from_client_side(&KINDS[i], CLIENT, 0);
		story.leaves.envelope = translated_to(&story.comes.envelope, BACKEND_A);
		scene_move(scene, BACKEND_A, NOWHERE);
		expect_icmp(scene, UPLINK, &story.comes, VERDICT_PASS_UNRESOLVED, &story.leaves);
		scene_move(scene, BACKEND_A, POD);
	}
}

/* What BACKEND_A has sent to itself through the service came to it from the hairpin address. */
static void errors_about_a_pod_that_is_its_own_backend_go_back_to_it(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct address hairpin = hairpin_address(KINDS[i].family);
		const struct address pod = role_address(BACKEND_A, KINDS[i].family);
		struct story back = from_backend_side(&KINDS[i], BACKEND_A, 1);
		struct story there = from_client_side(&KINDS[i], BACKEND_A, 1);
		struct blueprint request = request_of(&KINDS[i]), turned;

		request.src = pod;
		memcpy(request.from_mac, role_mac(BACKEND_A), ETH_ALEN);
		memcpy(request.to_mac, interface_mac(POD), ETH_ALEN);
		turned = forwarded_to(&request, BACKEND_A, POD);
		turned.src = hairpin;
		expect(scene, POD, &request, VERDICT_TX, &turned);

		back.comes.envelope.dst = back.comes.quoted.src = hairpin;
		back.leaves.envelope.dst = back.leaves.quoted.src = pod;
		memcpy(back.leaves.envelope.to_mac, role_mac(BACKEND_A), ETH_ALEN);
		memcpy(back.leaves.envelope.from_mac, interface_mac(POD), ETH_ALEN);
		expect_icmp(scene, POD, &back.comes, VERDICT_TX, &back.leaves);

		there.comes.quoted.dst = pod;
		there.leaves.quoted.dst = there.leaves.envelope.src = hairpin;
		memcpy(there.comes.envelope.to_mac, interface_mac(POD), ETH_ALEN);
		expect_icmp(scene, POD, &there.comes, VERDICT_TX, &there.leaves);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(an_error_from_the_backend_comes_from_the_service),
		scene_test(a_router_before_the_backend_keeps_its_address),
		scene_test(an_error_from_the_client_goes_to_the_backend),
		scene_test(what_is_quoted_is_translated_however_much_it_is),
		scene_test(a_quoted_udp_packet_without_a_checksum_stays_without),
		scene_test(checksums_are_right_for_any_payload),
		scene_test(ipv4_options_of_both_headers_are_skipped),
		scene_test(an_error_changes_nothing_of_the_connection),
		scene_test(an_error_about_a_first_fragment_is_translated),
		scene_test(an_error_is_forwarded_like_any_packet),
		scene_test(errors_about_a_pod_that_is_its_own_backend_go_back_to_it),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
