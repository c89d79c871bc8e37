/*
 * Scratch memory: see json_scratch.h. Once it was opened, jansson's calls go through here for good,
 * because what it took before and after must find its way back too.
 */
#include "control/json_scratch.h"

#include <assert.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

static _Thread_local struct json_scratch *opened;

static void *take(size_t size)
{
	struct json_scratch *scratch = opened;
	size_t room = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
	void *memory;

	if (!scratch || room < size || room > JSON_SCRATCH_BYTES - scratch->used)
		return malloc(size);
	memory = scratch->bytes + scratch->used;
	scratch->used += room;
	return memory;
}

static void give_back(void *memory)
{
	const struct json_scratch *scratch = opened;

	if (!scratch || (uintptr_t)memory - (uintptr_t)scratch->bytes >= JSON_SCRATCH_BYTES)
		free(memory);
}

void json_scratch_install(void)
{
	static bool installed;

	if (installed)
		return;
	json_set_alloc_funcs(take, give_back);
	installed = true;
}

void json_scratch_open(struct json_scratch *scratch)
{
	assert(!opened);
	json_scratch_install();
	scratch->used = 0;
	opened = scratch;
}

void json_scratch_empty(struct json_scratch *scratch)
{
	scratch->used = 0;
}

void json_scratch_close(struct json_scratch *scratch)
{
	assert(opened == scratch);
	opened = NULL;
}
