/*
 * What must hold of the whole table while no packet is on its way.
 */
#pragma once

#include "test/bpf/hammer_caller.h"

/* What is known to be left behind: by two packets at once, of shared callers alone, and by lbd. */
struct leftovers {
	uint64_t twice;     /* entries beyond the first of a caller and a service */
	uint64_t ambiguous; /* pairs of two services' whose replies look the same */
};

/* Fails the test where an entry is not as it must be. */
void hammer_check_table(const struct scene *scene, const struct callers *callers, bool lbd,
			struct leftovers *leftovers);
