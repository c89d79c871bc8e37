/*
 * Frames that really leave: what a verdict promises arrives at the other end of the right wire.
 */
#include <errno.h>
#include <linux/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "test/bpf/frame_diff.h"
#include "test/bpf/scene.h"

/* Waits for the frame; others (the kernel's own neighbour discovery) are not ours to judge. */
static void expect_arrival(int listener, const struct blueprint *packet)
{
	static struct frame wanted, got;
	ssize_t length;

	frame_build(packet, &wanted);
	do {
		length = recv(listener, got.bytes, sizeof(got.bytes), 0);
		if (length < 0)
			fail_msg("the frame does not arrive: %s", strerror(errno));
		got.length = (size_t)length;
	} while (memcmp(got.bytes, wanted.bytes, ETH_ALEN));
	if (frame_equal(&got, &wanted))
		return;
	frame_print_difference(&got, &wanted);
	fail_msg("another frame arrives than wanted");
}

static void send_packet(struct scene *scene, enum interface in, const struct blueprint *packet)
{
	static struct frame frame;

	frame_build(packet, &frame);
	scene_send(scene, in, &frame);
}

static void request_and_reply_arrive_behind_the_other_interface(void **state)
{
	struct scene *scene = *state;
	int at_backend = network_listen(POD), at_client = network_listen(UPLINK);

	assert_true(at_backend >= 0 && at_client >= 0);
	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint forwarded = forwarded_to(&request, BACKEND_A, POD);
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A);
		struct blueprint returned = returned_from_service(&reply, UPLINK);

		send_packet(scene, UPLINK, &request);
		expect_arrival(at_backend, &forwarded);
		send_packet(scene, POD, &reply);
		expect_arrival(at_client, &returned);
	}
	close(at_backend);
	close(at_client);
}

static void what_is_sent_back_out_arrives_where_it_came_from(void **state)
{
	static const uint16_t FLAGS[] = {0, PORT_TX_BY_REDIRECT};
	struct scene *scene = *state;
	int at_backend = network_listen(UPLINK);

	assert_true(at_backend >= 0);
	scene_offer_all(scene, &ONLY_A);
	scene_move(scene, BACKEND_A, UPLINK);
	for (size_t row = 0; row < 2; row++) {
		scene_flag_port(scene, UPLINK, FLAGS[row]);
		for (int i = 0; i < KIND_COUNT; i++) {
			struct blueprint request = request_of(&KINDS[i]);
			struct blueprint forwarded = forwarded_to(&request, BACKEND_A, UPLINK);

			send_packet(scene, UPLINK, &request);
			expect_arrival(at_backend, &forwarded);
		}
	}
	close(at_backend);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(request_and_reply_arrive_behind_the_other_interface),
		scene_test(what_is_sent_back_out_arrives_where_it_came_from),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
