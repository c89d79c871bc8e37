/*
 * The step nat: what is written into a packet, and that nothing else is. Each packet is compared
 * whole with one whose checksums are summed from scratch.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include "test/bpf/scene.h"

/* A request there and its reply back, both as `change` leaves them. */
static void there_and_back(struct scene *scene, const struct kind *kind,
			   const struct blueprint *traits)
{
	struct blueprint request = request_of(kind), reply = reply_of(kind, BACKEND_A);
	struct blueprint forwarded, returned;

	request.payload_length = reply.payload_length = traits->payload_length;
	request.options_length = reply.options_length = traits->options_length;
	request.padding_length = reply.padding_length = traits->padding_length;
	request.udp_checksum = reply.udp_checksum = traits->udp_checksum;
	if (traits->src_port)
		request.src_port = reply.dst_port = traits->src_port;
	forwarded = forwarded_to(&request, BACKEND_A, POD);
	returned = returned_from_service(&reply, UPLINK);
	expect_packet(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
	expect_packet(scene, POD, &reply, VERDICT_REDIRECT, &returned);
}

static void payloads_of_any_length_keep_a_right_checksum(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++)
		for (size_t length = 0; length <= 128; length++)
			there_and_back(scene, &KINDS[i],
				       &(struct blueprint){.payload_length = length});
}

/*
 * Around what fits a page and what needs fragments of it (xdp.frags), up to an MTU of 9000 and
 * more.
 */
static void jumbo_frames_are_translated_whole(void **state)
{
	static const size_t LENGTHS[] = {1460, 8948, 9001, 12289, 16000};
	struct scene *scene = *state;

	scene_set_mtu(scene, UPLINK, FRAME_MAX);
	scene_set_mtu(scene, POD, FRAME_MAX);
	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t row = 0; row < sizeof(LENGTHS) / sizeof(LENGTHS[0]); row++)
			there_and_back(scene, &KINDS[i],
				       &(struct blueprint){.payload_length = LENGTHS[row]});
		for (size_t length = 3400; length < 4200; length += 7)
			there_and_back(scene, &KINDS[i],
				       &(struct blueprint){.payload_length = length});
	}
}

static void ipv4_options_are_kept(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < 2; i++)
		for (size_t length = 4; length <= IPV4_OPTIONS_MAX; length += 4)
			there_and_back(scene, &KINDS[i],
				       &(struct blueprint){.options_length = length});
}

/* Ethernet frames have 60 bytes at least; what fills them up is not of the packet. */
static void padding_is_kept_and_not_summed(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++)
		for (size_t length = 1; length <= 18; length++)
			there_and_back(scene, &KINDS[i],
				       &(struct blueprint){.padding_length = length});
}

static void udp_without_a_checksum_stays_without(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++)
		there_and_back(
			scene, &KINDS[i],
			&(struct blueprint){.udp_checksum = CHECKSUM_NONE, .payload_length = 32});
}

static uint16_t transport_checksum(const struct blueprint *packet)
{
	const size_t ip = blueprint_is_ipv6(packet) ? 40 : 20;
	const size_t at = ETH_HLEN + ip + (packet->protocol == IPPROTO_TCP ? 16 : 6);
	static struct frame frame;

	frame_build(packet, &frame);
	return (uint16_t)(frame.bytes[at] << 8 | frame.bytes[at + 1]);
}

/*
 * The payload word that gives the packet this checksum; there is one for each but that of all
 * zeros.
 */
static uint16_t word_for_checksum(const struct blueprint *packet, uint16_t checksum)
{
	struct blueprint trial = *packet;

	for (uint32_t word = 1; word <= 0xffff; word++) {
		trial.first_payload_word = (uint16_t)word;
		if (transport_checksum(&trial) == checksum)
			return (uint16_t)word;
	}
	fail_msg("no payload gives the checksum %04x", checksum);
	return 0;
}

/* A sum of zero would say that there is none (RFC 768); TCP has no such rule. */
static void a_udp_checksum_that_comes_to_zero_is_sent_as_ones(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		const uint16_t zero = KINDS[i].protocol == IPPROTO_UDP ? 0xffff : 0;
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint forwarded = forwarded_to(&request, BACKEND_A, POD);
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A);
		struct blueprint returned = returned_from_service(&reply, UPLINK);

		request.first_payload_word = word_for_checksum(&forwarded, zero);
		forwarded.first_payload_word = request.first_payload_word;
		expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);

		reply.first_payload_word = word_for_checksum(&returned, zero);
		returned.first_payload_word = reply.first_payload_word;
		expect(scene, POD, &reply, VERDICT_REDIRECT, &returned);
	}
}

static void a_checksum_that_was_zero_is_translated_as_any_other(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		const uint16_t zero = KINDS[i].protocol == IPPROTO_UDP ? 0xffff : 0;
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint forwarded;

		request.first_payload_word = word_for_checksum(&request, zero);
		forwarded = forwarded_to(&request, BACKEND_A, POD);

		expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
	}
}

static void every_seventh_checksum_is_translated_right(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint forwarded = forwarded_to(&request, BACKEND_A, POD);

		for (uint32_t word = 1; word <= 0xffff; word += 7) {
			request.first_payload_word = (uint16_t)word;
			forwarded.first_payload_word = (uint16_t)word;
			expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
		}
	}
}

static void every_client_port_is_translated_right(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		there_and_back(scene, &KINDS[i], &(struct blueprint){.src_port = htons(65535)});
		for (uint32_t port = 1; port <= 0xffff; port += 61)
			there_and_back(scene, &KINDS[i],
				       &(struct blueprint){.src_port = htons((uint16_t)port)});
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(payloads_of_any_length_keep_a_right_checksum),
		scene_test(jumbo_frames_are_translated_whole),
		scene_test(ipv4_options_are_kept),
		scene_test(padding_is_kept_and_not_summed),
		scene_test(udp_without_a_checksum_stays_without),
		scene_test(a_udp_checksum_that_comes_to_zero_is_sent_as_ones),
		scene_test(a_checksum_that_was_zero_is_translated_as_any_other),
		scene_test(every_seventh_checksum_is_translated_right),
		scene_test(every_client_port_is_translated_right),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
