/*
 * What the sender of a packet gets for which there is no backend: a reset of TCP, an ICMP error of
 * UDP, at once and in the frame that it sent; and who gets nothing.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/in.h>
#include <linux/version.h>
#include <string.h>
#include "lb/address.h"
#include "test/bpf/answer_story.h"

#define MAX_CPUS 512
#define SEQUENCE_AT 4 /* bytes of TCP's header */
#define OFFSET_AT 12

static const struct offer NONE = {};

static void tcp_without_a_backend_is_reset(void **state)
{
	static const uint8_t FLAGS[] = {SYN,       ACK,       SYN | ACK, FIN,
					FIN | ACK, PSH | ACK, SYN | FIN, 0};
	static const size_t LENGTHS[] = {0, 1, 2, 5, 6, 33, 1460};
	struct scene *scene = *state;

	scene_offer_all(scene, &NONE);
	for (int i = 0; i < KIND_COUNT; i += 2) {
		for (size_t row = 0; row < 7 * sizeof(FLAGS); row++) {
			struct blueprint request = request_of(&KINDS[i]);

			request.tcp_flags = FLAGS[row / 7];
			request.payload_length = LENGTHS[row % 7];

			expect_answer(scene, UPLINK, &request, VERDICT_ANSWER_RESET);
		}
	}
	assert_int_equal(scene_count_connections(scene), 0);
}

static void udp_without_a_backend_is_told_that_the_port_is_unreachable(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &NONE);
	for (int i = 1; i < KIND_COUNT; i += 2) {
		for (size_t length = 0; length < 1473; length += length < 150 ? 1 : 7) {
			struct blueprint request = request_of(&KINDS[i]);

			request.payload_length = length;
			request.udp_checksum = length % 2 ? CHECKSUM_RIGHT : CHECKSUM_NONE;

			expect_answer(scene, UPLINK, &request, VERDICT_ANSWER_UNREACHABLE);
		}
	}
	assert_int_equal(scene_count_connections(scene), 0);
}

/* To the byte: one more than is quoted, and one fewer. */
static void no_more_is_quoted_than_fits_an_error(void **state)
{
	static const size_t MOST[_FAMILY_COUNT] = {576 - 28 - 28, 1280 - 48 - 48};
	struct scene *scene = *state;

	scene_offer_all(scene, &NONE);
	for (int i = 1; i < KIND_COUNT; i += 2) {
		for (size_t more = 0; more < 20; more++) {
			struct blueprint request = request_of(&KINDS[i]);

			request.payload_length = MOST[KINDS[i].family] - 10 + more;

			expect_answer(scene, UPLINK, &request, VERDICT_ANSWER_UNREACHABLE);
		}
	}
}

static void options_and_padding_are_no_part_of_an_answer(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &NONE);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t length = 0; length <= IPV4_OPTIONS_MAX; length += 4) {
			struct blueprint request = request_of(&KINDS[i]);

			request.options_length = KINDS[i].family == IPV4 ? length : 0;
			request.padding_length = length;
			request.payload_length = length % 8;

			expect_answer(scene, UPLINK, &request, refusal_of(&KINDS[i]));
		}
	}
}

/* Puts a header of destination options, of `length` bytes, between IPv6 and the transport. */
static void extend(struct frame *frame, size_t length)
{
	uint8_t *at = &frame->bytes[ETH_HLEN + 40];

	memmove(at + length, at, frame->length - (ETH_HLEN + 40));
	memset(at, 0, length);
	at[0] = frame->bytes[ETH_HLEN + 6];
	at[1] = (uint8_t)(length / 8 - 1);
	at[2] = 1; /* padding of so many bytes, and two */
	at[3] = (uint8_t)(length - 4);
	frame->bytes[ETH_HLEN + 6] = IPPROTO_DSTOPTS;
	frame->length += length;
	frame_fit_length(frame);
}

static void extension_headers_are_quoted_and_not_sent_back(void **state)
{
	struct scene *scene = *state;
	struct frame frame;
	struct refused_frame refused = {.frame = &frame, .network = ETH_HLEN};

	scene_offer_all(scene, &NONE);
	for (int i = 2; i < KIND_COUNT; i++) {
		for (size_t length = 8; length <= 64; length += 8) {
			struct blueprint request = request_of(&KINDS[i]);

			frame_build(&request, &frame);
			extend(&frame, length);
			refused.transport = ETH_HLEN + 40 + length;
			refused.linear = frame.length;

			expect_answer_to(scene, UPLINK, &refused, refusal_of(&KINDS[i]));
		}
	}
}

/* A frame of several pages: its end goes, whatever is quoted. */
static void jumbo_frames_are_answered(void **state)
{
	static const size_t LENGTHS[] = {3400, 4000, 4100, 8948, 12289, 16000};
	struct scene *scene = *state;

	scene_offer_all(scene, &NONE);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t row = 0; row < sizeof(LENGTHS) / sizeof(LENGTHS[0]); row++) {
			struct blueprint request = request_of(&KINDS[i]);

			request.payload_length = LENGTHS[row];

			expect_answer(scene, UPLINK, &request, refusal_of(&KINDS[i]));
		}
	}
}

static void what_lies_in_a_later_buffer_is_not_quoted(void **state)
{
	struct scene *scene = *state;

	if (kernel_is_before(KERNEL_VERSION(6, 18, 0)))
		skip(); /* the first buffer of a test run is always a page */
	scene_offer_all(scene, &NONE);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t first = 80; first < 400; first += 13) {
			struct blueprint request = request_of(&KINDS[i]);

			request.payload_length = 4 * first;
			scene->linear = first;

			expect_answer(scene, UPLINK, &request, refusal_of(&KINDS[i]));
		}
		scene->linear = 0;
	}
}

static void sequence_numbers_go_round(void **state)
{
	static const uint8_t LAST[4] = {0xff, 0xff, 0xff, 0xff};
	struct scene *scene = *state;
	struct frame frame;
	struct refused_frame refused = {.frame = &frame, .network = ETH_HLEN};

	scene_offer_all(scene, &NONE);
	for (int i = 0; i < KIND_COUNT; i += 2) {
		struct blueprint request = request_of(&KINDS[i]);

		frame_build(&request, &frame);
		refused.transport = ETH_HLEN + (KINDS[i].family == IPV6 ? 40 : 20);
		refused.linear = frame.length;
		memcpy(&frame.bytes[refused.transport + SEQUENCE_AT], LAST, sizeof(LAST));

		expect_answer_to(scene, UPLINK, &refused, VERDICT_ANSWER_RESET);
	}
}

/* A header that says to be longer than the packet brings no data. */
static void a_header_that_is_not_all_there_counts_no_data(void **state)
{
	struct scene *scene = *state;
	struct frame frame;
	struct refused_frame refused = {.frame = &frame, .network = ETH_HLEN};

	scene_offer_all(scene, &NONE);
	for (int i = 0; i < KIND_COUNT; i += 2) {
		for (uint8_t words = 5; words <= 15; words++) {
			struct blueprint request = request_of(&KINDS[i]);

			frame_build(&request, &frame);
			refused.transport = ETH_HLEN + (KINDS[i].family == IPV6 ? 40 : 20);
			refused.linear = frame.length;
			frame.bytes[refused.transport + OFFSET_AT] = (uint8_t)(words << 4);

			expect_answer_to(scene, UPLINK, &refused, VERDICT_ANSWER_RESET);
		}
	}
}

static void an_answer_is_a_redirect_where_tx_would_vanish(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &NONE);
	scene_flag_port(scene, UPLINK, PORT_TX_BY_REDIRECT);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		expect_answer(scene, UPLINK, &request, refusal_of(&KINDS[i]));
		expect_answer(scene, NOWHERE, &request, refusal_of(&KINDS[i]));
	}
}

static void a_reset_is_never_answered(void **state)
{
	static const uint8_t FLAGS[] = {RST, RST | ACK, RST | SYN, RST | FIN | ACK};
	struct scene *scene = *state;

	scene_offer_all(scene, &NONE);
	for (int i = 0; i < KIND_COUNT; i += 2) {
		for (size_t row = 0; row < sizeof(FLAGS); row++) {
			struct blueprint request = request_of(&KINDS[i]);

			request.tcp_flags = FLAGS[row];

			expect(scene, UPLINK, &request, VERDICT_DROP_NO_BACKEND, NULL);
		}
	}
}

/* Where lbd knows the interface, it knows its address, too: then they are to another host. */
static void frames_from_or_to_a_group_are_not_answered(void **state)
{
	static const uint8_t GROUPS[][ETH_ALEN] = {
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		{0x01, 0x00, 0x5e, 0x60, 0x00, 0x0a},
		{0x33, 0x33, 0x00, 0x00, 0x00, 0x10},
		{0x03, 0xc1, 0, 0, 0, 0x01},
	};
	struct scene *scene = *state;

	scene_offer_all(scene, &NONE);
	for (int i = 0; i < KIND_COUNT * 4; i++) {
		struct blueprint to = request_of(&KINDS[i / 4]), from = to;

		memcpy(to.to_mac, GROUPS[i % 4], ETH_ALEN);
		memcpy(from.from_mac, GROUPS[i % 4], ETH_ALEN);

		expect(scene, NOWHERE, &to, VERDICT_DROP_NO_BACKEND, NULL);
		expect(scene, UPLINK, &to, VERDICT_PASS_OTHER_HOST, NULL);
		expect(scene, NOWHERE, &from, VERDICT_DROP_NO_BACKEND, NULL);
		expect(scene, UPLINK, &from, VERDICT_DROP_NO_BACKEND, NULL);
	}
}

static void martians_are_not_answered(void **state)
{
	static const char *const MARTIANS[_FAMILY_COUNT] = {"127.0.0.1", "::1"};
	struct scene *scene = *state;

	scene_offer_all(scene, &NONE);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		assert_int_equal(address_parse(MARTIANS[KINDS[i].family], &request.src), 0);

		expect(scene, UPLINK, &request, VERDICT_DROP_MARTIAN, NULL);
	}
}

#define FEW_ERRORS 3

static void limit_errors(struct datapath_options *options)
{
	options->icmp_errors = FEW_ERRORS;
}

static int open_limited(void **state)
{
	return scene_open_changed(state, limit_errors);
}

/* As if a second had passed on every CPU. */
static void let_a_second_pass(struct scene *scene)
{
	const int map = bpf_map__fd(scene->datapath->skeleton->maps.error_budget);
	struct error_budget budgets[MAX_CPUS];
	const uint32_t first = 0;

	assert_in_range(scene->datapath->cpus, 1, MAX_CPUS);
	assert_int_equal(bpf_map_lookup_elem(map, &first, budgets), 0);
	for (unsigned int cpu = 0; cpu < scene->datapath->cpus; cpu++)
		budgets[cpu].since -= scene->datapath->jiffies_per_second;
	assert_int_equal(bpf_map_update_elem(map, &first, budgets, BPF_ANY), 0);
}

static void errors_are_sent_up_to_so_many_a_second_and_resets_always(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &NONE);
	for (int i = 1; i < KIND_COUNT; i += 2) {
		struct blueprint datagram = request_of(&KINDS[i]);
		struct blueprint segment = request_of(&KINDS[i - 1]);

		let_a_second_pass(scene);
		for (int sent = 0; sent < FEW_ERRORS; sent++)
			expect_answer(scene, UPLINK, &datagram, VERDICT_ANSWER_UNREACHABLE);
		expect(scene, UPLINK, &datagram, VERDICT_DROP_RATE_LIMITED, NULL);
		expect(scene, UPLINK, &datagram, VERDICT_DROP_RATE_LIMITED, NULL);
		for (int sent = 0; sent <= FEW_ERRORS; sent++)
			expect_answer(scene, UPLINK, &segment, VERDICT_ANSWER_RESET);
	}
}

static void drop_refused(struct datapath_options *options)
{
	options->refuse = REFUSE_DROP;
}

static int open_silent(void **state)
{
	return scene_open_changed(state, drop_refused);
}

static void nobody_is_answered_where_the_operator_wants_it_so(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &NONE);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		expect(scene, UPLINK, &request, VERDICT_DROP_NO_BACKEND, NULL);
	}
}

static void what_cannot_be_answered_is_dropped(void **state)
{
	const uint32_t program = PROGRAM_ANSWER;
	struct scene *scene = *state;

	scene_offer_all(scene, &NONE);
	assert_int_equal(bpf_map_delete_elem(bpf_map__fd(scene->datapath->skeleton->maps.programs),
					     &program),
			 0);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		expect(scene, UPLINK, &request, VERDICT_DROP_NO_BACKEND, NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(tcp_without_a_backend_is_reset),
		scene_test(udp_without_a_backend_is_told_that_the_port_is_unreachable),
		scene_test(no_more_is_quoted_than_fits_an_error),
		scene_test(options_and_padding_are_no_part_of_an_answer),
		scene_test(extension_headers_are_quoted_and_not_sent_back),
		scene_test(jumbo_frames_are_answered),
		scene_test(what_lies_in_a_later_buffer_is_not_quoted),
		scene_test(sequence_numbers_go_round),
		scene_test(a_header_that_is_not_all_there_counts_no_data),
		scene_test(an_answer_is_a_redirect_where_tx_would_vanish),
		scene_test(a_reset_is_never_answered),
		scene_test(frames_from_or_to_a_group_are_not_answered),
		scene_test(martians_are_not_answered),
		scene_test(what_cannot_be_answered_is_dropped),
		cmocka_unit_test_setup_teardown(
			errors_are_sent_up_to_so_many_a_second_and_resets_always, open_limited,
			scene_close),
		cmocka_unit_test_setup_teardown(nobody_is_answered_where_the_operator_wants_it_so,
						open_silent, scene_close),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
