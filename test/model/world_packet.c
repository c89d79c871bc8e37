/*
 * A frame through the datapath and through the model: see world.h.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <errno.h>
#include <string.h>
#include "test/bpf/frame_diff.h"
#include "test/bpf/hook.h"
#include "test/model/world.h"

static const char *action_name(uint32_t action)
{
	static const char *const NAMES[] = {"aborted", "drop", "pass", "tx", "redirect"};

	return action < sizeof(NAMES) / sizeof(NAMES[0]) ? NAMES[action] : "unknown";
}

static int run_xdp(const struct world *world, enum interface in, const struct frame *sent,
		   struct frame *left, uint32_t *action)
{
	struct xdp_md context = {
		.data_end = (__u32)sent->length,
		.ingress_ifindex = network_ifindex(in),
	};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = sent->bytes,
		    .data_size_in = (__u32)sent->length, .data_out = left->bytes,
		    .data_size_out = sizeof(left->bytes), .ctx_in = &context,
		    .ctx_size_in = sizeof(context));
	int program = bpf_program__fd(world->scene->datapath->skeleton->progs.lb);
	const int error = bpf_prog_test_run_opts(program, &options);

	left->length = options.data_size_out;
	*action = options.retval;
	return error;
}

static bool has_tag(const struct frame *frame)
{
	const uint8_t *type = frame->bytes + 2 * ETH_ALEN;

	return frame->length >= ETH_HLEN &&
	       ((type[0] == 0x81 && !type[1]) || (type[0] == 0x88 && type[1] == 0xa8));
}

/*
 * False: tc cannot be given such a frame. Tags the kernel takes out before; what is shorter than a
 * header, or longer than a page, it does not make an skb of for us.
 */
static bool run(const struct world *world, enum interface in, const struct frame *sent,
		struct frame *left, uint32_t *action)
{
	int error;

	if (!hook_is_tc()) {
		assert_int_equal(run_xdp(world, in, sent, left, action), 0);
		return true;
	}
	if (has_tag(sent))
		return false;
	error = hook_run_tc(world->scene->datapath, in, sent, left, action);
	assert_true(!error || error == -EINVAL);
	return !error;
}

static void keep_frames(struct difference *difference, const struct frame *sent,
			const struct frame *got, const struct frame *wanted)
{
	if (difference->has_frames)
		return;
	difference->has_frames = true;
	difference->sent = *sent;
	difference->got = *got;
	difference->wanted = *wanted;
}

static void copy(struct frame *to, const struct frame *from)
{
	to->length = from->length;
	memcpy(to->bytes, from->bytes, from->length);
}

void world_send(struct world *world, const struct op_packet *packet, bool careful,
		struct difference *difference)
{
	static struct frame sent, got, wanted;
	struct counter before[_VERDICT_COUNT], after[_VERDICT_COUNT];
	enum verdict verdict, counted = _VERDICT_COUNT;
	struct observed observed = {.frame = &got};

	op_build(packet, &sent);
	if (careful)
		verdicts_read(world->scene->datapath, before);
	if (!run(world, packet->in, &sent, &got, &observed.action))
		return;
	if (careful) {
		verdicts_read(world->scene->datapath, after);
		counted = verdict_between(before, after);
	}
	copy(&wanted, &sent);
	verdict = model_judge(&world->model, packet->in, &observed, &wanted);
	world->last = (struct world_last){&sent, observed, verdict};
	if (world->model.is_uncertain)
		return;
	if (careful && counted != verdict)
		difference_say(difference, "the datapath says %s, the model %s",
			       verdict_name(counted), verdict_name(verdict));
	else if (observed.action != hook_action(model_action(&world->model, packet->in, verdict)))
		difference_say(difference, "the datapath does %s (%s), the model says %s",
			       action_name(observed.action), verdict_name(counted),
			       verdict_name(verdict));
	else if (!frame_equal(&got, &wanted))
		difference_say(difference, "another frame leaves; the model says %s",
			       verdict_name(verdict));
	if (difference->is_found)
		keep_frames(difference, &sent, &got, &wanted);
}
