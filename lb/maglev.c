/*
 * Rings: Maglev tables with weights as turns, and interleaved turns for round robin. Members are
 * sorted before anything else, so that their order never shows. It knows neither services nor maps.
 */
#include "lb/maglev.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "include/hash.h"

#define SLOTS_OF_LIGHTEST 10 /* counts differ by one slot at most: a tenth of the fair share */
#define SMALL_COUNT 32       /* members of most services: kept on the stack */
#define SLOT_FREE UINT32_MAX /* while filling; no map has such an index */

#define OFFSET_SEED 0x243F6A8885A308D3ull /* digits of pi: two hashes that share nothing */
#define SKIP_SEED 0x13198A2E03707344ull

/* Primes just below powers of two: doubling keeps the number of different lengths small. */
static const __u32 LENGTHS[] = {61,   127,  251,   509,   1021,           2039,
				4093, 8191, 16381, 32749, RING_LENGTH_MAX};

#define LENGTH_COUNT (sizeof(LENGTHS) / sizeof(LENGTHS[0]))

/* A member on its walk through the ring. */
struct walker {
	const struct ring_member *member;
	__u32 position; /* the slot it would like next */
	__u32 skip;
	int credit; /* weight gathered since its last turn */
	int weight;
	__u32 backend;
};

/* Keys that many members differ in only by a bit must not walk alike: mixed well (splitmix64). */
static __u64 mix(__u64 hash, __u64 value)
{
	hash += value + 0x9E3779B97F4A7C15ull;
	hash = (hash ^ (hash >> 30)) * 0xBF58476D1CE4E5B9ull;
	hash = (hash ^ (hash >> 27)) * 0x94D049BB133111EBull;
	return hash ^ (hash >> 31);
}

static __u32 hash_member(const struct ring_member *member, __u64 seed)
{
	const __be32 *word = member->address.word;
	__u64 hash = mix(seed, (__u64)word[0] << 32 | word[1]);

	hash = mix(hash, (__u64)word[2] << 32 | word[3]);
	return (__u32)mix(hash, member->port);
}

static int compare_endpoints(const struct ring_member *a, const struct ring_member *b)
{
	int order = memcmp(&a->address, &b->address, sizeof(a->address));

	return order ? order : memcmp(&a->port, &b->port, sizeof(a->port));
}

static int compare_walkers(const void *a, const void *b)
{
	const struct walker *left = a, *right = b;

	return compare_endpoints(left->member, right->member);
}

/* Most documents list a service's backends in order: seen in less time than sorting takes. */
static void sort_walkers(struct walker *walkers, size_t count)
{
	size_t sorted = 1;

	while (sorted < count && compare_walkers(&walkers[sorted - 1], &walkers[sorted]) < 0)
		sorted++;
	if (sorted < count)
		qsort(walkers, count, sizeof(*walkers), compare_walkers);
}

static __u64 sum_weights(const struct ring_member *members, size_t count)
{
	__u64 sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += members[i].weight;
	return sum;
}

static int heaviest_weight(const struct ring_member *members, size_t count)
{
	int heaviest = 0;

	for (size_t i = 0; i < count; i++)
		if (members[i].weight > heaviest)
			heaviest = members[i].weight;
	return heaviest;
}

__u32 maglev_length(const struct ring_member *members, size_t count)
{
	__u64 sum = sum_weights(members, count);
	__u64 lightest = UINT16_MAX;

	if (count < 2)
		return (__u32)count;
	for (size_t i = 0; i < count; i++)
		if (members[i].weight < lightest)
			lightest = members[i].weight;
	for (size_t i = 0; i < LENGTH_COUNT; i++)
		if (LENGTHS[i] * lightest >= SLOTS_OF_LIGHTEST * sum)
			return LENGTHS[i];
	return RING_LENGTH_MAX;
}

static void start_walkers(const struct ring_member *members, size_t count, __u32 length,
			  int heaviest, struct walker *walkers)
{
	for (size_t i = 0; i < count; i++) {
		const struct ring_member *member = &members[i];

		/*
		 * Half a turn in advance rounds shares to the nearest slot, not down. The first
		 * turn is everybody's, so the lightest of very uneven weights is never left out.
		 */
		walkers[i] = (struct walker){
			.member = member,
			.position = hash_slot(hash_member(member, OFFSET_SEED), length),
			.skip = 1 + hash_slot(hash_member(member, SKIP_SEED), length - 1),
			.credit = heaviest / 2 + member->weight - heaviest,
			.weight = member->weight,
			.backend = member->backend,
		};
	}
	sort_walkers(walkers, count);
}

/* Walks on to the next free slot. There must be one, and a prime length makes the walk reach it. */
static void take_slot(struct walker *walker, __u32 length, __u32 *slots)
{
	__u32 position = walker->position;
	__u32 back = length - walker->skip;

	while (slots[position] != SLOT_FREE) {
		__u32 wrapped = position - back; /* huge where there is nothing to wrap */

		position = wrapped < length ? wrapped : position + walker->skip;
	}
	slots[position] = walker->backend;
	walker->position = position;
}

/* Turns in rounds: each round a member gathers its weight and pays the heaviest for a turn. */
static void walk(struct walker *walkers, size_t count, __u32 length, int heaviest, __u32 *slots)
{
	__u32 free_slots = length;

	for (size_t i = 0; i < count && free_slots; i++, free_slots--)
		take_slot(&walkers[i], length, slots);
	for (size_t i = 0; free_slots; i = i + 1 < count ? i + 1 : 0) {
		struct walker *walker = &walkers[i];

		walker->credit += walker->weight;
		if (walker->credit < heaviest)
			continue;
		walker->credit -= heaviest;
		take_slot(walker, length, slots);
		free_slots--;
	}
}

int maglev_fill(const struct ring_member *members, size_t count, __u32 length, __u32 *slots)
{
	struct walker few[SMALL_COUNT];
	struct walker *walkers = few;
	int heaviest = heaviest_weight(members, count);

	if (!count || !length)
		return 0;
	if (count > SMALL_COUNT)
		walkers = calloc(count, sizeof(*walkers));
	if (!walkers)
		return -ENOMEM;
	memset(slots, 0xff, length * sizeof(*slots)); /* SLOT_FREE */
	start_walkers(members, count, length, heaviest, walkers);
	walk(walkers, count, length, heaviest, slots);
	if (walkers != few)
		free(walkers);
	return 0;
}

/* A member of a round robin ring. */
struct taker {
	const struct ring_member *member;
	__u32 turns;
};

/* Heaviest first: who has the most turns needs the most room to spread them. */
static int compare_takers(const void *a, const void *b)
{
	const struct taker *left = a, *right = b;

	if (left->member->weight != right->member->weight)
		return left->member->weight > right->member->weight ? -1 : 1;
	return compare_endpoints(left->member, right->member);
}

static __u32 common_divisor(const struct ring_member *members, size_t count)
{
	__u32 divisor = 0;

	for (size_t i = 0; i < count; i++) {
		__u32 other = members[i].weight;

		while (other) {
			__u32 rest = divisor % other;

			divisor = other;
			other = rest;
		}
	}
	return divisor;
}

/* How a member's turns follow from its weight. */
struct scale {
	__u32 divisor;
	__u64 sum;  /* of the weights, when they must be scaled down; else 0 */
	__u32 room; /* what the sum is scaled to: one slot of each member is set aside */
};

static struct scale find_scale(const struct ring_member *members, size_t count)
{
	struct scale scale = {.divisor = common_divisor(members, count)};
	__u64 sum = sum_weights(members, count);

	if (count && sum / scale.divisor > RING_LENGTH_MAX) {
		scale.sum = sum;
		scale.room = RING_LENGTH_MAX - (__u32)count;
	}
	return scale;
}

static __u32 count_turns(const struct scale *scale, __u16 weight)
{
	if (scale->sum)
		return 1 + (__u32)((__u64)weight * scale->room / scale->sum);
	return weight / scale->divisor;
}

__u32 interleave_length(const struct ring_member *members, size_t count)
{
	struct scale scale = find_scale(members, count);
	__u32 length = 0;

	for (size_t i = 0; i < count; i++)
		length += count_turns(&scale, members[i].weight);
	return length;
}

/* The first free slot at or after `position`; `next` leads over taken ones, ever more directly. */
static __u32 find_free(__u32 *next, __u32 position)
{
	while (next[position] != position) {
		next[position] = next[next[position]];
		position = next[position];
	}
	return position;
}

/* Each spreads its turns evenly from the first slot that is free, around the ring. */
static void spread(const struct taker *takers, size_t count, __u32 length, __u32 *next,
		   __u32 *slots)
{
	for (__u32 i = 0; i <= length; i++)
		next[i] = i; /* the last is past the ring and never taken */
	for (size_t i = 0; i < count; i++) {
		__u32 start = find_free(next, 0);

		for (__u32 turn = 0; turn < takers[i].turns; turn++) {
			__u64 wanted = start + (__u64)turn * length / takers[i].turns;
			__u32 slot = find_free(next, (__u32)(wanted % length));

			if (slot == length)
				slot = find_free(next, 0);
			slots[slot] = takers[i].member->backend;
			next[slot] = slot + 1;
		}
	}
}

int interleave_fill(const struct ring_member *members, size_t count, __u32 length, __u32 *slots)
{
	struct scale scale = find_scale(members, count);
	struct taker *takers;
	__u32 *next;
	int error = -ENOMEM;

	if (!count || !length)
		return 0;
	takers = calloc(count, sizeof(*takers));
	next = calloc((size_t)length + 1, sizeof(*next));
	if (!takers || !next)
		goto out;
	for (size_t i = 0; i < count; i++)
		takers[i] = (struct taker){&members[i], count_turns(&scale, members[i].weight)};
	qsort(takers, count, sizeof(*takers), compare_takers);
	spread(takers, count, length, next, slots);
	error = 0;
out:
	free(takers);
	free(next);
	return error;
}
