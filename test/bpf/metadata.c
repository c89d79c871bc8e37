/*
 * Metadata: with it on, what passes carries why it does and of which service it is, and nothing
 * else is different; where there is no room, packets pass without. The scene parts what lies in
 * front of a packet from the packet, which every test compares as a whole.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/in.h>
#include <string.h>
#include "test/bpf/frame_diff.h"
#include "test/bpf/icmp_story.h"

#define JUMBO_PAYLOAD 8000 /* goes on in fragments */
#define ROOM_MAX 252       /* bytes that may lie in front of a packet (6.18; of 6.1: 32) */

static void turn_on(struct datapath_options *options)
{
	options->metadata = true;
}

static int open_with_metadata(void **state)
{
	return scene_open_changed(state, turn_on);
}

#define metadata_test(function)                                                                    \
	cmocka_unit_test_setup_teardown(function, open_with_metadata, scene_close)

/* Of the last packet. */
#define carries(scene, ...) ((scene)->line = __LINE__, check_metadata((scene), __VA_ARGS__))
static void check_metadata(const struct scene *scene, enum metadata_class class,
			   enum verdict verdict, uint32_t service)
{
	const struct metadata wanted = {
		.magic = METADATA_MAGIC,
		.class = (uint8_t) class,
		.verdict = (uint8_t)verdict,
		.service = service,
	};
	const struct metadata *got = &scene->metadata;

	if (!memcmp(got, &wanted, sizeof(wanted)))
		return;
	fail_msg("line %d: carries %08x, class %u, verdict %u, %u, service %u", scene->line,
		 got->magic, got->class, got->verdict, got->zero[0] | got->zero[1], got->service);
}

static void check_nothing(const struct scene *scene)
{
	const struct metadata nothing = {};

	assert_memory_equal(&scene->metadata, &nothing, sizeof(nothing));
}

static void what_is_of_no_service_says_so(void **state)
{
	struct scene *scene = *state;
	struct frame frame;

	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		expect(scene, UPLINK, &request, VERDICT_PASS_NO_SERVICE, NULL);
		carries(scene, METADATA_NOT_OURS, VERDICT_PASS_NO_SERVICE, 0);
		request.payload_length = JUMBO_PAYLOAD;
		expect(scene, UPLINK, &request, VERDICT_PASS_NO_SERVICE, NULL);
		carries(scene, METADATA_NOT_OURS, VERDICT_PASS_NO_SERVICE, 0);
		frame_build(&request, &frame);
		frame.bytes[12] = 0xff;
		expect_bytes(scene, UPLINK, &frame, VERDICT_PASS_PROTOCOL, NULL);
		carries(scene, METADATA_NOT_OURS, VERDICT_PASS_PROTOCOL, 0);
	}
}

/* The service is known before the MAC address is looked at. */
static void a_request_to_another_host_says_so(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		const uint32_t service = scene_offer(scene, &KINDS[i], &ONLY_A);
		struct blueprint request = request_of(&KINDS[i]);

		memcpy(request.to_mac, role_mac(STRANGER), ETH_ALEN);
		expect(scene, UPLINK, &request, VERDICT_PASS_OTHER_HOST, NULL);
		carries(scene, METADATA_NOT_OURS, VERDICT_PASS_OTHER_HOST, service);
	}
}

static void what_is_cut_short_anywhere_says_so(void **state)
{
	struct scene *scene = *state;
	struct frame whole, cut;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		frame_build(&request, &whole);
		for (cut = whole, cut.length = ETH_HLEN; cut.length < whole.length; cut.length++) {
			expect_bytes(scene, UPLINK, &cut, VERDICT_PASS_MALFORMED, NULL);
			carries(scene, METADATA_NOT_READ, VERDICT_PASS_MALFORMED, 0);
		}
	}
}

static void what_the_stack_is_to_answer_names_the_service(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		const uint32_t service = scene_offer(scene, &KINDS[i], &ONLY_A);
		struct blueprint request = request_of(&KINDS[i]);

		request.hop_limit = 1;
		for (int times = 0; times < 2; times++) {
			expect(scene, UPLINK, &request, VERDICT_PASS_HOP_LIMIT, NULL);
			carries(scene, METADATA_TO_ANSWER, VERDICT_PASS_HOP_LIMIT, service);
		}
	}
}

static void what_the_stack_is_to_send_on_names_the_service_both_ways(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		const uint32_t service = scene_offer(scene, &KINDS[i], &ONLY_A);
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint translated = translated_to(&request, BACKEND_A);
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A);
		struct blueprint returned = translated_from_service(&reply);

		scene_move(scene, BACKEND_A, NOWHERE);
		expect(scene, UPLINK, &request, VERDICT_PASS_UNRESOLVED, &translated);
		carries(scene, METADATA_TRANSLATED, VERDICT_PASS_UNRESOLVED, service);

		scene_move(scene, BACKEND_A, POD);
		scene_flag_port(scene, POD, PORT_BY_STACK);
		expect(scene, UPLINK, &request, VERDICT_PASS_BY_STACK, &translated);
		carries(scene, METADATA_TRANSLATED, VERDICT_PASS_BY_STACK, service);

		scene_flag_port(scene, UPLINK, PORT_BY_STACK);
		expect(scene, POD, &reply, VERDICT_PASS_BY_STACK, &returned);
		carries(scene, METADATA_TRANSLATED, VERDICT_PASS_BY_STACK, service);
		scene_flag_port(scene, POD, 0);
		scene_flag_port(scene, UPLINK, 0);
	}
}

static void icmp_says_it_as_well(void **state)
{
	struct scene *scene = *state;

	connect_all(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		const uint32_t service = scene_offer(scene, &KINDS[i], &ONLY_A);
		struct story story = from_backend_side(&KINDS[i], BACKEND_A, 0);

		story.comes.envelope.hop_limit = 1;
		expect_icmp(scene, POD, &story.comes, VERDICT_PASS_HOP_LIMIT, NULL);
		carries(scene, METADATA_TO_ANSWER, VERDICT_PASS_HOP_LIMIT, service);
		story.comes.quoted.src_port ^= 1;
		expect_icmp(scene, POD, &story.comes, VERDICT_PASS_NO_SERVICE, NULL);
		carries(scene, METADATA_NOT_OURS, VERDICT_PASS_NO_SERVICE, 0);
		story.comes.quote_length = 0;
		expect_icmp(scene, POD, &story.comes, VERDICT_PASS_MALFORMED, NULL);
		carries(scene, METADATA_NOT_READ, VERDICT_PASS_MALFORMED, 0);
	}
}

static void what_we_send_or_drop_carries_nothing(void **state)
{
	static const struct offer NOBODY = {0};
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct blueprint redirected = forwarded_to(&request, BACKEND_A, POD);
		struct blueprint sent_back = forwarded_to(&request, BACKEND_A, UPLINK);

		scene_offer(scene, &KINDS[i], &ONLY_A);
		expect(scene, UPLINK, &request, VERDICT_REDIRECT, &redirected);
		check_nothing(scene);
		scene_move(scene, BACKEND_A, UPLINK);
		expect(scene, UPLINK, &request, VERDICT_TX, &sent_back);
		check_nothing(scene);
		scene_move(scene, BACKEND_A, POD);
		request.src = (struct address){};
		scene_offer(scene, &KINDS[i], &NOBODY);
		expect(scene, UPLINK, &request, VERDICT_DROP_MARTIAN, NULL);
		check_nothing(scene);
	}
}

static void without_the_option_nothing_carries_any(void **state)
{
	struct scene *scene = *state;
	struct blueprint request = request_of(&KINDS[0]);

	expect(scene, UPLINK, &request, VERDICT_PASS_NO_SERVICE, NULL);
	check_nothing(scene);
}

/*
 * The frame with so many bytes of another program in front of it: how many lie there when it
 * passes, of which ours must be the first. -EINVAL: the kernel does not run it.
 */
static int pass_behind(struct scene *scene, const struct frame *frame, size_t others,
		       struct frame *out)
{
	static struct frame in;
	struct xdp_md context = {.data = (__u32)others};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = in.bytes, .data_out = out->bytes,
		    .data_size_out = sizeof(out->bytes), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .ctx_out = &context,
		    .ctx_size_out = sizeof(context));
	int program = bpf_program__fd(scene->datapath->skeleton->progs.lb);
	int error;

	memset(in.bytes, 0x5a, others);
	memcpy(in.bytes + others, frame->bytes, frame->length);
	in.length = others + frame->length;
	context.data_end = options.data_size_in = (__u32)in.length;
	error = bpf_prog_test_run_opts(program, &options);
	if (error)
		return error;
	assert_int_equal(options.retval, XDP_PASS);
	out->length = options.data_size_out;
	assert_memory_equal(out->bytes + out->length - in.length, in.bytes, in.length);
	return (int)context.data;
}

static void where_there_is_no_room_packets_pass_without_and_are_counted(void **state)
{
	const size_t ours = sizeof(struct metadata);
	struct blueprint request = request_of(&KINDS[0]);
	struct scene *scene = *state;
	static struct frame frame, out;
	uint64_t written = 0, missing = 0;

	frame_build(&request, &frame);
	for (size_t others = 0; others <= ROOM_MAX; others += 4) {
		int length = pass_behind(scene, &frame, others, &out);

		if (length < 0) {
			assert_int_equal(length, -EINVAL);
			break;
		}
		assert_int_equal(out.length, (size_t)length + frame.length);
		if ((size_t)length == others) {
			missing++;
		} else {
			assert_int_equal(length, others + ours);
			assert_int_equal(*(__u32 *)out.bytes, METADATA_MAGIC);
			written++;
		}
		assert_int_equal(datapath_metadata_missing(scene->datapath), missing);
	}
	assert_true(written && missing);
}

static void every_verdict_that_passes_a_packet_has_a_class(void **state)
{
	static const char *const NAMES[] = {
#define VERDICT_NAME(name, text, meaning) [VERDICT_##name] = text,
		VERDICTS(VERDICT_NAME)
#undef VERDICT_NAME
	};

	(void)state;
	for (int i = 0; i < _VERDICT_COUNT; i++) {
		const bool passes = !strncmp(NAMES[i], "pass-", 5);

		if (passes != (metadata_class_of((enum verdict)i) != METADATA_NONE))
			fail_msg("%s is of class %d", NAMES[i], metadata_class_of((enum verdict)i));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		metadata_test(what_is_of_no_service_says_so),
		metadata_test(a_request_to_another_host_says_so),
		metadata_test(what_is_cut_short_anywhere_says_so),
		metadata_test(what_the_stack_is_to_answer_names_the_service),
		metadata_test(what_the_stack_is_to_send_on_names_the_service_both_ways),
		metadata_test(icmp_says_it_as_well),
		metadata_test(what_we_send_or_drop_carries_nothing),
		metadata_test(where_there_is_no_room_packets_pass_without_and_are_counted),
		scene_test(without_the_option_nothing_carries_any),
		cmocka_unit_test(every_verdict_that_passes_a_packet_has_a_class),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
