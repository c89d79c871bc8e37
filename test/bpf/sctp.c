/*
 * SCTP: addresses are translated, ports and CRC32c (which covers no address) stay. Its associations
 * age as UDP's do.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include <string.h>
#include "test/bpf/answer_story.h"
#include "test/bpf/fragment_story.h"
#include "test/bpf/icmp_story.h"
#include "test/bpf/scene.h"
#include "test/bpf/tags.h"

#define SCTP_HEADER 12

static const struct kind ASSOCIATIONS[] = {
	{IPV4, IPPROTO_SCTP, "sctp over ipv4"},
	{IPV6, IPPROTO_SCTP, "sctp over ipv6"},
};

#define FOR_BOTH(kind)                                                                             \
	for (const struct kind *kind = ASSOCIATIONS; kind < ASSOCIATIONS + _FAMILY_COUNT; kind++)

static void expect_crossing(struct scene *scene, const struct kind *kind, enum role backend)
{
	const struct blueprint request = request_of(kind), reply = reply_of(kind, backend);
	const struct blueprint forwarded = forwarded_to(&request, backend, POD);
	const struct blueprint returned = returned_from_service(&reply, UPLINK);

	expect_packet(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
	expect_packet(scene, POD, &reply, VERDICT_REDIRECT, &returned);
}

static void an_association_goes_to_a_backend_and_back(void **state)
{
	struct scene *scene = *state;

	FOR_BOTH(kind)
	{
		scene_offer(scene, kind, &ONLY_A);
		expect_crossing(scene, kind, BACKEND_A);
		scene_offer(scene, kind, &A_DRAINS_TO_B);
		expect_crossing(scene, kind, BACKEND_A);
	}
}

static void it_is_none_of_another_protocol_of_the_same_port(void **state)
{
	struct scene *scene = *state;
	struct offer other = ONLY_B;

	other.port = BACKEND_PORT;
	for (int i = 0; i < KIND_COUNT; i++)
		scene_offer(scene, &KINDS[i], &other);
	FOR_BOTH(kind)
	{
		scene_offer(scene, kind, &ONLY_A);
		expect_crossing(scene, kind, BACKEND_A);
	}
}

static void it_moves_where_its_backend_is_gone_or_it_was_idle_for_long(void **state)
{
	const struct offer down = {
		.backends = {[BACKEND_A] = BACKEND_DOWN, [BACKEND_B] = BACKEND_ACTIVE},
	};
	struct scene *scene = *state;

	FOR_BOTH(kind)
	{
		const struct blueprint request = request_of(kind);

		scene_offer(scene, kind, &ONLY_A);
		expect_crossing(scene, kind, BACKEND_A);
		scene_offer(scene, kind, &A_DRAINS_TO_B);
		scene_let_pass(scene, &request, UDP_SECONDS + 1);
		expect_crossing(scene, kind, BACKEND_B);
		scene_offer(scene, kind, &ONLY_A);
		expect_crossing(scene, kind, BACKEND_A);
		scene_offer(scene, kind, &down);
		expect_crossing(scene, kind, BACKEND_B);
	}
}

static void without_a_backend_its_port_is_unreachable(void **state)
{
	const struct offer nobody = {};
	struct scene *scene = *state;

	FOR_BOTH(kind)
	{
		const struct blueprint request = request_of(kind);

		scene_offer(scene, kind, &nobody);
		expect_answer(scene, UPLINK, &request, VERDICT_ANSWER_UNREACHABLE);
	}
}

static void it_passes_behind_tags_and_in_pieces(void **state)
{
	const union tags tags = {.tag = {TAG(PROVIDER, 100), TAG(CUSTOMER, 10)}};
	static struct crossing crossing;
	struct scene *scene = *state;

	FOR_BOTH(kind)
	{
		struct blueprint request = request_of(kind), forwarded;

		scene_offer(scene, kind, &ONLY_A);
		request.tags = tags;
		forwarded = forwarded_to(&request, BACKEND_A, POD);
		forwarded.tags = NO_TAGS;
		expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
		cross_request(kind, 0, &crossing);
		for (size_t piece = 0; piece < PIECE_COUNT; piece++) {
			const struct cut cut = piece_of(piece, FIRST_IDENTIFICATION);

			expect_piece(scene, &crossing, &cut, VERDICT_REDIRECT);
		}
	}
}

static void errors_quote_what_their_receiver_sent(void **state)
{
	struct scene *scene = *state;

	FOR_BOTH(kind)
	{
		scene_offer(scene, kind, &ONLY_A);
		expect_crossing(scene, kind, BACKEND_A);
		for (int row = 0; row < ERROR_COUNT; row++) {
			struct story there = from_client_side(kind, STRANGER, row);
			struct story back = from_backend_side(kind, BACKEND_A, row);

			expect_icmp(scene, UPLINK, &there.comes, VERDICT_REDIRECT, &there.leaves);
			expect_icmp(scene, POD, &back.comes, VERDICT_REDIRECT, &back.leaves);
			there.comes.quote_length = quote_ip_header(kind) + PORTS_END;
			there.leaves.quote_length = there.comes.quote_length;
			expect_icmp(scene, UPLINK, &there.comes, VERDICT_REDIRECT, &there.leaves);
		}
	}
}

static void a_header_that_is_cut_short_is_left_to_the_stack(void **state)
{
	static struct frame frame;
	struct scene *scene = *state;

	FOR_BOTH(kind)
	{
		struct blueprint request = request_of(kind);

		scene_offer(scene, kind, &ONLY_A);
		for (size_t length = 0; length < SCTP_HEADER; length++) {
			request.payload_length = 0;
			frame_build(&request, &frame);
			frame.length -= SCTP_HEADER - length;
			frame_fit_length(&frame);
			expect_bytes(scene, UPLINK, &frame, VERDICT_PASS_MALFORMED, NULL);
		}
		assert_int_equal(scene_count_connections(scene), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(an_association_goes_to_a_backend_and_back),
		scene_test(it_is_none_of_another_protocol_of_the_same_port),
		scene_test(it_moves_where_its_backend_is_gone_or_it_was_idle_for_long),
		scene_test(without_a_backend_its_port_is_unreachable),
		scene_test(it_passes_behind_tags_and_in_pieces),
		scene_test(errors_quote_what_their_receiver_sent),
		scene_test(a_header_that_is_cut_short_is_left_to_the_stack),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
