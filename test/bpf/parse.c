/*
 * The step parse: what is not ours, or not whole, goes on to the stack as it came.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include <linux/version.h>
#include <string.h>
#include "test/bpf/scene.h"

#define IP_AT ETH_HLEN

static void write16(struct frame *frame, size_t at, uint16_t value)
{
	frame->bytes[at] = (uint8_t)(value >> 8);
	frame->bytes[at + 1] = (uint8_t)value;
}

static size_t ip_header(const struct kind *kind)
{
	return kind->family == IPV6 ? 40 : 20;
}

static size_t headers_end(const struct kind *kind)
{
	return IP_AT + ip_header(kind) + (kind->protocol == IPPROTO_TCP ? 20 : 8);
}

static void other_ethertypes_pass_untouched(void **state)
{
	static const uint16_t ETHERTYPES[] = {
		ETH_P_ARP, ETH_P_LLDP, ETH_P_MPLS_UC, 0x0600, 46, 0xffff,
	};
	struct blueprint request = request_of(&KINDS[0]);
	struct scene *scene = *state;
	struct frame frame;

	scene_offer_all(scene, &ONLY_A);
	frame_build(&request, &frame);
	for (size_t row = 0; row < sizeof(ETHERTYPES) / sizeof(ETHERTYPES[0]); row++) {
		write16(&frame, 12, ETHERTYPES[row]);

		expect_bytes(scene, UPLINK, &frame, VERDICT_PASS_PROTOCOL, NULL);
	}
}

/* At the node's own address: what is for another of a service's is refused (bpf_stray). */
static void other_protocols_pass_untouched(void **state)
{
	static const uint8_t PROTOCOLS[] = {
		IPPROTO_HOPOPTS,
		IPPROTO_ICMP,
		IPPROTO_IPIP,
		IPPROTO_ROUTING,
		IPPROTO_GRE,
		IPPROTO_ESP,
		IPPROTO_ICMPV6,
		IPPROTO_DSTOPTS,
		IPPROTO_DCCP,
		IPPROTO_UDPLITE,
		255,
	};
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	scene_own_service(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t row = 0; row < sizeof(PROTOCOLS); row++) {
			struct blueprint packet = request_of(&KINDS[i]);

			packet.protocol = PROTOCOLS[row];
			packet.first_payload_word = 0x8500; /* ICMPv6: a router solicitation */

			expect(scene, UPLINK, &packet, VERDICT_PASS_PROTOCOL, NULL);
		}
	}
}

static void a_packet_that_must_not_be_fragmented_is_not_a_fragment(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint forwarded;

		request.fragment = 0x4000;
		forwarded = forwarded_to(&request, BACKEND_A, POD);

		expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
	}
}

static void what_is_for_no_service_passes_untouched(void **state)
{
	struct scene *scene = *state;
	struct blueprint packet;

	scene_own_service(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct kind *other = &KINDS[i ^ 1]; /* the other protocol of the family */

		scene_offer(scene, &KINDS[i], &ONLY_A);
		packet = request_of(&KINDS[i]);
		packet.dst = role_address(STRANGER, KINDS[i].family);
		expect(scene, UPLINK, &packet, VERDICT_PASS_NO_SERVICE, NULL);

		packet = request_of(&KINDS[i]);
		packet.dst_port = htons(SERVICE_PORT + 1);
		expect(scene, UPLINK, &packet, VERDICT_PASS_NO_SERVICE, NULL);

		packet = request_of(other);
		expect(scene, UPLINK, &packet, VERDICT_PASS_NO_SERVICE, NULL);

		packet = reply_of(&KINDS[i], BACKEND_A);
		expect(scene, POD, &packet, VERDICT_PASS_NO_SERVICE, NULL);
		scene_withdraw(scene, &KINDS[i]);
	}
}

/* The length that IP states stays: each of these frames says more than it has. */
static void a_frame_cut_short_anywhere_passes_untouched(void **state)
{
	struct scene *scene = *state;
	struct frame whole, cut;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A);

		scene_play(scene, &request, "S");
		frame_build(&request, &whole);
		for (cut = whole, cut.length = ETH_HLEN; cut.length < whole.length; cut.length++)
			expect_bytes(scene, UPLINK, &cut, VERDICT_PASS_MALFORMED, NULL);
		frame_build(&reply, &whole);
		for (cut = whole, cut.length = ETH_HLEN; cut.length < whole.length; cut.length++)
			expect_bytes(scene, POD, &cut, VERDICT_PASS_MALFORMED, NULL);
	}
}

static void headers_cut_short_pass_untouched_though_the_length_agrees(void **state)
{
	struct scene *scene = *state;
	struct frame frame;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		frame_build(&request, &frame);
		for (frame.length = ETH_HLEN; frame.length < headers_end(&KINDS[i]);
		     frame.length++) {
			frame_fit_length(&frame);
			expect_bytes(scene, UPLINK, &frame, VERDICT_PASS_MALFORMED, NULL);
		}
	}
}

/* Ports that lie behind the packet are padding, whatever they look like. */
static void headers_behind_the_end_that_ip_states_pass_untouched(void **state)
{
	struct scene *scene = *state;
	struct frame frame;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		const size_t least = headers_end(&KINDS[i]) - IP_AT;
		const size_t before = KINDS[i].family == IPV6 ? ip_header(&KINDS[i]) : 0;

		for (size_t stated = before; stated < least; stated++) {
			frame_build(&request, &frame);
			write16(&frame, IP_AT + (before ? 4 : 2), (uint16_t)(stated - before));
			if (!before)
				frame_fit_ipv4_checksum(&frame);

			expect_bytes(scene, UPLINK, &frame, VERDICT_PASS_MALFORMED, NULL);
		}
	}
}

static void an_ip_header_that_contradicts_itself_passes_untouched(void **state)
{
	static const uint8_t FIRST_BYTES[_FAMILY_COUNT][4] = {
		[IPV4] = {0x44, 0x40, 0x55, 0x65}, /* header of 16 bytes, of none; versions 5, 6 */
		[IPV6] = {0x42, 0x52, 0x72, 0x02},
	};
	struct scene *scene = *state;
	struct frame frame;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t row = 0; row < 4; row++) {
			struct blueprint request = request_of(&KINDS[i]);

			frame_build(&request, &frame);
			frame.bytes[IP_AT] = FIRST_BYTES[KINDS[i].family][row];

			expect_bytes(scene, UPLINK, &frame, VERDICT_PASS_MALFORMED, NULL);
		}
	}
}

/* A 60-byte IPv4 header is stated, but the frame ends sooner. */
static void options_that_are_not_there_pass_untouched(void **state)
{
	struct scene *scene = *state;
	struct frame frame;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < 2; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		request.payload_length = 0;
		frame_build(&request, &frame);
		frame.bytes[IP_AT] = 0x4f;

		expect_bytes(scene, UPLINK, &frame, VERDICT_PASS_MALFORMED, NULL);
	}
}

/*
 * Right again after a test has written into a frame whose addresses and transport lie behind each
 * other, so that what the test changed is all that is wrong with it.
 */
static void fit_transport_checksum(const struct kind *kind, struct frame *frame)
{
	const size_t addresses = IP_AT + (kind->family == IPV6 ? 8 : 12);
	const size_t transport = IP_AT + ip_header(kind);
	const size_t at = transport + (kind->protocol == IPPROTO_TCP ? 16 : 6);
	const uint32_t pseudo = kind->protocol + (uint32_t)(frame->length - transport);

	write16(frame, at, 0);
	write16(frame, at,
		checksum_of(&frame->bytes[addresses], frame->length - addresses, pseudo));
}

/* RFC 4942, 2.2: it would pass for the IPv4 packet of these addresses, whose service is there. */
static void an_ipv6_packet_with_ipv4_mapped_addresses_passes_untouched(void **state)
{
	static const struct {
		bool source, destination;
	} ROWS[] = {{true, false}, {false, true}, {true, true}};
	const struct address client = role_address(CLIENT, IPV4);
	const struct address service = role_address(SERVICE, IPV4);
	struct scene *scene = *state;
	struct frame frame;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		for (size_t row = 0; KINDS[i].family == IPV6 && row < 3; row++) {
			frame_build(&request, &frame);
			if (ROWS[row].source)
				memcpy(&frame.bytes[IP_AT + 8], &client, sizeof(client));
			if (ROWS[row].destination)
				memcpy(&frame.bytes[IP_AT + 24], &service, sizeof(service));
			fit_transport_checksum(&KINDS[i], &frame);

			expect_bytes(scene, UPLINK, &frame, VERDICT_PASS_MALFORMED, NULL);
		}
	}
	assert_int_equal(scene_count_connections(scene), 0);
}

/* RFC 9293, 3.1: the header has five words at least, whatever its data offset says. */
static void a_tcp_data_offset_inside_the_header_passes_untouched(void **state)
{
	struct scene *scene = *state;
	struct frame frame;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		for (uint8_t words = 0; KINDS[i].protocol == IPPROTO_TCP && words < 5; words++) {
			frame_build(&request, &frame);
			frame.bytes[IP_AT + ip_header(&KINDS[i]) + 12] = (uint8_t)(words << 4);
			fit_transport_checksum(&KINDS[i], &frame);

			expect_bytes(scene, UPLINK, &frame, VERDICT_PASS_MALFORMED, NULL);
		}
	}
	assert_int_equal(scene_count_connections(scene), 0);
}

/*
 * The program sees the first buffer of a frame only: it must not take what lies behind for cut
 * off.
 */
static void headers_in_a_later_buffer_pass_untouched(void **state)
{
	struct scene *scene = *state;

	if (kernel_is_before(KERNEL_VERSION(6, 18, 0)))
		skip(); /* the first buffer of a test run is always a page */
	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		for (scene->linear = ETH_HLEN; scene->linear < headers_end(&KINDS[i]);
		     scene->linear++)
			expect(scene, UPLINK, &request, VERDICT_PASS_MALFORMED, NULL);
	}
}

static void a_payload_in_later_buffers_is_carried_along(void **state)
{
	struct scene *scene = *state;

	if (kernel_is_before(KERNEL_VERSION(6, 18, 0)))
		skip(); /* the first buffer of a test run is always a page */
	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint forwarded = forwarded_to(&request, BACKEND_A, POD);

		scene->linear = headers_end(&KINDS[i]);
		expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(other_ethertypes_pass_untouched),
		scene_test(other_protocols_pass_untouched),
		scene_test(a_packet_that_must_not_be_fragmented_is_not_a_fragment),
		scene_test(what_is_for_no_service_passes_untouched),
		scene_test(a_frame_cut_short_anywhere_passes_untouched),
		scene_test(headers_cut_short_pass_untouched_though_the_length_agrees),
		scene_test(headers_behind_the_end_that_ip_states_pass_untouched),
		scene_test(an_ip_header_that_contradicts_itself_passes_untouched),
		scene_test(options_that_are_not_there_pass_untouched),
		scene_test(an_ipv6_packet_with_ipv4_mapped_addresses_passes_untouched),
		scene_test(a_tcp_data_offset_inside_the_header_passes_untouched),
		scene_test(headers_in_a_later_buffer_pass_untouched),
		scene_test(a_payload_in_later_buffers_is_carried_along),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
