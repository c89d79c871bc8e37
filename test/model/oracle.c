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

static void report(struct run *run, const struct sequence *sequence, const char *text,
		   const struct frame *ours, const struct frame *theirs)
{
	run->findings++;
	printf("# %s (wanted: the kernel's); the datapath says %s:\n", text,
	       verdict_name(run->world->last.verdict));
	sequence_print(stdout, sequence);
	fflush(stdout);
	if (theirs && !frame_equal(ours, theirs))
		frame_print_difference(ours, theirs);
}

/* Through the datapath and its model, which must be of one mind, and into the kernel. */
static bool send_part(struct run *run, struct sequence *sequence, struct sent *sent, uint32_t i,
		      struct outcome *outcome)
{
	static struct difference difference;
	const struct world_last *last = &run->world->last;
	struct op *op = &sequence->ops[sequence->count++];

	difference = (struct difference){};
	*op = (struct op){.kind = OP_PACKET, .packet = sent->packets[i]};
	play_op(run->world, op, true, &difference);
	if (difference.is_found)
		report(run, sequence, difference.text, NULL, NULL);
	if (difference.is_found || run->world->model.is_uncertain)
		return false;
	sent->verdicts[i] = last->verdict;
	sent->sent[i] = *last->sent;
	sent->left[i] = *last->observed.frame;
	outcome->count +=
		kernel_send(&run->kernel, op->packet.in, last->sent,
			    &outcome->frames[outcome->count], RESTRICT_PARTS - outcome->count);
	return outcome->count <= RESTRICT_PARTS;
}

/* DIFFERENT: no more of this sequence. */
static enum likeness play_packet(struct run *run, struct sequence *sequence, struct sent *sent)
{
	static struct outcome outcome;
	enum likeness likeness;
	const char *text;
	uint32_t which;

	outcome.count = 0;
	for (uint32_t i = 0; i < sent->count; i++)
		if (!send_part(run, sequence, sent, i, &outcome))
			return LIKENESS_DIFFERENT;
	likeness = compare(sent, &outcome, &which, &text);
	tally_add(&run->tally, sent, likeness);
	if (likeness == LIKENESS_DIFFERENT)
		report(run, sequence, text, &sent->left[which],
		       outcome.count ? &outcome.frames[which] : NULL);
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
	    segment->no_checksum || segment->length || segment->data < 2 || !segment->word ||
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
	static struct sent sent;
	enum likeness likeness = LIKENESS_NEITHER;
	struct generator generator;
	bool is_again = false;
	struct op op;

	begin_sequence(run, stream, &generator, &sequence);
	while (likeness != LIKENESS_DIFFERENT && sequence.count + RESTRICT_PARTS <= MAX_OPS &&
	       (is_again || generate_next(&generator, &op))) {
		const enum omission omission =
			restrict_op(&generator, &op, sent.packets, &sent.count);

		is_again = false;
		run->tally.omitted[omission]++;
		if (omission)
			continue;
		likeness = play_packet(run, &sequence, &sent);
		op.packet = sent.packets[0];
		is_again = likeness == LIKENESS_SAME &&
			   make_zero(&generator, &op.packet.segment, &sent.left[0]);
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
		world_test(the_kernel_sends_the_same_frames, &CONNECTIONS),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, kernel_make_network, NULL);
}
