/*
 * Every knob on, every knob off, and each of them alone: the kernel's verifier takes all programs,
 * with so much to spare, and packets go on. What a knob does is for others to test. LBT_ONLY: those
 * of these tests, where each load takes seconds.
 */
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include "lb/datapath_internal.h"
#include "test/bpf/kept.h"
#include "test/bpf/scene.h"

#define VERIFIER_LIMIT 1000000 /* instructions: the kernel's BPF_COMPLEXITY_LIMIT_INSNS */

typedef void (*knob)(struct datapath_options *options);

static void tell_stack(struct datapath_options *options)
{
	options->metadata = true;
}

static void drop_refused(struct datapath_options *options)
{
	options->refuse = REFUSE_DROP;
}

static void limit_new_connections(struct datapath_options *options)
{
	options->max_new_connections = 1000;
}

static void limit_no_errors(struct datapath_options *options)
{
	options->icmp_errors = 0;
}

static void want_one_piece(struct datapath_options *options)
{
	options->linear = true;
}

static const struct prefix SOURCES[MAX_TUNNEL_SOURCES];

static void tunnel(struct datapath_options *options)
{
	options->tunnels = true;
	options->tunnel_sources = SOURCES;
	options->tunnel_source_count = MAX_TUNNEL_SOURCES;
}

static const knob KNOBS[] = {tell_stack,      drop_refused,   limit_new_connections,
			     limit_no_errors, want_one_piece, tunnel};
#define KNOB_COUNT (sizeof(KNOBS) / sizeof(KNOBS[0]))

static unsigned int chosen; /* a bit a knob */

static void turn_chosen(struct datapath_options *options)
{
	for (size_t i = 0; i < KNOB_COUNT; i++)
		if (chosen >> i & 1)
			KNOBS[i](options);
	options->tc = options->egress = true; /* programs for tc as well */
}

static void say_how_long_it_was(const struct bpf_program *program)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size), 0);
	assert_true(info.verified_insns < VERIFIER_LIMIT);
	printf(" %s %u", bpf_program__name(program), info.verified_insns);
}

static void say_how_long_verification_was(const struct scene *scene)
{
	const struct datapath *datapath = scene->datapath;
	struct bpf_program *program;

	printf("# knobs %#x: verified", chosen);
	for (int i = 0; i < _PROGRAM_COUNT; i++)
		say_how_long_it_was(datapath->parts[i]);
	say_how_long_it_was(datapath->skeleton->progs.lb);
	for (int side = 0; side < _TC_SIDE_COUNT; side++) {
		printf(side == TC_INGRESS ? "; tc:" : "; egress:");
		bpf_object__for_each_program(
			program, datapath->tc.side[side].object) if (bpf_program__fd(program) >= 0)
			say_how_long_it_was(program);
	}
	printf("\n");
}

static void load_and_send(unsigned int knobs)
{
	void *state = NULL;
	struct scene *scene;

	chosen = knobs;
	kept_datapath_forget();
	assert_int_equal(scene_open_changed(&state, turn_chosen), 0);
	scene = state;
	say_how_long_verification_was(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);

		scene_offer(scene, &KINDS[i], &ONLY_A);
		assert_int_equal(request_goes_to(scene, &request), BACKEND_A);
	}
	assert_int_equal(scene_close(&state), 0);
}

static void every_knob_on_is_accepted(void **state)
{
	(void)state;
	load_and_send((1u << KNOB_COUNT) - 1);
}

static void every_knob_off_is_accepted(void **state)
{
	(void)state;
	load_and_send(0);
}

static void each_knob_alone_is_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < KNOB_COUNT; i++)
		load_and_send(1u << i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_knob_on_is_accepted),
		cmocka_unit_test(every_knob_off_is_accepted),
		cmocka_unit_test(each_knob_alone_is_accepted),
	};

	cmocka_set_test_filter(getenv("LBT_ONLY"));
	return cmocka_run_group_tests(tests, network_make, NULL);
}
