/*
 * The datapath against its model: the same packets through both, and any difference in what becomes
 * of them, in what is remembered or counted is printed as the shortest sequence that shows it.
 *
 *     differential            the corpus, then generated sequences
 *     differential FILE…      these sequences, each packet with its verdict
 *
 * $LBT_SEED: another run; $LBT_SEQUENCES: how many are generated.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include "test/model/everywhere.h"
#include "test/model/generate.h"
#include "test/model/play.h"

#define SEQUENCES 200000
#define MAX_FINDINGS 5 /* printed; one bug is found again and again */
#define AGAIN 3        /* what does not come again was not the datapath */
#define KNOWN "known"  /* a file of the corpus whose name starts so shows what is not mended yet */
#define MAX_CORPUS 256

static const uint32_t CONNECTIONS = 128; /* 64 buckets of eight */
static char *const *files;               /* of the command line */

struct run {
	struct world *world;
	uint64_t packets;
	uint64_t operations;
	uint32_t uncertain;
	uint32_t findings;
	uint64_t verdicts[_VERDICT_COUNT];
};

static void report(struct run *run, const char *what, const char *text, struct sequence *sequence)
{
	char title[128];

	if (!play_differs(run->world, sequence)) {
		printf("# %s differs once and not again: %s\n", what, text);
		sequence_print(stdout, sequence);
		return;
	}
	run->findings++;
	play_shrink(run->world, sequence);
	snprintf(title, sizeof(title), "%s (seed %llu), made short:", what,
		 (unsigned long long)chance_seed());
	play_report(run->world, title, sequence);
}

static void add_verdicts(struct run *run)
{
	for (int i = 0; i < _VERDICT_COUNT; i++) {
		run->verdicts[i] += run->world->model.verdicts[i].packets;
		run->packets += run->world->model.verdicts[i].packets;
	}
	run->uncertain += run->world->model.is_uncertain;
}

/* Plays what is generated as it comes: the next operation may depend on the last. */
static void play_generated(struct run *run, uint32_t stream)
{
	static struct sequence sequence;
	static struct difference difference;
	struct generator generator;
	char what[64];

	difference.is_found = difference.has_frames = false;
	sequence.count = 0;
	play_begin(run->world);
	generate_begin(&generator, &run->world->model, stream);
	while (!difference.is_found && !run->world->model.is_uncertain &&
	       sequence.count < MAX_OPS && generate_next(&generator, &sequence.ops[sequence.count]))
		play_op(run->world, &sequence.ops[sequence.count++], false, &difference);
	if (!difference.is_found)
		play_end(run->world, &difference);
	run->operations += sequence.count;
	add_verdicts(run);
	if (!difference.is_found)
		return;
	snprintf(what, sizeof(what), "sequence %u", stream);
	report(run, what, difference.text, &sequence);
}

static void print_verdicts(const struct run *run)
{
	printf("#");
	for (int i = 1; i < _VERDICT_COUNT; i++)
		printf(" %s %llu", verdict_name((enum verdict)i),
		       (unsigned long long)run->verdicts[i]);
	printf("\n");
}

static void generated_sequences_are_the_same_in_both(void **state)
{
	const uint32_t sequences = chance_setting("LBT_SEQUENCES", SEQUENCES);
	struct run run = {.world = world_open(*state)};

	for (uint32_t i = 0; i < sequences && run.findings < MAX_FINDINGS; i++)
		play_generated(&run, i);
	printf("# seed %llu: %u sequences, %llu operations, %llu packets; %u uncertain, %u "
	       "differ\n",
	       (unsigned long long)chance_seed(), sequences, (unsigned long long)run.operations,
	       (unsigned long long)run.packets, run.uncertain, run.findings);
	print_verdicts(&run);
	fflush(stdout);
	world_close(run.world);
	assert_int_equal(run.findings, 0);
}

static bool report_everywhere(void *context, struct sequence *sequence)
{
	struct run *run = context;

	report(run, "a changed packet", "", sequence);
	return run->findings < MAX_FINDINGS;
}

static void packets_cut_or_changed_anywhere_are_the_same_in_both(void **state)
{
	struct run run = {.world = world_open(*state)};
	const uint32_t tried = everywhere_play(run.world, report_everywhere, &run);

	printf("# %u packets\n", tried);
	fflush(stdout);
	world_close(run.world);
	assert_int_equal(run.findings, 0);
}

static void read_or_fail(const char *path, struct sequence *sequence)
{
	const int wrong = sequence_read(path, sequence);

	if (wrong)
		fail_msg("%s: line %d is no operation", path, wrong);
}

static int is_sequence(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && !strcmp(dot, ".txt");
}

/* What is known to differ must do so: who mends it says so in model.c and renames the file. */
static void play_file(struct run *run, const char *name)
{
	static struct sequence sequence;
	static struct difference difference;
	const bool is_known = !strncmp(name, KNOWN, sizeof(KNOWN) - 1);
	char path[PATH_MAX];
	bool differs;

	snprintf(path, sizeof(path), CORPUS_DIRECTORY "/%s", name);
	read_or_fail(path, &sequence);
	model_is_strict = is_known;
	differs = play(run->world, &sequence, true, &difference);
	model_is_strict = false;
	if (differs && is_known)
		printf("# %s differs, as is known: %s\n", name, difference.text);
	if (differs == is_known)
		return;
	if (is_known) {
		printf("# %s does not differ any more: say so in model.c and rename it\n", name);
		run->findings++;
		return;
	}
	report(run, name, difference.text, &sequence);
}

static void what_once_differed_is_the_same_in_both(void **state)
{
	struct run run = {.world = world_open(*state)};
	struct dirent **entries;
	const int count = scandir(CORPUS_DIRECTORY, &entries, is_sequence, alphasort);

	assert_true(count >= 0);
	for (int i = 0; i < count; i++) {
		play_file(&run, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	printf("# %d sequences of the corpus\n", count);
	fflush(stdout);
	world_close(run.world);
	assert_int_equal(run.findings, 0);
}

static void these_files_are_the_same_in_both(void **state)
{
	static struct sequence sequence;
	static struct difference difference;
	struct world *world = world_open(*state);
	uint32_t findings = 0;

	for (char *const *file = files; *file; file++) {
		read_or_fail(*file, &sequence);
		printf("# %s\n", *file);
		play_trace(world, &sequence);
		if (!play(world, &sequence, true, &difference))
			continue;
		findings++;
		play_report(world, "differs:", &sequence);
	}
	world_close(world);
	assert_int_equal(findings, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest all[] = {
		world_test(what_once_differed_is_the_same_in_both, &CONNECTIONS),
		world_test(packets_cut_or_changed_anywhere_are_the_same_in_both, &CONNECTIONS),
		world_test(generated_sequences_are_the_same_in_both, &CONNECTIONS),
	};
	const struct CMUnitTest some[] = {
		world_test(these_files_are_the_same_in_both, &CONNECTIONS),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	files = argv + 1;
	if (argc > 1)
		return cmocka_run_group_tests(some, network_make, NULL);
	return cmocka_run_group_tests(all, network_make, NULL);
}
