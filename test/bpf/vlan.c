/*
 * VLAN tags: packets are balanced behind them; a redirect takes them off, and replies get those
 * that the client's last request came with.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include <string.h>
#include "test/bpf/answer_story.h"
#include "test/bpf/scene.h"
#include "test/bpf/tags.h"

static const union tags TAGS[] = {
	{.tag = {TAG(CUSTOMER, 10)}},
	{.tag = {TAG(PROVIDER, 10)}},
	{.tag = {TAG(CUSTOMER, 0)}}, /* of no VLAN, for its priority alone */
	{.tag = {TAG(CUSTOMER, 0xffff)}},
	{.tag = {TAG(PROVIDER, 100), TAG(CUSTOMER, 10)}},
	{.tag = {TAG(CUSTOMER, 100), TAG(CUSTOMER, 10)}},
	{.tag = {TAG(PROVIDER, PRIORITY(3) | 100), TAG(PROVIDER, 1 << 12 | 10)}},
};

#define TAGS_COUNT (sizeof(TAGS) / sizeof(TAGS[0]))

static struct blueprint with_tags(struct blueprint packet, union tags tags)
{
	packet.tags = tags;
	return packet;
}

/* A request of CLIENT's with tags, and the reply: what each becomes. */
static void expect_request(struct scene *scene, const struct kind *kind, union tags tags)
{
	const struct blueprint request = with_tags(request_of(kind), tags);
	const struct blueprint forwarded =
		with_tags(forwarded_to(&request, BACKEND_A, POD), NO_TAGS);

	expect_packet(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
}

static void expect_reply(struct scene *scene, const struct kind *kind, union tags tags)
{
	const struct blueprint reply = reply_of(kind, BACKEND_A);
	const struct blueprint returned = with_tags(returned_from_service(&reply, UPLINK), tags);

	expect_packet(scene, POD, &reply, VERDICT_REDIRECT, &returned);
}

#define request_with(scene, ...) ((scene)->line = __LINE__, expect_request((scene), __VA_ARGS__))
#define reply_with(scene, ...) ((scene)->line = __LINE__, expect_reply((scene), __VA_ARGS__))

static void a_request_loses_its_tags_and_the_reply_gets_them(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t row = 0; row < TAGS_COUNT; row++) {
			request_with(scene, &KINDS[i], TAGS[row]);
			reply_with(scene, &KINDS[i], TAGS[row]);
			request_with(scene, &KINDS[i], TAGS[row]);
			reply_with(scene, &KINDS[i], TAGS[row]);
		}
	}
}

static void each_client_gets_its_own_tags(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t row = 0; row < 2 * TAGS_COUNT; row++) {
			struct blueprint request = request_of(&KINDS[i]), leaves;
			struct blueprint reply = reply_of(&KINDS[i], BACKEND_A);

			request.src_port = htons((uint16_t)(1024 + row % TAGS_COUNT));
			reply.dst_port = request.src_port;
			if (row < TAGS_COUNT) {
				leaves = forwarded_to(&request, BACKEND_A, POD);
				request.tags = TAGS[row];
				expect(scene, UPLINK, &request, VERDICT_REDIRECT, &leaves);
				continue;
			}
			leaves = returned_from_service(&reply, UPLINK);
			leaves.tags = TAGS[row % TAGS_COUNT];
			expect(scene, POD, &reply, VERDICT_REDIRECT, &leaves);
		}
	}
}

static void a_request_sent_back_out_keeps_its_tags(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	scene_move(scene, BACKEND_A, UPLINK);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t row = 0; row < TAGS_COUNT; row++) {
			const struct blueprint request =
				with_tags(request_of(&KINDS[i]), TAGS[row]);
			const struct blueprint leaves = forwarded_to(&request, BACKEND_A, UPLINK);

			expect(scene, UPLINK, &request, VERDICT_TX, &leaves);
		}
	}
}

/* Into the client's VLAN, whichever the backend is in. */
static void a_reply_sent_back_out_gets_the_tags_of_its_client(void **state)
{
	const union tags BACKENDS[] = {NO_TAGS, VLAN(20), VLAN_IN_VLAN(100, 30)};
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	scene_move(scene, BACKEND_A, UPLINK);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t row = 0; row < 3 * (TAGS_COUNT + 1); row++) {
			const union tags tags = row / 3 < TAGS_COUNT ? TAGS[row / 3] : NO_TAGS;
			struct blueprint request = request_of(&KINDS[i]), leaves;
			struct blueprint reply = reply_of(&KINDS[i], BACKEND_A);

			request.tags = tags;
			leaves = forwarded_to(&request, BACKEND_A, UPLINK);
			expect(scene, UPLINK, &request, VERDICT_TX, &leaves);
			leaves = with_tags(returned_from_service(&reply, UPLINK), tags);
			reply.tags = BACKENDS[row % 3];
			expect(scene, UPLINK, &reply, VERDICT_TX, &leaves);
		}
	}
}

static void a_client_that_moves_to_another_vlan_is_followed(void **state)
{
	const union tags WAYS[] = {VLAN(10), VLAN(20), NO_TAGS, TAGS[4],
				   VLAN(20), TAGS[1],  NO_TAGS};
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);

		scene_play(scene, &request, "SsA");
		for (size_t row = 0; row < sizeof(WAYS) / sizeof(WAYS[0]); row++) {
			struct blueprint again = with_tags(request, WAYS[row]), leaves;

			again.tcp_flags = ACK;
			leaves = with_tags(forwarded_to(&again, BACKEND_A, POD), NO_TAGS);
			expect(scene, UPLINK, &again, VERDICT_REDIRECT, &leaves);
			reply_with(scene, &KINDS[i], WAYS[row]);
		}
	}
}

/* A way back keeps the priority that it was learnt with. */
static void priority_is_no_move(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		request_with(scene, &KINDS[i], VLAN(PRIORITY(5) | 10));
		request_with(scene, &KINDS[i], VLAN(10));
		reply_with(scene, &KINDS[i], VLAN(PRIORITY(5) | 10));

		request_with(scene, &KINDS[i], VLAN(20));
		request_with(scene, &KINDS[i], VLAN(10));
		reply_with(scene, &KINDS[i], VLAN(10));
	}
}

static void a_frame_in_another_vlan_to_another_host_moves_nothing(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint stray = with_tags(request_of(&KINDS[i]), VLAN(20));

		memcpy(stray.to_mac, role_mac(STRANGER), sizeof(stray.to_mac));
		expect(scene, UPLINK, &stray, VERDICT_PASS_OTHER_HOST, NULL);
		request_with(scene, &KINDS[i], VLAN(10));
		expect(scene, UPLINK, &stray, VERDICT_PASS_OTHER_HOST, NULL);
		reply_with(scene, &KINDS[i], VLAN(10));
	}
}

/* The MTU is what a packet may measure, tags not counted. */
static void tags_do_not_count_as_bytes_of_the_packet(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t row = 0; row < TAGS_COUNT; row++) {
			struct blueprint request = with_tags(request_of(&KINDS[i]), TAGS[row]);
			struct blueprint reply = reply_of(&KINDS[i], BACKEND_A);
			static struct frame frame;
			uint32_t length;

			frame_build(&request, &frame);
			length = (uint32_t)(frame.length - blueprint_network(&request));
			scene_set_mtu(scene, POD, length);
			scene_set_mtu(scene, UPLINK, length);
			request_with(scene, &KINDS[i], TAGS[row]);
			reply_with(scene, &KINDS[i], TAGS[row]);

			reply.payload_length++;
			reply.fragment = 0x4000; /* not to be cut */
			expect_too_big(scene, POD, &reply, length);
		}
	}
}

/* The stack knows what its next hop's interface is: the frame is as it came but for the address. */
static void what_is_left_to_the_stack_keeps_its_tags(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	scene_flag_port(scene, POD, PORT_BY_STACK);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = with_tags(request_of(&KINDS[i]), VLAN(10));
		const struct blueprint translated = translated_to(&request, BACKEND_A);

		expect(scene, UPLINK, &request, VERDICT_PASS_BY_STACK, &translated);
	}
}

static void options_padding_and_no_checksum_are_carried_behind_tags(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t row = 0; row < TAGS_COUNT; row++) {
			struct blueprint request = with_tags(request_of(&KINDS[i]), TAGS[row]);
			struct blueprint leaves;

			request.options_length = KINDS[i].family == IPV4 ? 24 : 0;
			request.padding_length = 6;
			request.udp_checksum =
				KINDS[i].family == IPV4 ? CHECKSUM_NONE : CHECKSUM_RIGHT;
			leaves = with_tags(forwarded_to(&request, BACKEND_A, POD), NO_TAGS);
			expect(scene, UPLINK, &request, VERDICT_REDIRECT, &leaves);
		}
	}
}

static void a_payload_in_later_buffers_is_carried_along(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = with_tags(request_of(&KINDS[i]), TAGS[4]), leaves;
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A);

		request.payload_length = reply.payload_length = 8000;
		scene->linear = 3000;
		leaves = with_tags(forwarded_to(&request, BACKEND_A, POD), NO_TAGS);
		expect(scene, UPLINK, &request, VERDICT_REDIRECT, &leaves);
		leaves = with_tags(returned_from_service(&reply, UPLINK), TAGS[4]);
		expect(scene, POD, &reply, VERDICT_REDIRECT, &leaves);
		scene->linear = 0;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(a_request_loses_its_tags_and_the_reply_gets_them),
		scene_test(each_client_gets_its_own_tags),
		scene_test(a_request_sent_back_out_keeps_its_tags),
		scene_test(a_reply_sent_back_out_gets_the_tags_of_its_client),
		scene_test(a_client_that_moves_to_another_vlan_is_followed),
		scene_test(priority_is_no_move),
		scene_test(a_frame_in_another_vlan_to_another_host_moves_nothing),
		scene_test(tags_do_not_count_as_bytes_of_the_packet),
		scene_test(what_is_left_to_the_stack_keeps_its_tags),
		scene_test(options_padding_and_no_checksum_are_carried_behind_tags),
		scene_test(a_payload_in_later_buffers_is_carried_along),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
