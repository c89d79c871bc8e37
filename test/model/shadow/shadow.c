/*
 * Runs a test with a second opinion: see shadow.h. The linker puts these functions in the place of
 * those that open the datapath and run its program (--wrap).
 */
#include "test/model/shadow/shadow.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "test/bpf/frame_diff.h"
#include "test/model/verdicts.h"

#define FRAMES 1000 /* of a scene; some tests send tens of thousands of a kind */

static struct datapath *watched;
static struct datapath_options watched_options;
static uint64_t compared, skipped;

int __real_kept_datapath_open(const struct datapath_options *options, struct datapath **datapath,
			      struct refusal *refusal);
int __wrap_kept_datapath_open(const struct datapath_options *options, struct datapath **datapath,
			      struct refusal *refusal);
void __real_kept_datapath_close(struct datapath *datapath);
void __wrap_kept_datapath_close(struct datapath *datapath);
int __real_bpf_prog_test_run_opts(int program, struct bpf_test_run_opts *options);
int __wrap_bpf_prog_test_run_opts(int program, struct bpf_test_run_opts *options);

int __wrap_kept_datapath_open(const struct datapath_options *options, struct datapath **datapath,
			      struct refusal *refusal)
{
	const int error = __real_kept_datapath_open(options, datapath, refusal);

	watched = error ? NULL : *datapath;
	watched_options = *options;
	return error;
}

void __wrap_kept_datapath_close(struct datapath *datapath)
{
	if (datapath == watched)
		watched = NULL;
	if (compared + skipped)
		printf("# the model was asked of %llu frames, and could not tell of %llu\n",
		       (unsigned long long)compared, (unsigned long long)skipped);
	compared = skipped = 0;
	__real_kept_datapath_close(datapath);
}

/* A whole frame in one buffer, for the program that packets meet. */
static bool is_for_model(int program, const struct bpf_test_run_opts *options)
{
	const struct xdp_md *context = options->ctx_in;

	return watched && compared + skipped < FRAMES &&
	       program == bpf_program__fd(watched->skeleton->progs.lb) && context &&
	       options->data_out && options->data_size_in <= FRAME_MAX &&
	       context->data_end == options->data_size_in &&
	       !(options->flags & BPF_F_TEST_XDP_LIVE_FRAMES);
}

static void compare(struct model *model, uint32_t in, const struct bpf_test_run_opts *options,
		    enum verdict counted)
{
	static struct frame got, wanted;
	const struct observed observed = {.frame = &got, .action = options->retval};
	enum verdict verdict;

	got.length = options->data_size_out;
	memcpy(got.bytes, options->data_out, got.length);
	wanted.length = options->data_size_in;
	memcpy(wanted.bytes, options->data_in, wanted.length);
	verdict = model_judge(model, in, &observed, &wanted);
	/* How many errors it has sent in this second the model does not know. */
	if (model->is_uncertain || counted == VERDICT_DROP_RATE_LIMITED) {
		skipped++;
		return;
	}
	compared++;
	if (counted != verdict)
		fail_msg("the datapath says %s, the model %s", verdict_name(counted),
			 verdict_name(verdict));
	if (options->retval != model_action(model, in, verdict))
		fail_msg("%s does %u, by the model %u (enum xdp_action)", verdict_name(verdict),
			 options->retval, model_action(model, in, verdict));
	if (frame_equal(&got, &wanted))
		return;
	frame_print_difference(&got, &wanted);
	fail_msg("%s leaves another frame than the model says", verdict_name(verdict));
}

int __wrap_bpf_prog_test_run_opts(int program, struct bpf_test_run_opts *options)
{
	static struct model model;
	struct counter before[_VERDICT_COUNT], after[_VERDICT_COUNT];
	const bool is_whole = is_for_model(program, options);
	bool is_told;
	int error;

	if (!is_whole)
		return __real_bpf_prog_test_run_opts(program, options);
	is_told = shadow_read(watched, &watched_options, &model);
	verdicts_read(watched, before);
	error = __real_bpf_prog_test_run_opts(program, options);
	verdicts_read(watched, after);
	if (!is_told)
		skipped++;
	else if (!error)
		compare(&model,
			shadow_ingress(watched,
				       ((const struct xdp_md *)options->ctx_in)->ingress_ifindex),
			options, verdict_between(before, after));
	return error;
}
