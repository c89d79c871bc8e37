/*
 * Sessions: non-blocking reading and writing, a request a line.
 */
#include "control/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "control/tables.h"

#define REQUEST_BYTES_MAX (TABLES_BYTES_MAX + 4096) /* a document and the words around it */
#define REQUEST_MS 10000                            /* from a request's first byte to its last */
#define IDLE_MS 60000      /* between requests, and for reading an answer */
#define LINGER_MS 1000     /* for reading the error that ended it */
#define ANSWER_WAIT_MS 100 /* for what was changed to take effect */
#define READ_CHUNK 65536

struct buffer {
	char *bytes;
	size_t used;
	size_t room;
	size_t done; /* input: searched for a newline; output: written */
};

struct session {
	struct loop *loop;
	struct server_hooks server;
	struct session_hooks hooks;
	struct session *next;
	int fd;
	struct buffer input;
	struct buffer output;
	uint64_t active_ms; /* of a request begun: its first byte; else the last progress */
	uint64_t answer_ms; /* an answer waits until then; 0: none does */
	bool ended_input;   /* the client has said its last, and may still read */
	bool refused;       /* ends after what is still to be written */
	bool lingering;     /* written: waits for the client to have read it */
};

static void release(struct buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct buffer){};
}

static int reserve(struct buffer *buffer, size_t more)
{
	size_t room = buffer->room ? buffer->room : READ_CHUNK;
	char *bytes;

	while (room < buffer->used + more)
		room *= 2;
	if (room == buffer->room)
		return 0;
	bytes = realloc(buffer->bytes, room);
	if (!bytes)
		return -ENOMEM;
	buffer->bytes = bytes;
	buffer->room = room;
	return 0;
}

static void end(struct session *session)
{
	session->hooks.ended(session->hooks.context, session);
}

/* The newline that ends the first buffered request, or NULL. */
static char *find_line(struct session *session)
{
	struct buffer *input = &session->input;
	char *newline = NULL;

	if (input->done < input->used)
		newline = memchr(input->bytes + input->done, '\n', input->used - input->done);
	input->done = newline ? (size_t)(newline - input->bytes) : input->used;
	return newline;
}

static void drop_line(struct buffer *input, size_t length)
{
	input->used -= length;
	input->done = 0;
	if (input->used)
		memmove(input->bytes, input->bytes + length, input->used);
	else
		release(input);
}

/* Queues the answer and a newline; consumes it. */
static void queue(struct session *session, json_t *answer)
{
	struct buffer *output = &session->output;
	char *text = json_dumps(answer, JSON_COMPACT);
	size_t length = text ? strlen(text) : 0;

	json_decref(answer);
	if (!text || reserve(output, length + 1)) {
		session->refused = true;
	} else {
		memcpy(output->bytes, text, length);
		output->bytes[length] = '\n';
		output->used = length + 1;
		output->done = 0;
	}
	free(text);
}

static void queue_error(struct session *session, const char *text)
{
	queue(session, json_pack("{s:s}", "error", text));
	session->refused = true;
}

static void wait_until_settled(struct session *session)
{
	if (session->server.is_settled(session->server.context))
		return;
	session->answer_ms = loop_now_ms() + ANSWER_WAIT_MS;
	session->hooks.waits(session->hooks.context);
}

static void answer(struct session *session, size_t length)
{
	struct refusal refusal;
	json_t *request = tables_load_text(session->input.bytes, length, &refusal);

	session->active_ms = loop_now_ms();
	drop_line(&session->input, length + 1);
	if (!request) {
		queue_error(session, refusal.text);
	} else if (!json_is_object(request)) {
		queue_error(session, "a request is one JSON object a line");
	} else {
		queue(session, session->server.answer(session->server.context, request));
		wait_until_settled(session);
	}
	json_decref(request);
}

/* Writes what it can. False: the session has ended. */
static bool flush(struct session *session)
{
	struct buffer *output = &session->output;
	ssize_t written;

	if (session->answer_ms)
		return true;
	while (output->done < output->used) {
		written = send(session->fd, output->bytes + output->done,
			       output->used - output->done, MSG_NOSIGNAL);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0 && errno == EAGAIN)
			return true;
		if (written < 0) {
			end(session);
			return false;
		}
		output->done += (size_t)written;
		session->active_ms = loop_now_ms();
	}
	release(output);
	return true;
}

/* What is written but unread would be lost if the socket were closed with input unread. */
static void linger(struct session *session)
{
	session->lingering = true;
	session->active_ms = loop_now_ms();
	release(&session->input);
	shutdown(session->fd, SHUT_WR);
}

/* Waits for what comes next. May end the session. */
static void arm(struct session *session)
{
	const bool line = find_line(session);
	uint32_t events = EPOLLIN;

	if (session->answer_ms)
		events = 0;
	else if (session->output.used)
		events = EPOLLOUT;
	else if (session->refused && !session->lingering)
		linger(session);
	else if (line && !session->lingering)
		events = EPOLLOUT; /* its next turn comes at once, after the others' */
	else if (session->ended_input) {
		end(session);
		return;
	}
	loop_change(session->loop, session->fd, events);
}

/* False: the session has ended. */
static bool receive(struct session *session)
{
	struct buffer *input = &session->input;
	ssize_t got;

	if (reserve(input, READ_CHUNK)) {
		end(session);
		return false;
	}
	got = recv(session->fd, input->bytes + input->used, input->room - input->used, 0);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (got < 0) {
		end(session);
		return false;
	}
	if (!got)
		session->ended_input = true;
	if (session->lingering)
		return true;
	if (!input->used)
		session->active_ms = loop_now_ms();
	input->used += (size_t)got;
	if (input->used > REQUEST_BYTES_MAX && !find_line(session))
		queue_error(session, "a request is at most 64 MiB");
	return true;
}

static void serve(void *context, uint32_t events)
{
	struct session *session = context;
	const char *newline;

	if (!(events & (EPOLLIN | EPOLLOUT))) {
		end(session); /* it hung up */
		return;
	}
	if ((events & EPOLLIN) && !receive(session))
		return;
	newline = session->output.used || session->refused ? NULL : find_line(session);
	if (newline)
		answer(session, (size_t)(newline - session->input.bytes));
	if (flush(session))
		arm(session);
}

struct session *session_new(struct loop *loop, int fd, const struct server_hooks *server,
			    const struct session_hooks *hooks)
{
	struct session *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	session->loop = loop;
	session->server = *server;
	session->hooks = *hooks;
	session->fd = fd;
	session->active_ms = loop_now_ms();
	if (!loop_add(loop, fd, EPOLLIN, serve, session))
		return session;
	free(session);
	return NULL;
}

void session_free(struct session *session)
{
	if (!session)
		return;
	loop_remove(session->loop, session->fd);
	close(session->fd);
	release(&session->input);
	release(&session->output);
	free(session);
}

void session_refuse(struct session *session, const char *text)
{
	queue_error(session, text);
	if (flush(session))
		arm(session);
}

uint64_t session_active_ms(const struct session *session)
{
	return session->active_ms;
}

void session_watch(struct session *session)
{
	uint64_t idle = loop_now_ms() - session->active_ms;

	if (session->lingering && idle > LINGER_MS)
		end(session);
	else if (session->input.used && !session->refused && idle > REQUEST_MS &&
		 !session->output.used)
		session_refuse(session, "the request did not end within 10 seconds");
	else if (idle > IDLE_MS)
		end(session);
}

bool session_waits(const struct session *session)
{
	return session->answer_ms;
}

void session_settle(struct session *session, bool settled)
{
	if (!session->answer_ms || (!settled && loop_now_ms() < session->answer_ms))
		return;
	session->answer_ms = 0;
	if (flush(session))
		arm(session);
}

struct session *session_next(const struct session *session)
{
	return session->next;
}

void session_link(struct session *session, struct session *next)
{
	session->next = next;
}
