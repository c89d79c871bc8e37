/*
 * The words of a request: typed access with errors that name the key, and services by key or name.
 */
#pragma once

#include <jansson.h>
#include "control/daemon.h"
#include "lb/refusal.h"
#include "lb/service.h"

#define MAX_REQUEST_SECONDS 315360000 /* ten years; what is to last longer is to last */

/* NULL with a refusal unless `key` is there and a text. */
const char *request_text(const json_t *request, const char *key, struct refusal *refusal);

/* To be called when it is: what the answer says should there be no memory for the result. */
void request_is_done(struct refusal *refusal);

/* A true or false that may be left out. */
bool request_flag(const json_t *request, const char *key);

/* `ADDR:PORT[/PROTO]` or `NS/NAME[:PORT[/PROTO]]`, which must exist. NULL with a refusal. */
const struct entry *request_entry(const struct daemon *daemon, const json_t *request,
				  struct refusal *refusal);

/* The backend named by the request in that service. NULL with a refusal. */
const struct backend *request_backend(const struct service *service, const json_t *request,
				      struct refusal *refusal);
