/*
 * Backends behind a VLAN of an interface: frames leave by the interface itself, with the VLAN's
 * tags, whatever the client's were.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include <string.h>
#include "test/bpf/icmp_story.h"
#include "test/bpf/answer_story.h"
#include "test/bpf/scene.h"
#include "test/bpf/tags.h"

#define VLAN_PORT _INTERFACE_COUNT /* the first port that no interface has */

static const uint8_t VLAN_MAC[ETH_ALEN] = {0x02, 0xee, 0, 0, 0x10, 0x01};

static const union tags TAGS[] = {
	{.tag = {TAG(CUSTOMER, 20)}},
	{.tag = {TAG(PROVIDER, PRIORITY(2) | 20)}},
	{.tag = {TAG(PROVIDER, 200), TAG(CUSTOMER, 20)}},
};

#define TAGS_COUNT (sizeof(TAGS) / sizeof(TAGS[0]))

/* Clients' tags: none, one, two. */
static const union tags COME_WITH[] = {
	{},
	{.tag = {TAG(CUSTOMER, 10)}},
	{.tag = {TAG(CUSTOMER, 100), TAG(CUSTOMER, 10)}},
};

#define COME_WITH_COUNT (sizeof(COME_WITH) / sizeof(COME_WITH[0]))

static void make_vlan(struct scene *scene, enum interface parent, union tags tags, uint16_t flags)
{
	struct port port = {.flags = PORT_TAGGED | flags,
			    .ifindex = network_ifindex(parent),
			    .mtu = SCENE_MTU,
			    .tags = tags};

	memcpy(port.mac, VLAN_MAC, sizeof(port.mac));
	assert_int_equal(datapath_set_port(scene->datapath, VLAN_PORT, &port), 0);
	scene_move(scene, BACKEND_A, VLAN_PORT);
}

static struct blueprint forwarded_into(const struct blueprint *request, union tags tags)
{
	struct blueprint leaves = forwarded_to(request, BACKEND_A, POD);

	memcpy(leaves.from_mac, VLAN_MAC, sizeof(leaves.from_mac));
	leaves.tags = tags;
	return leaves;
}

/* The first packet of a connection, and a later one. */
static void expect_tagged(struct scene *scene, const struct kind *kind, union tags from,
			  union tags to, enum verdict verdict)
{
	struct blueprint request = request_of(kind), leaves;

	request.tags = from;
	for (int i = 0; i < 2; i++) {
		leaves = forwarded_into(&request, to);
		expect_packet(scene, UPLINK, &request, verdict, &leaves);
		request.tcp_flags = ACK;
	}
}

static void requests_get_the_tags_of_the_vlan_that_they_leave_by(void **state)
{
	static const enum interface PARENTS[] = {POD, UPLINK};
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t row = 0; row < 2 * TAGS_COUNT * COME_WITH_COUNT; row++) {
			const enum interface parent = PARENTS[row % 2];
			const union tags to = TAGS[row / 2 % TAGS_COUNT];
			const union tags from = COME_WITH[row / 2 / TAGS_COUNT];

			scene->line = __LINE__;
			make_vlan(scene, parent, to, 0);
			expect_tagged(scene, &KINDS[i], from, to,
				      parent == POD ? VERDICT_REDIRECT : VERDICT_TX);
		}
	}
}

static void replies_lose_the_tags_that_their_backend_sends_with(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t row = 0; row < TAGS_COUNT * COME_WITH_COUNT; row++) {
			const union tags client = COME_WITH[row / TAGS_COUNT];
			struct blueprint reply = reply_of(&KINDS[i], BACKEND_A), leaves;

			make_vlan(scene, POD, TAGS[row % TAGS_COUNT], 0);
			expect_tagged(scene, &KINDS[i], client, TAGS[row % TAGS_COUNT],
				      VERDICT_REDIRECT);
			leaves = returned_from_service(&reply, UPLINK);
			reply.tags = TAGS[row % TAGS_COUNT];
			leaves.tags = client;
			expect(scene, POD, &reply, VERDICT_REDIRECT, &leaves);
		}
	}
}

/* Its first packet parts after it has made the connection. */
static void a_connection_into_a_vlan_counts_once(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	make_vlan(scene, POD, TAGS[0], 0);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct traffic_counter counter;

		expect_tagged(scene, &KINDS[i], COME_WITH[0], TAGS[0], VERDICT_REDIRECT);
		counter = scene_traffic(scene, &KINDS[i]);
		assert_int_equal(counter.connections, 1);
		assert_int_equal(counter.request.packets, 2);
	}
}

static void a_packet_into_a_vlan_may_be_as_large_as_its_mtu(void **state)
{
	struct scene *scene = *state;
	static struct frame frame;
	struct port port;

	scene_offer_all(scene, &ONLY_A);
	make_vlan(scene, POD, TAGS[2], 0);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		frame_build(&request, &frame);
		datapath_get_port(scene->datapath, VLAN_PORT, &port);
		port.mtu = (uint32_t)frame.length - ETH_HLEN;
		assert_int_equal(datapath_set_port(scene->datapath, VLAN_PORT, &port), 0);

		scene->line = __LINE__;
		expect_tagged(scene, &KINDS[i], COME_WITH[0], TAGS[2], VERDICT_REDIRECT);
		request.payload_length++;
		request.fragment = 0x4000; /* not to be cut */
		expect_too_big(scene, UPLINK, &request, port.mtu);
	}
}

static void a_vlan_whose_parent_takes_no_frames_is_the_stacks(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	make_vlan(scene, POD, TAGS[0], PORT_BY_STACK);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t row = 0; row < COME_WITH_COUNT; row++) {
			struct blueprint request = request_of(&KINDS[i]), translated;

			request.tags = COME_WITH[row];
			translated = translated_to(&request, BACKEND_A);
			expect(scene, UPLINK, &request, VERDICT_PASS_BY_STACK, &translated);
		}
	}
}

static void errors_to_a_backend_go_into_its_vlan(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	make_vlan(scene, POD, TAGS[2], 0);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct story story = from_client_side(&KINDS[i], CLIENT, 0);

		scene->line = __LINE__;
		expect_tagged(scene, &KINDS[i], COME_WITH[1], TAGS[2], VERDICT_REDIRECT);
		story.comes.envelope.tags = COME_WITH[1];
		story.leaves.envelope.tags = TAGS[2];
		memcpy(story.leaves.envelope.from_mac, VLAN_MAC, ETH_ALEN);
		expect_icmp(scene, UPLINK, &story.comes, VERDICT_REDIRECT, &story.leaves);
	}
}

/* What comes in by the parent is the parent's, whichever VLAN has a port of its own. */
static void a_vlan_takes_nothing_from_its_parent(void **state)
{
	const struct port gone = {};
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	make_vlan(scene, UPLINK, TAGS[0], 0);
	scene_move(scene, BACKEND_A, POD);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint forwarded = forwarded_to(&request, BACKEND_A, POD);
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A);
		struct blueprint returned = returned_from_service(&reply, UPLINK);

		make_vlan(scene, UPLINK, TAGS[0], 0);
		scene_move(scene, BACKEND_A, POD);
		expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
		expect(scene, POD, &reply, VERDICT_REDIRECT, &returned);

		assert_int_equal(datapath_set_port(scene->datapath, VLAN_PORT, &gone), 0);
		expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
		expect(scene, POD, &reply, VERDICT_REDIRECT, &returned);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(requests_get_the_tags_of_the_vlan_that_they_leave_by),
		scene_test(replies_lose_the_tags_that_their_backend_sends_with),
		scene_test(a_connection_into_a_vlan_counts_once),
		scene_test(a_packet_into_a_vlan_may_be_as_large_as_its_mtu),
		scene_test(a_vlan_whose_parent_takes_no_frames_is_the_stacks),
		scene_test(errors_to_a_backend_go_into_its_vlan),
		scene_test(a_vlan_takes_nothing_from_its_parent),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
