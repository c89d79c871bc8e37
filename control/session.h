/*
 * One client of the control socket: its buffers, its turn and its patience. A session answers one
 * request a turn and none while its last answer is unread, so no client can hold up another, and
 * what one costs is bounded.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "control/loop.h"
#include "control/server.h"

struct session;

/*
 * Takes the fd over. `ended` is called when the session is over, for any reason; it must free it.
 * NULL when out of memory; then the fd stays the caller's.
 */
struct session_hooks {
	void *context;
	void (*ended)(void *context, struct session *session);
	/* An answer waits to take effect: session_settle is to be called until it says false. */
	void (*waits)(void *context);
};
struct session *session_new(struct loop *loop, int fd, const struct server_hooks *server,
			    const struct session_hooks *hooks);
void session_free(struct session *session);

/* Answers with an error and ends once that is read. */
void session_refuse(struct session *session, const char *text);

/* When it last made progress, in milliseconds of CLOCK_MONOTONIC. */
uint64_t session_active_ms(const struct session *session);

/* Ends it if a request, or the reading of an answer, takes too long. May end the session. */
void session_watch(struct session *session);

/*
 * Sends an answer that waited, if what it waited for is so or enough time has passed. May end it.
 */
void session_settle(struct session *session, bool settled);
bool session_waits(const struct session *session);

struct session *session_next(const struct session *session);
void session_link(struct session *session, struct session *next);
