/*
 * Plays sequences: see play.h.
 */
#include "test/model/play.h"

#include <string.h>
#include "test/bpf/frame_diff.h"

void play_begin(struct world *world)
{
	world_reset(world);
}

void play_op(struct world *world, const struct op *op, bool careful, struct difference *difference)
{
	switch (op->kind) {
	case OP_OFFER:
		world_offer(world, &op->offer, difference);
		break;
	case OP_WITHDRAW:
		world_withdraw(world, &op->service, difference);
		break;
	case OP_DENY:
		world_deny(world, &op->prefix);
		break;
	case OP_ALLOW:
		world_allow(world);
		break;
	case OP_NETWORK:
		world_set_network(world, &op->network.prefix, op->network.network);
		break;
	case OP_SOURCE:
		world_set_source(world, op->source.interface, op->source.station);
		break;
	case OP_MOVE:
		world_move(world, op->move.station, op->move.interface);
		break;
	case OP_PORT:
		world_set_port(world, op->port.interface, op->port.flags, op->port.mtu);
		break;
	case OP_PASS:
		world_pass(world, op->seconds);
		break;
	case OP_PACKET:
		world_send(world, &op->packet, careful, difference);
		break;
	case _OP_KIND_COUNT:
		break;
	}
}

void play_end(struct world *world, struct difference *difference)
{
	world_compare(world, difference);
}

bool play(struct world *world, const struct sequence *sequence, bool careful,
	  struct difference *difference)
{
	difference->is_found = false;
	difference->has_frames = false;
	play_begin(world);
	for (uint32_t i = 0; i < sequence->count; i++) {
		play_op(world, &sequence->ops[i], careful, difference);
		if (difference->is_found || world->model.is_uncertain)
			return difference->is_found;
	}
	play_end(world, difference);
	return difference->is_found;
}

#define BYTES_SHOWN 160

static void print_bytes(const char *label, const struct frame *frame)
{
	printf("# %s:", label);
	for (size_t i = 0; i < frame->length && i < BYTES_SHOWN; i++)
		printf("%s%02x", i % 2 ? "" : " ", frame->bytes[i]);
	printf("%s\n", frame->length > BYTES_SHOWN ? " ..." : "");
	fflush(stdout);
}

void play_report(struct world *world, const char *title, const struct sequence *sequence)
{
	static struct difference difference;

	printf("# %s\n", title);
	/* To look closely may be what makes the two the same. */
	if (play(world, sequence, true, &difference) || play(world, sequence, false, &difference))
		printf("# %s\n", difference.text);
	sequence_print(stdout, sequence);
	fflush(stdout);
	if (!difference.has_frames)
		return;
	print_bytes("sent", &difference.sent);
	if (!frame_equal(&difference.got, &difference.wanted))
		frame_print_difference(&difference.got, &difference.wanted);
}

void play_trace(struct world *world, const struct sequence *sequence)
{
	static struct difference difference;
	struct counter before[_VERDICT_COUNT];

	difference = (struct difference){};
	play_begin(world);
	for (uint32_t i = 0; i < sequence->count; i++) {
		memcpy(before, world->model.verdicts, sizeof(before));
		play_op(world, &sequence->ops[i], true, &difference);
		for (int verdict = 0; verdict < _VERDICT_COUNT; verdict++)
			if (world->model.verdicts[verdict].packets != before[verdict].packets)
				printf("# %s: ", verdict_name((enum verdict)verdict));
		op_print(stdout, &sequence->ops[i]);
	}
	play_end(world, &difference);
	if (difference.is_found)
		printf("# %s\n", difference.text);
	fflush(stdout);
}
