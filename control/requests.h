/*
 * What the requests of docs/protocol.md mean: a table of commands and their handlers.
 */
#pragma once

#include <jansson.h>
#include "control/daemon.h"

/* {"result": …} or {"error": "…"}; never NULL, the caller's. */
json_t *requests_answer(struct daemon *daemon, const json_t *request);
/* The same of a client that may only read: what would change anything is refused. */
json_t *requests_answer_reader(struct daemon *daemon, const json_t *request);
