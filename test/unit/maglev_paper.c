/*
 * Maglev rings as the paper measures them (Eisenbud et al., NSDI 2016, 5.3): a thousand backends in
 * tables of 65537 and 655373 slots, how even they are, and how many slots change when some backends
 * fail at once. The paper's own algorithm (its pseudocode 1) stands beside ours; figures are
 * printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <arpa/inet.h>
#include <cmocka.h>
#include "lb/maglev.h"

#define BACKENDS 1000
#define SMALL 65537u
#define LARGE 655373u
#define FREE UINT32_MAX

static __u32 before[LARGE], after[LARGE];

/* Fills a table of the backends whose numbers are given. */
typedef void (*filler)(const __u32 *backends, size_t count, __u32 length, __u32 *slots);

static void fill_ours(const __u32 *backends, size_t count, __u32 length, __u32 *slots)
{
	static struct ring_member members[BACKENDS];

	for (size_t i = 0; i < count; i++)
		members[i] = (struct ring_member){
			.address.word = {0, 0, htonl(0xffff), htonl(0x0a010000u + backends[i])},
			.port = htons(8080),
			.weight = 1,
			.backend = backends[i],
		};
	assert_int_equal(maglev_fill(members, count, length, slots), 0);
}

/* FNV-1a of the backend's name, mixed once more (splitmix64): "two hash functions" of the paper. */
static uint64_t hash_name(__u32 backend, uint64_t seed)
{
	uint64_t hash = 0xcbf29ce484222325ull ^ seed;
	char name[32];

	snprintf(name, sizeof(name), "backend-%u", backend);
	for (const char *byte = name; *byte; byte++)
		hash = (hash ^ (unsigned char)*byte) * 0x100000001b3ull;
	hash = (hash ^ (hash >> 30)) * 0xBF58476D1CE4E5B9ull;
	hash = (hash ^ (hash >> 27)) * 0x94D049BB133111EBull;
	return hash ^ (hash >> 31);
}

static void fill_as_the_paper(const __u32 *backends, size_t count, __u32 length, __u32 *slots)
{
	static uint64_t position[BACKENDS], skip[BACKENDS];
	__u32 filled = 0;

	for (size_t i = 0; i < count; i++) {
		position[i] = hash_name(backends[i], 0) % length;
		skip[i] = hash_name(backends[i], 0x9E3779B97F4A7C15ull) % (length - 1) + 1;
	}
	memset(slots, 0xff, length * sizeof(*slots));
	for (size_t i = 0; filled < length; i = i + 1 < count ? i + 1 : 0, filled++) {
		while (slots[position[i]] != FREE)
			position[i] = (position[i] + skip[i]) % length;
		slots[position[i]] = backends[i];
	}
}

/* The first `count` of them, in an order by chance. */
static void shuffle(__u32 *backends, size_t count, uint64_t *chance)
{
	for (size_t i = 0; i < count; i++) {
		size_t other;
		__u32 backend = backends[i];

		*chance = *chance * 6364136223846793005ull + 1442695040888963407ull;
		other = i + (size_t)((*chance >> 33) % (BACKENDS - i));
		backends[i] = backends[other];
		backends[other] = backend;
	}
}

/* Percent of all slots that are another backend's when so many have failed, on average. */
static double changed_percent(filler fill, __u32 length, size_t failures, int repeats)
{
	static __u32 backends[BACKENDS];
	uint64_t chance = 42, changed = 0;

	for (int turn = 0; turn < repeats; turn++) {
		for (__u32 i = 0; i < BACKENDS; i++)
			backends[i] = i;
		fill(backends, BACKENDS, length, before);
		shuffle(backends, failures, &chance);
		fill(backends + failures, BACKENDS - failures, length, after);
		for (__u32 slot = 0; slot < length; slot++)
			changed += before[slot] != after[slot];
	}
	return 100.0 * (double)changed / ((double)length * repeats);
}

static void shares_differ_by_one_slot_as_the_papers_do(void **state)
{
	static const struct {
		__u32 length;
		double karger, rendezvous; /* percent to be provided in excess, as the paper says */
	} rows[] = {{SMALL, 29.7, 49.5}, {LARGE, 10.3, 12.3}};
	static __u32 backends[BACKENDS];

	(void)state;
	for (__u32 i = 0; i < BACKENDS; i++)
		backends[i] = i;
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		static __u32 share[BACKENDS];
		const __u32 length = rows[row].length, least = length / BACKENDS;
		__u32 most = 0;

		fill_ours(backends, BACKENDS, length, before);
		memset(share, 0, sizeof(share));
		for (__u32 slot = 0; slot < length; slot++)
			share[before[slot]]++;
		for (size_t i = 0; i < BACKENDS; i++) {
			assert_in_range(share[i], least, least + 1);
			most = share[i] > most ? share[i] : most;
		}
		print_message("# %u slots: the most loaded has %.2f %% more than fair "
			      "(Karger %.1f, Rendezvous %.1f)\n",
			      length, 100.0 * most * BACKENDS / length - 100, rows[row].karger,
			      rows[row].rendezvous);
	}
}

static void failures_change_as_few_slots_as_the_papers_do(void **state)
{
	static const size_t FAILURES[] = {1, 5, 10, 20, 50};
	static const struct {
		__u32 length;
		int repeats;
	} rows[] = {{16381, 20}, {SMALL, 20}, {LARGE, 2}}; /* the first is what we would take */

	(void)state;
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		for (size_t i = 0; i < sizeof(FAILURES) / sizeof(FAILURES[0]); i++) {
			const size_t failures = FAILURES[i];
			const int repeats =
				failures < 5 ? 2 * rows[row].repeats : rows[row].repeats;
			const double ours =
				changed_percent(fill_ours, rows[row].length, failures, repeats);
			const double theirs = changed_percent(fill_as_the_paper, rows[row].length,
							      failures, repeats);

			print_message("# %u slots, %zu of %d fail: %.2f %% change (paper's "
				      "algorithm %.2f, no less than %.1f)\n",
				      rows[row].length, failures, BACKENDS, ours, theirs,
				      100.0 * (double)failures / BACKENDS);
			assert_true(ours <= theirs * 1.05 + 0.05);
		}
	}
}

static double fill_ms(filler fill, __u32 length)
{
	static __u32 backends[BACKENDS];
	struct timespec from, until;

	for (__u32 i = 0; i < BACKENDS; i++)
		backends[i] = i;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	fill(backends, BACKENDS, length, before);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &until);
	return (double)(until.tv_sec - from.tv_sec) * 1e3 +
	       (double)(until.tv_nsec - from.tv_nsec) / 1e6;
}

/* Printed for comparison; no machine is the paper's. */
static void filling_takes_milliseconds(void **state)
{
	(void)state;
	print_message("# filled in %.1f and %.1f ms (paper: 1.8 and 22.9)\n",
		      fill_ms(fill_ours, SMALL), fill_ms(fill_ours, LARGE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_differ_by_one_slot_as_the_papers_do),
		cmocka_unit_test(failures_change_as_few_slots_as_the_papers_do),
		cmocka_unit_test(filling_takes_milliseconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
