/*
 * A backend that is its own client: it would not take a packet that comes from itself, so its
 * request comes to it from the hairpin address, and what it answers to that goes back to it.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include <string.h>
#include "test/bpf/scene.h"

#define OTHER_PORT 81

static const struct offer OTHER_ONLY_A = {
	.port = OTHER_PORT,
	.backends = {[BACKEND_A] = BACKEND_ACTIVE},
};

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

/* Both would be answered alike, and one of the two answers would go to the wrong service. */
static void one_port_reaches_its_own_backend_through_one_service_only(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	scene_offer_all(scene, &OTHER_ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint other = request_of_a(&KINDS[i]), turned;

		there_and_back(scene, &KINDS[i], SYN);
		other.dst_port = htons(OTHER_PORT);
		expect(scene, POD, &other, VERDICT_DROP_COLLISION, NULL);

		other.src_port = htons(CLIENT_PORT + 1);
		turned = turned_to_a(&other, &KINDS[i]);
		expect(scene, POD, &other, VERDICT_TX, &turned);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(a_backend_that_calls_its_own_service_gets_its_own_answer),
		scene_test(checksums_are_right_for_any_length_and_for_none),
		scene_test(a_backend_that_calls_another_keeps_its_own_address),
		scene_test(one_port_reaches_its_own_backend_through_one_service_only),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
