/*
 * Fragments that do not go on: those that are not ours pass untouched, those that hide what they
 * are end here, and so do those of a datagram whose first has ended.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <string.h>
#include "include/fragment.h"
#include "test/bpf/answer_story.h"
#include "test/bpf/fragment_story.h"

static struct crossing crossing; /* of the test that runs: too long for comfort on the stack */

static void expect_all_pieces(struct scene *scene, uint32_t identification, enum verdict first,
			      enum verdict later)
{
	for (size_t number = 0; number < PIECE_COUNT; number++) {
		const struct cut cut = piece_of(number, identification);

		expect_piece(scene, &crossing, &cut, number ? later : first);
	}
}

static void cross_untouched(const struct blueprint *packet, enum interface in)
{
	struct blueprint large = *packet;

	large.payload_length = DATAGRAM_BYTES;
	cross(&large, in, &large, &crossing);
}

static void pieces_from_and_to_strangers_pass_untouched(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint packet = request_of(&KINDS[i]);

		packet.dst = role_address(STRANGER, KINDS[i].family);
		cross_untouched(&packet, UPLINK);
		expect_all_pieces(scene, 1, VERDICT_PASS_FRAGMENT, VERDICT_PASS_FRAGMENT);

		packet = request_of(&KINDS[i]); /* to a backend itself, past the service */
		packet.dst = role_address(BACKEND_A, KINDS[i].family);
		packet.dst_port = htons(BACKEND_PORT);
		cross_untouched(&packet, UPLINK);
		expect_all_pieces(scene, 2, VERDICT_PASS_FRAGMENT, VERDICT_PASS_FRAGMENT);
	}
}

/* A service's address may be the node's own, and a pod has other business than its service. */
static void pieces_of_other_ports_pass_untouched(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	scene_own_service(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint packet = request_of(&KINDS[i]);

		packet.dst_port = htons(SERVICE_PORT + 1);
		cross_untouched(&packet, UPLINK);
		expect_all_pieces(scene, 1, VERDICT_PASS_FRAGMENT, VERDICT_PASS_FRAGMENT);

		packet = reply_of(&KINDS[i], BACKEND_A);
		packet.src_port = htons(BACKEND_PORT + 1);
		cross_untouched(&packet, POD);
		expect_all_pieces(scene, 1, VERDICT_PASS_FRAGMENT, VERDICT_PASS_FRAGMENT);
	}
	assert_int_equal(scene_count_connections(scene), 0);
}

static void pieces_of_other_protocols_pass_untouched(void **state)
{
	static const struct {
		uint8_t protocol;
		enum verdict verdict;
	} ROWS[] = {
		{IPPROTO_GRE, VERDICT_PASS_PROTOCOL},
		{IPPROTO_ICMP, VERDICT_PASS_FRAGMENT},
		{IPPROTO_ICMPV6, VERDICT_PASS_FRAGMENT},
	};
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	scene_own_service(scene);
	for (int i = 0; i < KIND_COUNT; i += 2) {
		const bool is_ipv6 = KINDS[i].family == IPV6;

		for (size_t row = 0; row < sizeof(ROWS) / sizeof(ROWS[0]); row++) {
			struct blueprint packet = request_of(&KINDS[i]);

			if (ROWS[row].protocol == (is_ipv6 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
				continue;
			packet.protocol = ROWS[row].protocol;
			cross_untouched(&packet, UPLINK);
			expect_all_pieces(scene, 1, ROWS[row].verdict, ROWS[row].verdict);
		}
	}
}

static void pieces_of_frames_to_another_host_pass_untouched(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint packet = request_of(&KINDS[i]);

		memcpy(packet.to_mac, role_mac(STRANGER), ETH_ALEN);
		cross_untouched(&packet, UPLINK);
		expect_all_pieces(scene, 1, VERDICT_PASS_OTHER_HOST, VERDICT_PASS_OTHER_HOST);
	}
	assert_int_equal(scene_count_connections(scene), 0);
}

/* RFC 1858: it would hide from a filter what the next piece tells. */
static void a_first_piece_without_its_whole_header_is_dropped(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		const size_t header = KINDS[i].protocol == IPPROTO_TCP ? 20 : 8;
		struct blueprint packet = request_of(&KINDS[i]);
		struct cut cut = {.identification = 1};

		cross_untouched(&packet, UPLINK);
		for (cut.length = 0; cut.length < header; cut.length++)
			expect_piece(scene, &crossing, &cut, VERDICT_DROP_FRAGMENT);
		cut = piece_of(1, 1);
		expect_piece(scene, &crossing, &cut, VERDICT_DROP_FRAGMENT);

		packet.dst = role_address(STRANGER, KINDS[i].family);
		cross_untouched(&packet, UPLINK);
		cut = (struct cut){.identification = 1, .length = header - 1};
		expect_piece(scene, &crossing, &cut, VERDICT_PASS_FRAGMENT);
	}
	assert_int_equal(scene_count_connections(scene), 0);
}

/* RFC 3128: it would write flags, or what lies behind them, over those of the first. */
static void a_piece_that_lies_over_the_header_is_dropped(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		const bool tcp = KINDS[i].protocol == IPPROTO_TCP;
		struct cut cut = piece_of(0, 1);

		cross_request(&KINDS[i], SYN, &crossing);
		expect_piece(scene, &crossing, &cut, VERDICT_REDIRECT);
		for (cut.offset = 8; cut.offset <= 24; cut.offset += 8)
			expect_piece(scene, &crossing, &cut,
				     tcp && cut.offset < 20 ? VERDICT_DROP_FRAGMENT
							    : VERDICT_REDIRECT);
	}
}

static void a_piece_of_a_piece_is_dropped(void **state)
{
	static struct frame inner, frame;
	const struct cut cut = {.length = PIECE_BYTES, .identification = 1};
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		if (KINDS[i].family != IPV6)
			continue;
		cross_request(&KINDS[i], SYN, &crossing);
		frame_cut(&crossing.comes, &cut, &inner);
		frame_cut(&inner, &cut, &frame);
		expect_bytes(scene, UPLINK, &frame, VERDICT_DROP_FRAGMENT, NULL);
	}
}

/* RFC 1122, 3.2.2: none but the first is answered. */
static void the_first_piece_alone_is_answered(void **state)
{
	const struct offer none = {.backends = {[BACKEND_A] = BACKEND_DOWN}};
	static struct frame frame;
	struct scene *scene = *state;

	scene_offer_all(scene, &none);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct cut first = piece_of(0, 1);
		struct refused_frame refused = {.frame = &frame, .network = ETH_HLEN};

		cross_request(&KINDS[i], SYN, &crossing);
		frame_cut(&crossing.comes, &first, &frame);
		refused.transport = ETH_HLEN + (KINDS[i].family == IPV6 ? 48 : 20);
		refused.linear = frame.length;
		expect_answer_to(scene, UPLINK, &refused, refusal_of(&KINDS[i]));
		for (size_t number = 1; number < PIECE_COUNT; number++) {
			const struct cut cut = piece_of(number, 1);

			expect_piece(scene, &crossing, &cut, VERDICT_DROP_FRAGMENT);
		}
	}
}

/* The first has gone on, and then there was nobody any more. */
static void a_later_piece_is_never_answered(void **state)
{
	const struct offer none = {.backends = {[BACKEND_A] = BACKEND_DOWN}};
	const struct cut first = piece_of(0, 1), second = piece_of(1, 1);
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		scene_offer_all(scene, &ONLY_A);
		cross_request(&KINDS[i], ACK, &crossing);
		expect_piece(scene, &crossing, &first, VERDICT_REDIRECT);
		scene_offer_all(scene, &none);
		expect_piece(scene, &crossing, &second, VERDICT_DROP_FRAGMENT);
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

static void pieces_end_where_their_first_has_ended(void **state)
{
	const struct offer none = {.backends = {[BACKEND_A] = BACKEND_DOWN}};
	struct scene *scene = *state;

	scene_offer_all(scene, &none);
	for (int i = 0; i < KIND_COUNT; i++) {
		cross_request(&KINDS[i], SYN, &crossing);
		expect_all_pieces(scene, 1, VERDICT_DROP_NO_BACKEND, VERDICT_DROP_FRAGMENT);
	}
}

/* Of one datagram only where all four of source, destination, identification, protocol are. */
static void a_piece_finds_the_first_of_its_own_datagram_only(void **state)
{
	const struct cut first = piece_of(0, 1), second = piece_of(1, 1);
	const struct cut other = piece_of(1, 0x10001); /* IPv6: 32 bits tell them apart */
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		const bool is_ipv6 = KINDS[i].family == IPV6;
		struct blueprint packet = request_of(&KINDS[i]);

		cross_request(&KINDS[i], SYN, &crossing);
		expect_piece(scene, &crossing, &first, VERDICT_REDIRECT);
		expect_piece(scene, &crossing, &other,
			     is_ipv6 ? VERDICT_DROP_FRAGMENT_HELD : VERDICT_REDIRECT);
		packet.src = role_address(STRANGER, KINDS[i].family);
		cross_untouched(&packet, UPLINK);
		expect_piece(scene, &crossing, &second, VERDICT_DROP_FRAGMENT_HELD);
	}
}

/* The length that IP states stays: each of these frames says more than it has. */
static void a_piece_cut_short_anywhere_passes_untouched(void **state)
{
	static struct frame frame;
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		cross_request(&KINDS[i], SYN, &crossing);
		for (size_t number = 0; number < PIECE_COUNT; number++) {
			const struct cut cut = piece_of(number, 1);

			frame_cut(&crossing.comes, &cut, &frame);
			for (frame.length = ETH_HLEN; frame.length < ETH_HLEN + 80; frame.length++)
				expect_bytes(scene, UPLINK, &frame, VERDICT_PASS_MALFORMED, NULL);
		}
	}
}

/* A fragment header that is not all there is told by none of its pieces. */
static void a_fragment_header_cut_short_passes_untouched(void **state)
{
	const struct cut cut = piece_of(1, 1);
	static struct frame frame;
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		if (KINDS[i].family != IPV6)
			continue;
		cross_request(&KINDS[i], SYN, &crossing);
		frame_cut(&crossing.comes, &cut, &frame);
		for (frame.length = ETH_HLEN + 40; frame.length < ETH_HLEN + 48; frame.length++) {
			frame_fit_length(&frame);
			expect_bytes(scene, UPLINK, &frame, VERDICT_PASS_MALFORMED, NULL);
		}
	}
}

static uint32_t count_remembered(const struct scene *scene)
{
	const int map = bpf_map__fd(scene->datapath->skeleton->maps.fragments);
	struct fragment_key key, *previous = NULL;
	uint32_t count = 0;

	for (; !bpf_map_get_next_key(map, previous, &key); previous = &key)
		count++;
	return count;
}

static void a_flood_of_first_pieces_stays_within_its_table(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (uint32_t i = 0; i < 4 * MAX_SCENE_FRAGMENTS; i++) {
		const struct cut first = piece_of(0, i);

		cross_request(&KINDS[i % KIND_COUNT], SYN, &crossing);
		expect_piece(scene, &crossing, &first, VERDICT_REDIRECT);
	}
	assert_in_range(count_remembered(scene), 1, MAX_SCENE_FRAGMENTS);
	assert_int_equal(scene_count_connections(scene), KIND_COUNT);
	for (int i = 0; i < KIND_COUNT; i++) {
		cross_request(&KINDS[i], ACK, &crossing);
		expect_all_pieces(scene, 0x7fff, VERDICT_REDIRECT, VERDICT_REDIRECT);
	}
}

static void age(struct scene *scene, unsigned int seconds)
{
	const int map = bpf_map__fd(scene->datapath->skeleton->maps.fragments);
	struct fragment_key key, *previous = NULL;
	struct fragment fragment;

	while (!bpf_map_get_next_key(map, previous, &key)) {
		assert_int_equal(bpf_map_lookup_elem(map, &key, &fragment), 0);
		fragment.second = (__u16)(fragment.second - seconds);
		assert_int_equal(bpf_map_update_elem(map, &key, &fragment, BPF_EXIST), 0);
		previous = &key;
	}
}

/* The identification has come again meanwhile, or will. */
static void an_old_first_is_forgotten_and_a_new_one_takes_its_place(void **state)
{
	const struct cut first = piece_of(0, 1), second = piece_of(1, 1);
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	scene_own_service(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint packet = request_of(&KINDS[i]);

		cross_request(&KINDS[i], SYN, &crossing);
		expect_piece(scene, &crossing, &first, VERDICT_REDIRECT);
		age(scene, FRAGMENT_SECONDS - 1);
		expect_piece(scene, &crossing, &second, VERDICT_REDIRECT);
		age(scene, 2);
		expect_piece(scene, &crossing, &second, VERDICT_DROP_FRAGMENT_HELD);

		packet.dst_port = htons(SERVICE_PORT + 1);
		cross_untouched(&packet, UPLINK);
		expect_all_pieces(scene, 1, VERDICT_PASS_FRAGMENT, VERDICT_PASS_FRAGMENT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(pieces_from_and_to_strangers_pass_untouched),
		scene_test(pieces_of_other_ports_pass_untouched),
		scene_test(pieces_of_other_protocols_pass_untouched),
		scene_test(pieces_of_frames_to_another_host_pass_untouched),
		scene_test(a_first_piece_without_its_whole_header_is_dropped),
		scene_test(a_piece_that_lies_over_the_header_is_dropped),
		scene_test(a_piece_of_a_piece_is_dropped),
		scene_test(the_first_piece_alone_is_answered),
		scene_test(a_later_piece_is_never_answered),
		cmocka_unit_test_setup_teardown(pieces_end_where_their_first_has_ended, open_silent,
						scene_close),
		scene_test(a_piece_finds_the_first_of_its_own_datagram_only),
		scene_test(a_piece_cut_short_anywhere_passes_untouched),
		scene_test(a_fragment_header_cut_short_passes_untouched),
		scene_test(a_flood_of_first_pieces_stays_within_its_table),
		scene_test(an_old_first_is_forgotten_and_a_new_one_takes_its_place),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
