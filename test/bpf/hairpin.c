/*
 * A backend that is its own client: it would not take a packet that comes from itself, so its
 * request comes to it from the hairpin address, and what it answers to that goes back to it.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include <string.h>
#include "test/bpf/alias_story.h"

/* BACKEND_A to SERVICE, as it comes in by POD. */
static struct blueprint request_of_a(const struct kind *kind)
{
	struct blueprint request = request_of(kind);

	request.src = role_address(BACKEND_A, kind->family);
	memcpy(request.from_mac, role_mac(BACKEND_A), ETH_ALEN);
	memcpy(request.to_mac, interface_mac(POD), ETH_ALEN);
	return request;
}

static struct blueprint turned_to_a(const struct blueprint *request, const struct kind *kind)
{
	struct blueprint turned = forwarded_to(request, BACKEND_A, POD);

	turned.src = hairpin_address(kind->family);
	return turned;
}

/* What BACKEND_A answers to whom it takes for its client. */
static struct blueprint reply_of_a(const struct kind *kind)
{
	struct blueprint reply = reply_of(kind, BACKEND_A);

	reply.dst = hairpin_address(kind->family);
	return reply;
}

static struct blueprint turned_back(const struct blueprint *reply, const struct kind *kind)
{
	struct blueprint turned = returned_from_service(reply, POD);

	turned.dst = role_address(BACKEND_A, kind->family);
	memcpy(turned.to_mac, role_mac(BACKEND_A), ETH_ALEN);
	return turned;
}

/* A request there and the answer back: POD is where both come in and leave. */
static void there_and_back(struct scene *scene, const struct kind *kind, uint8_t tcp_flags)
{
	struct blueprint request = request_of_a(kind), reply = reply_of_a(kind);
	struct blueprint turned, back;

	request.tcp_flags = tcp_flags;
	reply.tcp_flags = tcp_flags | ACK;
	turned = turned_to_a(&request, kind);
	back = turned_back(&reply, kind);
	expect_packet(scene, POD, &request, VERDICT_TX, &turned);
	expect_packet(scene, POD, &reply, VERDICT_TX, &back);
}

static void a_backend_that_calls_its_own_service_gets_its_own_answer(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		there_and_back(scene, &KINDS[i], SYN);
		there_and_back(scene, &KINDS[i], ACK);
		there_and_back(scene, &KINDS[i], FIN);
	}
	assert_int_equal(scene_count_connections(scene), KIND_COUNT);
}

static void checksums_are_right_for_any_length_and_for_none(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT * 2; i++) {
		const struct kind *kind = &KINDS[i / 2];

		for (size_t length = 0; length <= 66; length++) {
			struct blueprint request = request_of_a(kind), reply = reply_of_a(kind);
			struct blueprint turned, back;

			request.payload_length = reply.payload_length = length;
			request.udp_checksum = reply.udp_checksum =
				i % 2 ? CHECKSUM_NONE : CHECKSUM_RIGHT;
			turned = turned_to_a(&request, kind);
			back = turned_back(&reply, kind);

			expect(scene, POD, &request, VERDICT_TX, &turned);
			expect(scene, POD, &reply, VERDICT_TX, &back);
		}
	}
}

static void a_backend_that_calls_another_keeps_its_own_address(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_B);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of_a(&KINDS[i]);
		struct blueprint forwarded = forwarded_to(&request, BACKEND_B, POD);

		expect(scene, POD, &request, VERDICT_TX, &forwarded);
	}
}

/* Both would be answered alike: the second connection comes from another port as well. */
static void a_backend_reaches_itself_by_two_services_from_one_port(void **state)
{
	struct scene *scene = *state;

	offer_one_backend(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint other = request_of_a(&KINDS[i]), reply = reply_of_a(&KINDS[i]);
		struct blueprint turned, back;

		other.dst_port = htons(OTHER_PORT);
		there_and_back(scene, &KINDS[i], SYN);
		scene_take(scene, POD, &other);
		turned = turned_to_a(&other, &KINDS[i]);
		turned.src_port = scene_source_port(scene, &other);
		assert_int_not_equal(turned.src_port, other.src_port);
		expect(scene, POD, &other, VERDICT_TX, &turned);

		reply.dst_port = turned.src_port;
		back = turned_back(&reply, &KINDS[i]);
		back.src_port = other.dst_port;
		back.dst_port = other.src_port;
		expect(scene, POD, &reply, VERDICT_TX, &back);
		there_and_back(scene, &KINDS[i], ACK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(a_backend_that_calls_its_own_service_gets_its_own_answer),
		scene_test(checksums_are_right_for_any_length_and_for_none),
		scene_test(a_backend_that_calls_another_keeps_its_own_address),
		scene_test(a_backend_reaches_itself_by_two_services_from_one_port),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
