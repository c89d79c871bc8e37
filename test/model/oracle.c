/*
 * The datapath against the kernel's own DNAT (kernel.h): the same packets through both. What is
 * translated leaves both as the same frame, byte for byte with its MAC addresses, and what is not
 * leaves neither. Where the two mean to differ says restrict.h of packets that are not sent, and
 * compare.h of those that are; both are counted.
 *
 * $LBT_SEED: another run; $LBT_SEQUENCES: how many are generated.
 */
#include <linux/in.h>
#include <stdlib.h>
#include <string.h>
#include "test/bpf/frame_diff.h"
#include "test/model/kernel.h"
#include "test/model/play.h"
#include "test/model/tally.h"

#define SEQUENCES 500
#define MAX_FINDINGS 5
#define LEAST_COMPARED 25 /* frames of a sequence */
#define ZERO_PERCENT 10   /* of packets */

static const uint32_t CONNECTIONS = 128;

struct run {
	struct world *world;
	struct kernel kernel;
	struct tally tally;
	uint32_t findings;
};

static void report(struct run *run, const char *text, const struct sequence *sequence,
		   const struct outcome *outcome, const struct frame *got)
{
	run->findings++;
	printf("# %s (wanted: the kernel's); the datapath says %s:\n", text,
	       verdict_name(run->world->last.verdict));
	sequence_print(stdout, sequence);
	fflush(stdout);
	if (outcome->count && !frame_equal(got, &outcome->frame))
		frame_print_difference(got, &outcome->frame);
}

/* What came of the last packet of a sequence; DIFFERENT: no more of it. */
static enum likeness play_packet(struct run *run, const struct sequence *sequence,
				 struct outcome *outcome)
{
	static struct difference difference;
	static struct frame got;
	const struct op *op = &sequence->ops[sequence->count - 1];
	const struct world_last *last = &run->world->last;
	const char *text = difference.text;
	enum likeness likeness = LIKENESS_DIFFERENT;

	difference = (struct difference){};
	outcome->count = 0;
	play_op(run->world, op, true, &difference);
	if (run->world->model.is_uncertain)
		return likeness;
	if (!difference.is_found) {
		outcome->count =
			kernel_send(&run->kernel, op->packet.in, last->sent, &outcome->frame);
		likeness = compare(last, &op->packet, outcome, &got, &text);
		tally_add(&run->tally, &op->packet, likeness, &got);
	}
	if (likeness == LIKENESS_DIFFERENT)
		report(run, text, sequence, outcome, &got);
	return likeness;
}

/*
 * Now and then the same once more, with a payload by which the checksum that leaves comes to zero:
 * what the sum lacks, the checksum, is added to a word of it (RFC 1071).
 */
static bool make_zero(struct generator *generator, struct op_segment *segment,
		      const struct frame *left)
{
	const uint32_t word = segment->word + transport_checksum(segment, left);

	if ((segment->protocol != IPPROTO_TCP && segment->protocol != IPPROTO_UDP) ||
	    segment->no_checksum || segment->data < 2 || !segment->word ||
	    !chance_percent(&generator->chance, ZERO_PERCENT))
		return false;
	segment->word = (uint16_t)(word + (word >> 16));
	return true;
}

static void begin_sequence(struct run *run, uint32_t stream, struct generator *generator,
			   struct sequence *sequence)
{
	static struct difference difference;

	play_begin(run->world);
	generate_begin(generator, &run->world->model, stream);
	restrict_begin(generator, sequence);
	for (uint32_t i = 0; i < sequence->count; i++)
		play_op(run->world, &sequence->ops[i], true, &difference);
	assert_false(difference.is_found);
	kernel_serve(sequence->ops, sequence->count);
}

static void play_sequence(struct run *run, uint32_t stream)
{
	static struct sequence sequence;
	static struct outcome outcome;
	enum likeness likeness = LIKENESS_NEITHER;
	struct generator generator;
	bool is_again = false;
	struct op op;

	begin_sequence(run, stream, &generator, &sequence);
	while (likeness != LIKENESS_DIFFERENT && sequence.count < MAX_OPS &&
	       (is_again || generate_next(&generator, &op))) {
		const enum omission omission = restrict_op(&generator, &op);

		is_again = false;
		run->tally.omitted[omission]++;
		if (omission)
			continue;
		sequence.ops[sequence.count++] = op;
		likeness = play_packet(run, &sequence, &outcome);
		is_again = likeness == LIKENESS_SAME &&
			   make_zero(&generator, &op.packet.segment, &outcome.frame);
	}
}

static void the_kernel_sends_the_same_frames(void **state)
{
	const uint32_t sequences = chance_setting("LBT_SEQUENCES", SEQUENCES);
	struct run run = {.world = world_open(*state)};

	kernel_open(&run.kernel);
	for (uint32_t i = 0; i < sequences && run.findings < MAX_FINDINGS; i++)
		play_sequence(&run, i);
	printf("# seed %llu: %u sequences\n", (unsigned long long)chance_seed(), sequences);
	tally_print(&run.tally);
	kernel_close(&run.kernel);
	world_close(run.world);
	assert_int_equal(run.findings, 0);
	assert_true(run.tally.likenesses[LIKENESS_SAME] >= (uint64_t)sequences * LEAST_COMPARED);
	assert_true(sequences < SEQUENCES || tally_is_complete(&run.tally));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sized_scene_test(the_kernel_sends_the_same_frames, &CONNECTIONS),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, kernel_make_network, NULL);
}
