/*
 * The requests about denied prefixes. Each answers with a result of the caller's, or NULL with a
 * refusal, and then nothing has changed.
 */
#pragma once

#include <jansson.h>
#include "control/daemon.h"
#include "lb/refusal.h"

json_t *request_deny_add(struct daemon *daemon, const json_t *request, struct refusal *refusal);
json_t *request_deny_del(struct daemon *daemon, const json_t *request, struct refusal *refusal);
json_t *request_deny_list(struct daemon *daemon, const json_t *request, struct refusal *refusal);
