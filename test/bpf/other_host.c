/*
 * Frames that reach us but were sent to another MAC address, as a flooding bridge or promiscuous
 * mode brings them: they are none of ours, and must neither make a connection nor change one.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include <string.h>
#include "test/bpf/scene.h"

static const uint8_t OTHERS[][ETH_ALEN] = {
	{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, /* broadcast */
	{0x01, 0x00, 0x5e, 0x60, 0x00, 0x0a}, /* multicast: IPv4 */
	{0x33, 0x33, 0x00, 0x00, 0x00, 0x10}, /* multicast: IPv6 */
	{0x02, 0x5f, 0x00, 0x00, 0x00, 0x99}, /* STRANGER */
	{0x02, 0xee, 0x00, 0x00, 0x00, 0x02}, /* the node's own, but of the port POD */
	/* UPLINK's but for one byte each. */
	{0x03, 0xee, 0x00, 0x00, 0x00, 0x01},
	{0x02, 0xef, 0x00, 0x00, 0x00, 0x01},
	{0x02, 0xee, 0x01, 0x00, 0x00, 0x01},
	{0x02, 0xee, 0x00, 0x80, 0x00, 0x01},
	{0x02, 0xee, 0x00, 0x00, 0x10, 0x01},
	{0x02, 0xee, 0x00, 0x00, 0x00, 0x00},
};

#define OTHER_COUNT (sizeof(OTHERS) / sizeof(OTHERS[0]))

/* What is remembered of the connection between CLIENT and BACKEND_A. */
static struct connection recall(const struct scene *scene, const struct kind *kind)
{
	const struct blueprint request = request_of(kind);
	struct connection connection;

	assert_true(scene_find(scene, &request, &connection));
	return connection;
}

static void a_first_packet_to_another_host_passes_untouched_and_makes_no_connection(void **state)
{
	static const uint8_t FLAGS[] = {SYN, ACK, FIN | ACK, RST};
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t row = 0; row < OTHER_COUNT * sizeof(FLAGS); row++) {
			struct blueprint request = request_of(&KINDS[i]);

			request.tcp_flags = FLAGS[row % sizeof(FLAGS)];
			memcpy(request.to_mac, OTHERS[row / sizeof(FLAGS)], ETH_ALEN);

			expect(scene, UPLINK, &request, VERDICT_PASS_OTHER_HOST, NULL);
		}
	}
	assert_int_equal(scene_count_connections(scene), 0);
}

/* A drop here would take it from the host that it is for. */
static void a_packet_to_another_host_passes_where_the_service_has_no_backend(void **state)
{
	const struct offer none = {};
	struct scene *scene = *state;

	scene_offer_all(scene, &none);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t row = 0; row < OTHER_COUNT; row++) {
			struct blueprint request = request_of(&KINDS[i]);

			memcpy(request.to_mac, OTHERS[row], ETH_ALEN);

			expect(scene, UPLINK, &request, VERDICT_PASS_OTHER_HOST, NULL);
		}
	}
}

/* Whoever sent it: the client itself, or somebody between, by whom nothing may go back. */
static void a_later_packet_to_another_host_passes_untouched_and_changes_nothing(void **state)
{
	static const uint8_t FLAGS[] = {ACK, FIN | ACK, RST};
	struct connection before, after;
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		scene_play(scene, &request, "SsA");
		scene_let_pass(scene, &request, 2); /* its time would be written again */
		before = recall(scene, &KINDS[i]);
		for (size_t row = 0; row < OTHER_COUNT * sizeof(FLAGS); row++) {
			struct blueprint flooded = request_of(&KINDS[i]);

			flooded.tcp_flags = FLAGS[row % sizeof(FLAGS)];
			memcpy(flooded.to_mac, OTHERS[row / sizeof(FLAGS)], ETH_ALEN);
			if (row % 2)
				memcpy(flooded.from_mac, role_mac(STRANGER), ETH_ALEN);

			expect(scene, UPLINK, &flooded, VERDICT_PASS_OTHER_HOST, NULL);
		}
		after = recall(scene, &KINDS[i]);
		assert_memory_equal(&after, &before, sizeof(before));
	}
}

static void a_copy_flooded_by_another_interface_does_not_move_the_way_back(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint copy = request_of(&KINDS[i]); /* to the MAC of UPLINK */
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A);
		struct blueprint returned = returned_from_service(&reply, UPLINK);

		scene_play(scene, &request, "SsA");
		copy.tcp_flags = ACK;
		expect(scene, POD, &copy, VERDICT_PASS_OTHER_HOST, NULL);

		expect(scene, POD, &reply, VERDICT_REDIRECT, &returned);
	}
}

/* A SYN on a port that is free again would start afresh: not by such a frame. */
static void a_closed_connection_is_not_started_afresh_by_a_syn_to_another_host(void **state)
{
	struct connection before, after;
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		scene_play(scene, &request, "SsAFf");
		before = recall(scene, &KINDS[i]);
		memcpy(request.to_mac, role_mac(STRANGER), ETH_ALEN);

		expect(scene, UPLINK, &request, VERDICT_PASS_OTHER_HOST, NULL);

		after = recall(scene, &KINDS[i]);
		assert_memory_equal(&after, &before, sizeof(before));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(a_first_packet_to_another_host_passes_untouched_and_makes_no_connection),
		scene_test(a_packet_to_another_host_passes_where_the_service_has_no_backend),
		scene_test(a_later_packet_to_another_host_passes_untouched_and_changes_nothing),
		scene_test(a_copy_flooded_by_another_interface_does_not_move_the_way_back),
		scene_test(a_closed_connection_is_not_started_afresh_by_a_syn_to_another_host),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
