/*
 * Denied sources: whatever they send ends, but for what makes neighbours known to each other.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/in.h>
#include <stdlib.h>
#include <string.h>
#include "lb/address.h"
#include "lb/datapath_audit.h"
#include "test/bpf/scene.h"

#define ND_TYPE_AT (ETH_HLEN + 40) /* behind an IPv6 header */

static struct prefix prefix_of(const char *text)
{
	struct prefix prefix = {};
	struct refusal refusal;

	if (prefix_parse(text, &prefix, &refusal))
		fail_msg("%s", refusal.text);
	return prefix;
}

static void deny(struct scene *scene, const char *text, uint32_t index)
{
	const struct prefix prefix = prefix_of(text);

	assert_int_equal(datapath_deny(scene->datapath, &prefix, index), 0);
}

static void allow(struct scene *scene, const char *text)
{
	const struct prefix prefix = prefix_of(text);

	assert_int_equal(datapath_allow(scene->datapath, &prefix), 0);
}

static uint64_t dropped(struct scene *scene, uint32_t index)
{
	struct counter counter;

	assert_int_equal(datapath_read_denied(scene->datapath, index, &counter), 0);
	return counter.packets;
}

static struct blueprint request_from(const struct kind *kind, const char *source)
{
	struct blueprint request = request_of(kind);

	assert_int_equal(address_parse(source, &request.src), 0);
	return request;
}

static void deny_client(struct scene *scene)
{
	deny(scene, "192.0.2.0/24", 1);
	deny(scene, "2001:db8::/64", 2);
}

static void allow_client(struct scene *scene)
{
	allow(scene, "192.0.2.0/24");
	allow(scene, "2001:db8::/64");
}

static void a_denied_source_reaches_no_service_until_it_is_allowed(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint forwarded = forwarded_to(&request, BACKEND_A, POD);

		deny_client(scene);
		expect(scene, UPLINK, &request, VERDICT_DROP_DENIED, NULL);
		allow_client(scene);
		expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
	}
}

static void whatever_a_denied_source_sends_ends(void **state)
{
	static const uint8_t PROTOCOLS[] = {
		IPPROTO_HOPOPTS, IPPROTO_ICMP, IPPROTO_IPIP, IPPROTO_GRE,
		IPPROTO_ESP,     IPPROTO_SCTP, 255,
	};
	struct scene *scene = *state;

	deny_client(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint packet = request_of(&KINDS[i]);

		packet.dst_port = htons(9); /* no service */
		expect(scene, UPLINK, &packet, VERDICT_DROP_DENIED, NULL);
		packet.dst = role_address(STRANGER, KINDS[i].family);
		expect(scene, UPLINK, &packet, VERDICT_DROP_DENIED, NULL);
		packet.fragment = 0x2001;
		if (KINDS[i].family == IPV6)
			packet.protocol = IPPROTO_FRAGMENT;
		expect(scene, UPLINK, &packet, VERDICT_DROP_DENIED, NULL);
		packet.fragment = 0;
		for (size_t row = 0; row < sizeof(PROTOCOLS); row++) {
			packet.protocol = PROTOCOLS[row];
			expect(scene, POD, &packet, VERDICT_DROP_DENIED, NULL);
		}
	}
}

/* Its header cut short, or behind what fits the first buffer: its source is known all the same. */
static void a_malformed_packet_of_a_denied_source_ends(void **state)
{
	struct scene *scene = *state;
	struct frame frame;

	deny_client(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		const size_t header = KINDS[i].family == IPV6 ? 40 : 20;

		frame_build(&request, &frame);
		frame.length = ETH_HLEN + header + 4;
		expect_bytes(scene, UPLINK, &frame, VERDICT_DROP_DENIED, NULL);
		frame.length = ETH_HLEN + header - 1; /* nothing can be told */
		expect_bytes(scene, UPLINK, &frame, VERDICT_PASS_MALFORMED, NULL);
	}
}

static void established_connections_of_a_denied_source_end(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A);
		struct blueprint returned = returned_from_service(&reply, UPLINK);

		scene_play(scene, &request, "SsA");
		deny_client(scene);
		request.tcp_flags = ACK;
		reply.tcp_flags = returned.tcp_flags = ACK;

		expect(scene, UPLINK, &request, VERDICT_DROP_DENIED, NULL);
		expect(scene, POD, &reply, VERDICT_REDIRECT,
		       &returned); /* only sources are asked */
		allow_client(scene);
	}
}

static void a_denied_backend_answers_nobody(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	deny(scene, "10.1.0.11", 1);
	deny(scene, "fd00:1::11", 2);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint forwarded = forwarded_to(&request, BACKEND_A, POD);
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A);

		expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
		expect(scene, POD, &reply, VERDICT_DROP_DENIED, NULL);
	}
}

static void arp_and_other_ethertypes_are_never_denied(void **state)
{
	static const uint16_t ETHERTYPES[] = {ETH_P_ARP, ETH_P_LLDP, 0x0600, 0xffff};
	struct scene *scene = *state;
	struct frame frame;

	deny(scene, "0.0.0.0/0", 1);
	deny(scene, "::/0", 2);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		frame_build(&request, &frame);
		for (size_t row = 0; row < sizeof(ETHERTYPES) / sizeof(ETHERTYPES[0]); row++) {
			frame.bytes[12] = (uint8_t)(ETHERTYPES[row] >> 8);
			frame.bytes[13] = (uint8_t)ETHERTYPES[row];
			expect_bytes(scene, UPLINK, &frame, VERDICT_PASS_PROTOCOL, NULL);
		}
	}
}

static void neighbour_discovery_is_never_denied_and_other_icmp_is(void **state)
{
	struct blueprint packet = request_of(&KINDS[2]);
	struct scene *scene = *state;
	struct frame frame;

	deny(scene, "::/0", 1);
	packet.protocol = IPPROTO_ICMPV6;
	frame_build(&packet, &frame);
	for (int type = 0; type < 256; type++) {
		const bool discovery = type >= 133 && type <= 137;

		frame.bytes[ND_TYPE_AT] = (uint8_t)type;
		expect_bytes(scene, UPLINK, &frame,
			     discovery ? VERDICT_PASS_PROTOCOL : VERDICT_DROP_DENIED, NULL);
	}
	frame.bytes[ND_TYPE_AT] = 135;
	frame.bytes[20] = IPPROTO_ICMP; /* of IPv4: no discovery */
	expect_bytes(scene, UPLINK, &frame, VERDICT_DROP_DENIED, NULL);
}

struct row {
	enum family family;
	const char *source;
	uint32_t prefix; /* that drops it; 0: it is served */
};

static void the_longest_prefix_counts_what_it_drops(void **state)
{
	static const char *const PREFIXES[] = {
		NULL,        "10.0.0.0/8",    "10.64.0.0/10",    "10.64.8.0/24",
		"10.64.8.8", "2001:db8::/32", "2001:db8:4::/47", "2001:db8:4:2::7",
	};
	static const struct row ROWS[] = {
		{IPV4, "9.255.255.255", 0},      {IPV4, "10.0.0.0", 1},
		{IPV4, "10.63.255.255", 1},      {IPV4, "10.64.0.0", 2},
		{IPV4, "10.127.255.255", 2},     {IPV4, "10.128.0.0", 1},
		{IPV4, "10.64.7.255", 2},        {IPV4, "10.64.8.7", 3},
		{IPV4, "10.64.8.8", 4},          {IPV4, "10.64.8.9", 3},
		{IPV4, "10.64.9.0", 2},          {IPV4, "11.0.0.0", 0},
		{IPV6, "2001:db7:ffff::1", 0},   {IPV6, "2001:db8::", 5},
		{IPV6, "2001:db8:3:ffff::", 5},  {IPV6, "2001:db8:4::", 6},
		{IPV6, "2001:db8:5:ffff::1", 6}, {IPV6, "2001:db8:6::", 5},
		{IPV6, "2001:db8:4:2::7", 7},    {IPV6, "2001:db8:4:2::8", 6},
		{IPV6, "2001:db9::", 0},
	};
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (uint32_t i = 1; i < sizeof(PREFIXES) / sizeof(PREFIXES[0]); i++)
		deny(scene, PREFIXES[i], i);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t row = 0; row < sizeof(ROWS) / sizeof(ROWS[0]); row++) {
			struct blueprint request, forwarded;
			uint64_t before;

			if (ROWS[row].family != KINDS[i].family)
				continue;
			request = request_from(&KINDS[i], ROWS[row].source);
			forwarded = forwarded_to(&request, BACKEND_A, POD);
			before = dropped(scene, ROWS[row].prefix);
			if (ROWS[row].prefix)
				expect(scene, UPLINK, &request, VERDICT_DROP_DENIED, NULL);
			else
				expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);

			assert_int_equal(dropped(scene, ROWS[row].prefix) - before,
					 ROWS[row].prefix ? 1 : 0);
		}
	}
}

/* ::/0 holds ::ffff:0:0/96 as the trie sees it. */
static void families_do_not_deny_each_other(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		const char *other = KINDS[i].family == IPV6 ? "0.0.0.0/0" : "::/0";
		const char *own = KINDS[i].family == IPV6 ? "::/0" : "0.0.0.0/0";
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint forwarded = forwarded_to(&request, BACKEND_A, POD);

		deny(scene, other, 1);
		expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
		deny(scene, own, 2);
		expect(scene, UPLINK, &request, VERDICT_DROP_DENIED, NULL);
		assert_int_equal(dropped(scene, 1), 0);
		assert_int_equal(dropped(scene, 2), 1);
		allow(scene, own);
		allow(scene, other);
		scene_forget(scene, &request);
	}
}

static void an_index_counts_from_zero_for_its_next_prefix(void **state)
{
	struct blueprint request = request_of(&KINDS[0]);
	struct scene *scene = *state;

	deny(scene, "192.0.2.7", 3);
	expect(scene, UPLINK, &request, VERDICT_DROP_DENIED, NULL);
	assert_int_equal(dropped(scene, 3), 1);
	allow(scene, "192.0.2.7");

	deny(scene, "198.51.100.0/24", 3);

	assert_int_equal(dropped(scene, 3), 0);
}

static void delete_by_hand(struct scene *scene, const struct prefix *prefix)
{
	const int map = bpf_map__fd(scene->datapath->skeleton->maps.deny);
	struct deny_key key = {.length = prefix->length};

	memcpy(key.address, &prefix->address, sizeof(key.address));
	assert_int_equal(bpf_map_delete_elem(map, &key), 0);
}

static void the_trie_is_asked_only_while_something_is_denied(void **state)
{
	struct scene *scene = *state;
	const volatile __u32 *count = &scene->datapath->skeleton->bss->denied_prefixes;
	const struct prefix gone = prefix_of("192.0.2.0/24");

	assert_int_equal(*count, 0);
	deny(scene, "192.0.2.0/24", 1);
	deny(scene, "fd00::/8", 2);
	assert_int_equal(*count, 2);
	delete_by_hand(scene, &gone);
	assert_int_equal(datapath_allow(scene->datapath, &gone), -ENOENT);
	assert_int_equal(*count, 1);
	allow(scene, "fd00::/8");
	assert_int_equal(*count, 0);
	assert_int_equal(datapath_allow(scene->datapath, &gone), -ENOENT);
	assert_int_equal(*count, 0);

	assert_int_equal(datapath_audit_denied_count(scene->datapath, 2), 1);
	assert_int_equal(*count, 2);
	assert_int_equal(datapath_audit_denied_count(scene->datapath, 2), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(a_denied_source_reaches_no_service_until_it_is_allowed),
		scene_test(whatever_a_denied_source_sends_ends),
		scene_test(a_malformed_packet_of_a_denied_source_ends),
		scene_test(established_connections_of_a_denied_source_end),
		scene_test(a_denied_backend_answers_nobody),
		scene_test(arp_and_other_ethertypes_are_never_denied),
		scene_test(neighbour_discovery_is_never_denied_and_other_icmp_is),
		scene_test(the_longest_prefix_counts_what_it_drops),
		scene_test(families_do_not_deny_each_other),
		scene_test(an_index_counts_from_zero_for_its_next_prefix),
		scene_test(the_trie_is_asked_only_while_something_is_denied),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
