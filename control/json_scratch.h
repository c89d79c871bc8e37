/*
 * Memory for JSON values that live for a moment, a service of a large document each: while a
 * scratch is open, jansson takes its memory from a block that is handed out front to back and
 * emptied at once, instead of from malloc some ninety times a service.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define JSON_SCRATCH_BYTES (64u << 10) /* a service of 70 backends; the rest comes from malloc */

/* Large: on the stack of one function, or static. */
struct json_scratch {
	_Alignas(max_align_t) char bytes[JSON_SCRATCH_BYTES];
	size_t used;
};

/*
 * Leads jansson's calls here; opening does so where nobody has. Before threads use jansson side by
 * side: it keeps its functions in plain variables.
 */
void json_scratch_install(void);

/*
 * Opens an empty one for this thread, which has no other open. Whatever jansson allocates from here
 * on must be given back (json_decref) before it is emptied or closed.
 */
void json_scratch_open(struct json_scratch *scratch);
void json_scratch_empty(struct json_scratch *scratch);
void json_scratch_close(struct json_scratch *scratch);

/*
 * json_loadb, but that jansson is never out of memory in it: without memory for the end of a string
 * it reads on behind what it has (2.14, lex_save). A reserve is made first, and goes when there is
 * no other memory. NULL with an error.
 */
json_t *json_parse(const char *text, size_t size, size_t flags, json_error_t *error);

/* Whether json_parse failed for want of memory, which says nothing of the text. */
bool json_parse_lacked_memory(const json_error_t *error);
