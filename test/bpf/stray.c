/*
 * What is for an address of services and for none of them: refused at once, as by a host without a
 * listener, so that it neither leaves the node nor comes back.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <string.h>
#include "test/bpf/answer_story.h"
#include "test/bpf/tags.h"

#define OTHER_PORT (SERVICE_PORT + 1)

static struct blueprint stray_of(const struct kind *kind)
{
	struct blueprint stray = request_of(kind);

	stray.dst_port = htons(OTHER_PORT);
	return stray;
}

static void a_packet_for_another_port_is_refused(void **state)
{
	static const uint8_t FLAGS[] = {SYN, ACK, PSH | ACK, FIN, 0};
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t row = 0; row < sizeof(FLAGS); row++) {
			struct blueprint stray = stray_of(&KINDS[i]);

			stray.tcp_flags = FLAGS[row];
			expect_answer(scene, UPLINK, &stray, refusal_of(&KINDS[i]));
			memcpy(stray.to_mac, interface_mac(POD), ETH_ALEN);
			expect_answer(scene, POD, &stray, refusal_of(&KINDS[i]));
		}
	}
	assert_int_equal(scene_count_connections(scene), 0);
}

static void a_port_is_served_for_its_protocol_alone(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint stray = request_of(&KINDS[i ^ 1]);

		scene_offer(scene, &KINDS[i], &ONLY_A);
		expect_answer(scene, UPLINK, &stray, refusal_of(&KINDS[i ^ 1]));
		scene_withdraw(scene, &KINDS[i]);
		expect(scene, UPLINK, &stray, VERDICT_PASS_NO_SERVICE, NULL);
	}
}

/* RFC 9293, 3.10.7.1; RFC 1122, 3.2.2. */
static void what_nobody_may_answer_ends_there(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint stray = stray_of(&KINDS[i]);

		stray.from_mac[0] |= 1;
		expect(scene, UPLINK, &stray, VERDICT_DROP_NOT_SERVED, NULL);
		stray = stray_of(&KINDS[i]);
		stray.tcp_flags = RST;
		if (KINDS[i].protocol == IPPROTO_TCP)
			expect(scene, UPLINK, &stray, VERDICT_DROP_NOT_SERVED, NULL);
	}
}

static void other_protocols_end_there(void **state)
{
	static const uint8_t PROTOCOLS[] = {IPPROTO_IGMP, IPPROTO_IPIP, IPPROTO_GRE, IPPROTO_ESP};
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i += 2) {
		for (size_t row = 0; row < sizeof(PROTOCOLS); row++) {
			struct blueprint stray = stray_of(&KINDS[i]);

			stray.protocol = PROTOCOLS[row];
			stray.payload_length = 64;
			expect(scene, UPLINK, &stray, VERDICT_DROP_NOT_SERVED, NULL);
			stray.dst = role_address(STRANGER, KINDS[i].family);
			expect(scene, UPLINK, &stray, VERDICT_PASS_PROTOCOL, NULL);
		}
	}
}

static void a_tagged_packet_is_refused_in_its_vlan(void **state)
{
	const union tags tags = {.tag = {TAG(PROVIDER, 100), TAG(CUSTOMER, 10)}};
	struct scene *scene = *state;
	struct refused_frame refused = {.network = ETH_HLEN + 8};
	static struct frame frame;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint stray = stray_of(&KINDS[i]);

		stray.tags = tags;
		frame_build(&stray, &frame);
		refused.frame = &frame;
		refused.transport = refused.network + (KINDS[i].family == IPV6 ? 40 : 20);
		refused.linear = frame.length;
		expect_answer_to(scene, UPLINK, &refused, refusal_of(&KINDS[i]));
	}
}

static void frames_to_another_host_pass_untouched(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint stray = stray_of(&KINDS[i]);

		memcpy(stray.to_mac, role_mac(STRANGER), ETH_ALEN);
		expect(scene, UPLINK, &stray, VERDICT_PASS_OTHER_HOST, NULL);
		stray.protocol = IPPROTO_GRE;
		expect(scene, UPLINK, &stray, VERDICT_PASS_PROTOCOL, NULL);
	}
}

/* Its ssh is not ours to refuse. */
static void an_address_of_the_nodes_own_is_left_to_it(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	scene_own_service(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint stray = stray_of(&KINDS[i]), request = request_of(&KINDS[i]);
		const struct blueprint forwarded = forwarded_to(&request, BACKEND_A, POD);

		expect(scene, UPLINK, &stray, VERDICT_PASS_NO_SERVICE, NULL);
		expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
		stray.protocol = IPPROTO_GRE;
		expect(scene, UPLINK, &stray, VERDICT_PASS_PROTOCOL, NULL);
	}
}

static void refuse_silently(struct datapath_options *options)
{
	options->refuse = REFUSE_DROP;
}

static int open_silent(void **state)
{
	return scene_open_changed(state, refuse_silently);
}

static void nobody_is_answered_where_that_is_not_wanted(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint stray = stray_of(&KINDS[i]);

		expect(scene, UPLINK, &stray, VERDICT_DROP_NOT_SERVED, NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(a_packet_for_another_port_is_refused),
		scene_test(a_port_is_served_for_its_protocol_alone),
		scene_test(what_nobody_may_answer_ends_there),
		scene_test(other_protocols_end_there),
		scene_test(a_tagged_packet_is_refused_in_its_vlan),
		scene_test(frames_to_another_host_pass_untouched),
		scene_test(an_address_of_the_nodes_own_is_left_to_it),
		cmocka_unit_test_setup_teardown(nobody_is_answered_where_that_is_not_wanted,
						open_silent, scene_close),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
