/*
 * One question to lbd over its control socket (docs/protocol.md). It knows the frame (a JSON object
 * a line) and none of the commands.
 */
#pragma once

#include <jansson.h>
#include "lb/refusal.h"

#define CLIENT_REQUEST_MAX (64u << 20) /* lbd refuses longer lines */
#define CLIENT_ANSWER_MAX (1u << 30)
#define CLIENT_SILENCE_SECONDS 30 /* without a byte either way: lbd is given up */

/*
 * Asks and waits. 0 with *result, which the caller owns; else a refusal: -ECONNREFUSED when nothing
 * listens at `path`, -EREMOTEIO when lbd itself refused (its words), or another -errno.
 */
int client_ask(const char *path, const json_t *request, json_t **result, struct refusal *refusal);
