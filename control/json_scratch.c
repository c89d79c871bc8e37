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

#define RESERVE_BYTES 65536

static _Thread_local struct json_scratch *opened;

/* While this thread reads a text: gives way to what there is no memory for otherwise. */
static _Thread_local void *reserve;
static _Thread_local bool reading;

static void *allocate(size_t size)
{
	void *memory = malloc(size);

	if (memory || !reading)
		return memory;
	free(reserve);
	reserve = NULL;
	memory = malloc(size);
	if (!memory)
		abort(); /* better than what jansson would do */
	return memory;
}

static void *take(size_t size)
{
	struct json_scratch *scratch = opened;
	size_t room = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
	void *memory;

	if (!scratch || room < size || room > JSON_SCRATCH_BYTES - scratch->used)
		return allocate(size);
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

json_t *json_parse(const char *text, size_t size, size_t flags, json_error_t *error)
{
	json_t *value = NULL;

	json_scratch_install();
	*error = (json_error_t){.line = -1, .text = "out of memory"};
	reserve = malloc(RESERVE_BYTES);
	if (!reserve)
		return NULL;
	reading = true;
	value = json_loadb(text, size, flags, error);
	reading = false;
	free(reserve);
	reserve = NULL;
	return value;
}

bool json_parse_lacked_memory(const json_error_t *error)
{
	/* The line is negative where there was no memory for the reserve. */
	return error->line < 0 || json_error_code(error) == json_error_out_of_memory;
}
