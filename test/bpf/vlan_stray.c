/*
 * What comes behind VLAN tags and is not balanced, or not at first sight: errors, denied sources,
 * what is none of ours, what is cut short.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include <string.h>
#include "lb/address.h"
#include "test/bpf/icmp_story.h"
#include "test/bpf/scene.h"
#include "test/bpf/tags.h"

static const union tags TAGS[] = {
	{.tag = {TAG(CUSTOMER, 10)}},
	{.tag = {TAG(PROVIDER, 0)}},
	{.tag = {TAG(PROVIDER, 100), TAG(CUSTOMER, 10)}},
};

#define TAGS_COUNT (sizeof(TAGS) / sizeof(TAGS[0]))

static void connect_with_tags(struct scene *scene, union tags tags)
{
	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		const struct blueprint leaves = forwarded_to(&request, BACKEND_A, POD);

		request.tags = tags;
		expect(scene, UPLINK, &request, VERDICT_REDIRECT, &leaves);
	}
}

static void errors_about_tagged_connections_go_both_ways(void **state)
{
	struct scene *scene = *state;

	for (size_t row = 0; row < TAGS_COUNT; row++) {
		connect_with_tags(scene, TAGS[row]);
		for (int i = 0; i < KIND_COUNT; i++) {
			for (int error = 0; error < ERROR_COUNT; error++) {
				struct story there = from_client_side(&KINDS[i], STRANGER, error);
				struct story back = from_backend_side(&KINDS[i], BACKEND_A, error);

				there.comes.envelope.tags = TAGS[row];
				expect_icmp(scene, UPLINK, &there.comes, VERDICT_REDIRECT,
					    &there.leaves);
				back.leaves.envelope.tags = TAGS[row];
				expect_icmp(scene, POD, &back.comes, VERDICT_REDIRECT,
					    &back.leaves);
			}
		}
	}
}

/* Not of a connection: the stack has it as it came. */
static void other_tagged_errors_pass_untouched(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct story story = from_client_side(&KINDS[i], CLIENT, 0);

		story.comes.envelope.tags = TAGS[2];
		expect_icmp(scene, UPLINK, &story.comes, VERDICT_PASS_NO_SERVICE, NULL);
	}
}

/* Puts eight bytes of destination options behind the IPv6 header. */
static void insert_options(const struct blueprint *packet, struct frame *frame)
{
	const size_t at = blueprint_network(packet) + 40;
	uint8_t *ip;

	frame_build(packet, frame);
	ip = &frame->bytes[at - 40];
	memmove(&frame->bytes[at + 8], &frame->bytes[at], frame->length - at);
	memset(&frame->bytes[at], 0, 8);
	frame->bytes[at] = ip[6];
	frame->bytes[at + 2] = 1; /* PadN of six bytes */
	frame->bytes[at + 3] = 4;
	frame->length += 8;
	ip[5] = (uint8_t)(ip[5] + 8); /* the payload is short */
	ip[6] = IPPROTO_DSTOPTS;
}

static void extension_headers_are_passed_over_behind_tags(void **state)
{
	static struct frame frame, becomes;
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t row = 0; row < TAGS_COUNT; row++) {
			struct blueprint request = request_of(&KINDS[i]), leaves;

			if (KINDS[i].family != IPV6)
				continue;
			leaves = forwarded_to(&request, BACKEND_A, POD);
			request.tags = TAGS[row];
			insert_options(&request, &frame);
			insert_options(&leaves, &becomes);
			expect_bytes(scene, UPLINK, &frame, VERDICT_REDIRECT, &becomes);
		}
	}
}

static void tagged_packets_to_others_pass_untouched(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t row = 0; row < TAGS_COUNT; row++) {
			struct blueprint packet = request_of(&KINDS[i]);

			packet.tags = TAGS[row];
			packet.dst = role_address(STRANGER, KINDS[i].family);
			expect(scene, UPLINK, &packet, VERDICT_PASS_NO_SERVICE, NULL);
			packet.protocol = 47; /* GRE */
			expect(scene, UPLINK, &packet, VERDICT_PASS_PROTOCOL, NULL);
		}
	}
}

static void what_is_not_ip_behind_tags_passes_untouched(void **state)
{
	static const uint16_t ETHERTYPES[] = {ETH_P_ARP, ETH_P_LLDP, ETH_P_8021Q, ETH_P_8021AD};
	struct scene *scene = *state;
	static struct frame frame;

	scene_offer_all(scene, &ONLY_A);
	for (size_t row = 0; row < sizeof(ETHERTYPES) / sizeof(ETHERTYPES[0]); row++) {
		struct blueprint packet = request_of(&KINDS[0]);

		packet.tags = TAGS[2];
		frame_build(&packet, &frame);
		frame.bytes[20] = (uint8_t)(ETHERTYPES[row] >> 8);
		frame.bytes[21] = (uint8_t)ETHERTYPES[row];
		expect_bytes(scene, UPLINK, &frame, VERDICT_PASS_PROTOCOL, NULL);
	}
}

static size_t transport_header(const struct kind *kind)
{
	return kind->protocol == IPPROTO_TCP ? 20 : 8;
}

static void a_tagged_frame_cut_short_anywhere_passes_untouched(void **state)
{
	struct scene *scene = *state;
	static struct frame frame;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t row = 0; row < TAGS_COUNT; row++) {
			struct blueprint request = request_of(&KINDS[i]);

			request.tags = TAGS[row];
			request.payload_length = 0;
			frame_build(&request, &frame);
			while (--frame.length >= ETH_HLEN)
				expect_bytes(scene, UPLINK, &frame, VERDICT_PASS_MALFORMED, NULL);
		}
	}
}

/* The lengths agree, but the first buffer ends early: what is in later ones cannot be read. */
static void headers_behind_tags_in_later_buffers_pass_untouched(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		const size_t ip = KINDS[i].family == IPV6 ? 40 : 20;

		request.tags = TAGS[2];
		request.payload_length = 5000;
		scene->linear = blueprint_network(&request) + ip + transport_header(&KINDS[i]) - 1;
		expect(scene, UPLINK, &request, VERDICT_PASS_MALFORMED, NULL);
		scene->linear = 0;
	}
}

static void deny(struct scene *scene, const char *text, uint32_t index)
{
	struct refusal refusal;
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix, &refusal), 0);
	assert_int_equal(datapath_deny(scene->datapath, &prefix, index), 0);
}

static void a_denied_source_is_denied_behind_tags(void **state)
{
	struct scene *scene = *state;

	deny(scene, "192.0.2.0/24", 1);
	deny(scene, "2001:db8::/64", 2);
	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t row = 0; row < TAGS_COUNT; row++) {
			struct blueprint request = request_of(&KINDS[i]), leaves;

			request.tags = TAGS[row];
			expect(scene, UPLINK, &request, VERDICT_DROP_DENIED, NULL);
			request.src = role_address(STRANGER, KINDS[i].family);
			leaves = forwarded_to(&request, BACKEND_A, POD);
			leaves.tags = NO_TAGS;
			expect(scene, UPLINK, &request, VERDICT_REDIRECT, &leaves);
		}
	}
}

static void neighbour_discovery_is_not_denied_behind_tags(void **state)
{
	struct scene *scene = *state;
	static struct frame frame;

	deny(scene, "2001:db8::/64", 1);
	for (size_t row = 0; row < TAGS_COUNT; row++) {
		struct blueprint packet = request_of(&KINDS[KIND_COUNT - 1]);

		packet.protocol = IPPROTO_ICMPV6;
		packet.tags = TAGS[row];
		frame_build(&packet, &frame);
		frame.bytes[blueprint_network(&packet) + 40] = 135; /* neighbour solicitation */
		expect_bytes(scene, UPLINK, &frame, VERDICT_PASS_PROTOCOL, NULL);
		frame.bytes[blueprint_network(&packet) + 40] = 128; /* echo request */
		expect_bytes(scene, UPLINK, &frame, VERDICT_DROP_DENIED, NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(errors_about_tagged_connections_go_both_ways),
		scene_test(other_tagged_errors_pass_untouched),
		scene_test(extension_headers_are_passed_over_behind_tags),
		scene_test(tagged_packets_to_others_pass_untouched),
		scene_test(what_is_not_ip_behind_tags_passes_untouched),
		scene_test(a_tagged_frame_cut_short_anywhere_passes_untouched),
		scene_test(headers_behind_tags_in_later_buffers_pass_untouched),
		scene_test(a_denied_source_is_denied_behind_tags),
		scene_test(neighbour_discovery_is_not_denied_behind_tags),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
