/*
 * Services that come and go and packets of all sorts, to the datapath in the kernel and to its
 * model (test/model): what becomes of each packet, what is remembered and what is counted is the
 * same. The input stands in the place of chance in the generator of the differential test, so that
 * what leads the model to new places is kept and changed further. The datapath's own paths are not
 * seen, but which verdict follows which is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "test/fuzz/fuzz.h"
#include "test/model/generate.h"
#include "test/model/play.h"

#define MAX_PAIRS (_VERDICT_COUNT * _VERDICT_COUNT)

static const uint32_t CONNECTIONS = 128; /* 64 buckets of eight */
static const uint8_t *at, *end;
static uint32_t behind;
static struct world *world;

/* libFuzzer takes what is in this section for counters of edges, besides those of the code. */
static uint8_t pairs[MAX_PAIRS] __attribute__((section("__libfuzzer_extra_counters"), used));

/* Behind the end always the same, but not all alike: the generator tries again until it fits. */
static uint32_t take_byte(void)
{
	if (at < end)
		return *at++;
	behind = behind * 1103515245 + 12345;
	return behind >> 16 & 0xff;
}

uint64_t __wrap_chance_word(struct chance *chance);
uint64_t __wrap_chance_word(struct chance *chance)
{
	uint64_t word = 0;

	(void)chance;
	for (int i = 0; i < 4; i++)
		word = word << 8 | take_byte();
	return word << 32 | word;
}

uint32_t __wrap_chance_below(struct chance *chance, uint32_t count);
uint32_t __wrap_chance_below(struct chance *chance, uint32_t count)
{
	if (count <= 256)
		return take_byte() * count >> 8;
	return (uint32_t)((__wrap_chance_word(chance) >> 32) % count);
}

bool __wrap_chance_percent(struct chance *chance, uint32_t percent);
bool __wrap_chance_percent(struct chance *chance, uint32_t percent)
{
	return __wrap_chance_below(chance, 100) < percent;
}

/* Once for all inputs, in namespaces of this process. */
static void prepare(void)
{
	void *state = (void *)&CONNECTIONS;

	if (world)
		return;
	must(!network_make(NULL), "namespaces can be made: as root");
	must(!world_open_scene(&state), "the datapath can be loaded");
	world = world_open(state);
}

static void note_verdict(void)
{
	static enum verdict last;

	if (world->last.verdict < _VERDICT_COUNT)
		pairs[last * _VERDICT_COUNT + world->last.verdict]++;
	last = world->last.verdict < _VERDICT_COUNT ? world->last.verdict : 0;
}

/* As the differential test does: what does not come again was not the datapath. */
static void judge(struct sequence *sequence, const struct difference *difference)
{
	if (!play_differs(world, sequence)) {
		printf("# differs once and not again: %s\n", difference->text);
		return;
	}
	play_shrink(world, sequence);
	play_report(world, "made short:", sequence);
	must(false, "the datapath does as its model does");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sequence sequence;
	static struct difference difference;
	struct generator generator;

	prepare();
	at = data;
	end = data + size;
	behind = 0;
	difference.is_found = difference.has_frames = false;
	sequence.count = 0;
	play_begin(world);
	generate_begin(&generator, &world->model, 0);
	while (at < end && !difference.is_found && !world->model.is_uncertain &&
	       sequence.count < MAX_OPS &&
	       generate_next(&generator, &sequence.ops[sequence.count])) {
		play_op(world, &sequence.ops[sequence.count], false, &difference);
		if (sequence.ops[sequence.count++].kind == OP_PACKET)
			note_verdict();
	}
	if (!difference.is_found && !world->model.is_uncertain)
		play_end(world, &difference);
	if (difference.is_found)
		judge(&sequence, &difference);
	return 0;
}
