/*
 * What the requests of docs/protocol.md mean: a table of commands and their handlers.
 */
#pragma once

#include <jansson.h>
#include "control/daemon.h"

/* {"result": …} or {"error": "…"}; never NULL, the caller's. */
json_t *requests_answer(struct daemon *daemon, const json_t *request);
