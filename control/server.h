/*
 * The control socket: one JSON object a line, answered in order (docs/protocol.md). It bounds what
 * a client can cost (bytes, time, number) and knows nothing of what requests mean.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include "control/admission.h"
#include "control/loop.h"
#include "lb/refusal.h"

struct server;

struct server_hooks {
	void *context;
	/* Answers one request: {"result": …} or {"error": "…"}, owned by the caller; never NULL. */
	json_t *(*answer)(void *context, const json_t *request);
	/*
	 * False while what was changed is not in effect yet: the answer waits, ANSWER_WAIT_MS at
	 * most.
	 */
	bool (*is_settled)(void *context);
	/* The same as `answer`, of a client that may only read. */
	json_t *(*answer_reader)(void *context, const json_t *request);
};

/*
 * Listens at `path` with mode 0600, making its directory; a stale socket is replaced, one that
 * answers is not. NULL with a refusal.
 */
struct server *server_open(struct loop *loop, const char *path, const struct server_hooks *hooks,
			   struct refusal *refusal);
/* Lets a group in as well. 0, or -errno with a refusal: then it is as before. */
int server_admit(struct server *server, const struct admission *admission, struct refusal *refusal);
/* Closes and removes the socket. */
void server_close(struct server *server);
