/*
 * Verdicts as they are counted: see verdicts.h.
 */
#include "test/model/verdicts.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CPUS 256

static const char *const NAMES[] = {
#define VERDICT_NAME(constant, text, meaning) [VERDICT_##constant] = text,
	VERDICTS(VERDICT_NAME)
#undef VERDICT_NAME
};

const char *verdict_name(enum verdict verdict)
{
	return verdict < _VERDICT_COUNT ? NAMES[verdict] : "none";
}

/* Tests stay on one CPU, but what others have counted counts as well. */
void verdicts_read(const struct datapath *datapath, struct counter verdicts[_VERDICT_COUNT])
{
	static struct counter values[_VERDICT_COUNT * MAX_CPUS];
	const int map = bpf_map__fd(datapath->skeleton->maps.verdict_counters);
	__u32 keys[_VERDICT_COUNT], next, count = _VERDICT_COUNT;

	if (datapath->cpus > MAX_CPUS ||
	    (bpf_map_lookup_batch(map, NULL, &next, keys, values, &count, NULL) &&
	     errno != ENOENT) ||
	    count != _VERDICT_COUNT) {
		fprintf(stderr, "cannot read the counters of verdicts: %s\n", strerror(errno));
		abort();
	}
	memset(verdicts, 0, sizeof(*verdicts) * _VERDICT_COUNT);
	for (__u32 i = 0; i < count; i++) {
		for (unsigned int cpu = 0; cpu < datapath->cpus; cpu++) {
			verdicts[keys[i]].packets += values[i * datapath->cpus + cpu].packets;
			verdicts[keys[i]].bytes += values[i * datapath->cpus + cpu].bytes;
		}
	}
}

enum verdict verdict_between(const struct counter *before, const struct counter *after)
{
	int verdict = 0;

	while (verdict < _VERDICT_COUNT && before[verdict].packets == after[verdict].packets)
		verdict++;
	return (enum verdict)verdict;
}
