/*
 * Interleavings: see interleave.h.
 */
#include "test/bpf/interleave.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <string.h>

static void run_in_kernel(struct interleaving *interleaving, enum side side)
{
	struct frame *frame = &interleaving->frames[side];
	struct xdp_md context = {.data_end = (__u32)frame->length,
				 .ingress_ifindex = network_ifindex(interleaving->in[side])};
	struct frame left;
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->bytes,
		    .data_size_in = (__u32)frame->length, .data_out = left.bytes,
		    .data_size_out = FRAME_MAX, .ctx_in = &context, .ctx_size_in = sizeof(context));

	assert_int_equal(bpf_prog_test_run_opts(
				 bpf_program__fd(interleaving->scene->datapath->skeleton->progs.lb),
				 &options),
			 0);
	interleaving->action[side] = options.retval;
	left.length = options.data_size_out;
	*frame = left;
}

static void stop_there(void *context, uint64_t number)
{
	struct interleaving *interleaving = context;

	if (number != interleaving->stop || interleaving->has_stopped)
		return;
	interleaving->has_stopped = true;
	run_in_kernel(interleaving, MEANWHILE);
}

static uint32_t read_clock(const struct interleaving *interleaving)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);

	bpf_prog_test_run_opts(
		bpf_program__fd(interleaving->scene->datapath->skeleton->progs.clock), &options);
	return options.retval;
}

struct interleaving *interleaving_new(struct scene *scene)
{
	struct interleaving *interleaving = test_calloc(1, sizeof(*interleaving));
	const struct lb_bpf *skeleton = scene->datapath->skeleton;

	interleaving->scene = scene;
	interleaving->interpreter = interpreter_new(bpf_program__insns(skeleton->progs.lb),
						    bpf_program__insn_cnt(skeleton->progs.lb));
	assert_non_null(interleaving->interpreter);
	interpreter_add_parts(interleaving->interpreter, scene->datapath->parts, _PROGRAM_COUNT);
	assert_int_equal(mapping_open(&interleaving->client_hops, skeleton->maps.client_hops), 0);
	assert_int_equal(mapping_open(&interleaving->alias_marks, skeleton->maps.alias_marks), 0);
	interpreter_share(interleaving->interpreter, bpf_map__fd(skeleton->maps.connections),
			  scene->connections.memory, scene->connections.size);
	interpreter_share(interleaving->interpreter, bpf_map__fd(skeleton->maps.client_hops),
			  interleaving->client_hops.memory, interleaving->client_hops.size);
	interpreter_share(interleaving->interpreter, bpf_map__fd(skeleton->maps.alias_marks),
			  interleaving->alias_marks.memory, interleaving->alias_marks.size);
	interpreter_pause_between(interleaving->interpreter, stop_there, interleaving);
	return interleaving;
}

void interleaving_free(struct interleaving *interleaving)
{
	mapping_close(&interleaving->alias_marks);
	mapping_close(&interleaving->client_hops);
	interpreter_free(interleaving->interpreter);
	test_free(interleaving);
}

bool interleave(struct interleaving *interleaving, const struct blueprint *stopped,
		const struct blueprint *meanwhile, uint64_t stop)
{
	struct tally tally;

	frame_build(stopped, &interleaving->frames[STOPPED]);
	frame_build(meanwhile, &interleaving->frames[MEANWHILE]);
	interleaving->stop = stop;
	interleaving->has_stopped = false;
	interpreter_set_clock(interleaving->interpreter, read_clock(interleaving));
	assert_int_equal(interpreter_run(interleaving->interpreter, &interleaving->frames[STOPPED],
					 network_ifindex(interleaving->in[STOPPED]),
					 &interleaving->action[STOPPED], &tally),
			 0);
	return interleaving->has_stopped;
}

void interleaving_send(struct interleaving *interleaving, enum interface in,
		       const struct blueprint *packet)
{
	interleaving->in[MEANWHILE] = in;
	frame_build(packet, &interleaving->frames[MEANWHILE]);
	run_in_kernel(interleaving, MEANWHILE);
}

bool interleaving_left_for(const struct interleaving *interleaving, enum side side, enum role next)
{
	return (interleaving->action[side] == XDP_REDIRECT ||
		interleaving->action[side] == XDP_TX) &&
	       !memcmp(interleaving->frames[side].bytes, role_mac(next), ETH_ALEN);
}

void interleaving_clear(const struct interleaving *interleaving)
{
	struct connection *entries = interleaving->scene->connections.memory;

	for (size_t i = 0; i < interleaving->scene->connections.size / sizeof(*entries); i++)
		entries[i].head.word = 0;
	memset(interleaving->alias_marks.memory, 0, interleaving->alias_marks.size);
}
