/*
 * A client of the control socket that writes what it likes, in pieces of any size, and reads when
 * it likes, to a session that answers requests with themselves. Each request is answered, in order
 * and once, up to the first that is none.
 *
 * The first line says how: its bytes are the pieces' size, how often an answer is not settled yet,
 * whether the client reads slowly, and whether it leaves in the middle.
 */
#include "control/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "control/tables.h"
#include "test/fuzz/fuzz.h"

#define SEND_BYTES 4608 /* the least that the kernel allows */

struct manner {
	size_t piece;
	unsigned int unsettled; /* times that an answer has to wait */
	size_t mouthful;        /* bytes that it reads at a time */
	bool leaves;
};

struct client {
	int fd;
	struct manner manner;
	const uint8_t *bytes;
	size_t size, sent;
	char *heard;
	size_t used, room;
};

static struct loop *loop;
static int waiting; /* an eventfd: an answer waits */
static struct session *session;
static struct client client;
static unsigned int asked; /* whether it is settled, since the last answer */

static json_t *echo(void *context, const json_t *request)
{
	(void)context;
	asked = 0;
	return json_pack("{s:O}", "result", request);
}

static bool is_settled(void *context)
{
	(void)context;
	return asked++ >= client.manner.unsettled;
}

static void end_session(void *context, struct session *ended)
{
	(void)context;
	must(ended == session, "a session ends once");
	session_free(session);
	session = NULL;
}

static void note_waits(void *context)
{
	(void)context;
	eventfd_write(waiting, 1);
}

static void settle(void *context, uint32_t events)
{
	eventfd_t count;

	(void)context;
	(void)events;
	eventfd_read(waiting, &count);
	if (session)
		session_settle(session, is_settled(NULL));
	if (session && session_waits(session))
		eventfd_write(waiting, 1);
}

static void leave(void)
{
	loop_remove(loop, client.fd);
	close(client.fd);
	client.fd = -1;
	if (!session)
		loop_stop(loop);
}

static void hear(void)
{
	ssize_t got;

	if (client.room < client.used + client.manner.mouthful) {
		client.room = 2 * client.room + client.manner.mouthful;
		client.heard = realloc(client.heard, client.room);
		must(client.heard, "there is memory");
	}
	got = recv(client.fd, client.heard + client.used, client.manner.mouthful, MSG_DONTWAIT);
	if (got > 0)
		client.used += (size_t)got;
	else if (!got || errno != EAGAIN)
		loop_stop(loop);
}

/* Whoever answered with an error reads no more: what it is sent then is lost, as it should be. */
static void say(void)
{
	size_t size = client.size - client.sent;
	ssize_t sent;

	size = size < client.manner.piece ? size : client.manner.piece;
	sent = send(client.fd, client.bytes + client.sent, size, MSG_NOSIGNAL | MSG_DONTWAIT);
	client.sent += sent < 0 && errno != EAGAIN ? size : sent < 0 ? 0 : (size_t)sent;
	if (client.sent < client.size)
		return;
	shutdown(client.fd, SHUT_WR);
	loop_change(loop, client.fd, EPOLLIN);
}

static void act(void *context, uint32_t events)
{
	(void)context;
	if (client.manner.leaves && client.sent >= client.size / 2) {
		leave();
		return;
	}
	if (events & EPOLLOUT)
		say();
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		hear();
}

/* One that leaves is not there to see the end. */
static void stop_at_end(void *context, struct session *ended)
{
	end_session(context, ended);
	if (client.fd < 0)
		loop_stop(loop);
}

static const uint8_t *take_manner(const uint8_t *data, size_t size)
{
	static const size_t PIECES[] = {1, 2, 7, 64, 1000, 1u << 20};
	const uint8_t *newline = size ? memchr(data, '\n', size) : NULL;
	uint8_t bytes[4] = {5};
	size_t length = newline ? (size_t)(newline - data) : size;

	for (size_t i = 0; i < length && i < sizeof(bytes); i++)
		bytes[i] = data[i];
	client.manner = (struct manner){
		.piece = PIECES[bytes[0] % 6],
		.unsettled = bytes[1] % 4,
		.mouthful = PIECES[5 - bytes[2] % 4],
		.leaves = bytes[3] % 4 == 3,
	};
	return data + length + (newline ? 1 : 0);
}

/* The client's end of a new session. */
static int meet(void)
{
	const struct server_hooks server = {.answer = echo, .is_settled = is_settled};
	const struct session_hooks hooks = {.ended = stop_at_end, .waits = note_waits};
	const int bytes = SEND_BYTES;
	int fds[2];

	must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), "a socket");
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	session = session_new(loop, fds[0], &server, &hooks);
	must(session, "a session");
	return fds[1];
}

/* The next line heard is {KEY: …}; `value` NULL: whatever. The rest of what was heard. */
static char *must_hear(char *heard, const char *end, const char *key, const json_t *value)
{
	char *newline = heard < end ? memchr(heard, '\n', (size_t)(end - heard)) : NULL;
	json_t *answer;

	must(newline, "each request is answered");
	answer = json_loadb(heard, (size_t)(newline - heard), 0, NULL);
	must(json_object_size(answer) == 1 && json_object_get(answer, key), "by what it should be");
	must(!value || json_equal(json_object_get(answer, key), value), "in order");
	json_decref(answer);
	return newline + 1;
}

static void must_be_answered(void)
{
	const char *said = (const char *)client.bytes, *end = said + client.size, *newline;
	char *heard = client.heard;
	struct refusal refusal;
	bool refused = false;
	json_t *request;

	while (!refused && said < end && (newline = memchr(said, '\n', (size_t)(end - said)))) {
		request = tables_load_text(said, (size_t)(newline - said), &refusal);
		refused = !json_is_object(request);
		heard = must_hear(heard, client.heard + client.used, refused ? "error" : "result",
				  refused ? NULL : request);
		json_decref(request);
		said = newline + 1;
	}
	must(heard == client.heard + client.used, "and nothing more");
}

static void begin(void)
{
	if (loop)
		return;
	loop = loop_new();
	waiting = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	must(loop && !loop_add(loop, waiting, EPOLLIN, settle, NULL), "a loop");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	begin();
	client = (struct client){0};
	client.bytes = take_manner(data, size);
	client.size = (size_t)(data + size - client.bytes);
	client.fd = meet();
	loop_add(loop, client.fd, EPOLLIN | EPOLLOUT, act, NULL);
	loop_run(loop);
	if (client.fd >= 0) {
		must_be_answered();
		loop_remove(loop, client.fd);
		close(client.fd);
	}
	if (session)
		end_session(NULL, session);
	free(client.heard);
	return 0;
}
