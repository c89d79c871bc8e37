/*
 * A server in a directory of its own, run by a loop in a thread, that echoes what it is asked; and
 * clients that wait for it, for ten seconds at most.
 */
#pragma once

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "control/server.h"

#define PATIENCE_SECONDS 10
#define NEVER INT32_MAX
#define LINE_BYTES 4096

static char base[32];
static char path[64];
static struct refusal refusal;
static struct loop *loop;
static struct server *server;
static pthread_t thread;
static int stop_fd;
static atomic_int questions;     /* whether it is settled */
static atomic_int settled_since; /* the first of them that was, or is to be, answered by yes */

/* {"bytes": N} is answered by that many, everything else by itself. */
static inline json_t *echo(void *context, const json_t *request)
{
	json_int_t bytes = json_integer_value(json_object_get(request, "bytes"));
	json_t *answer;
	char *text;

	(void)context;
	if (!bytes)
		return json_pack("{s:O}", "result", request);
	text = malloc((size_t)bytes);
	memset(text, 'x', (size_t)bytes);
	answer = json_pack("{s:s%}", "result", text, (size_t)bytes);
	free(text);
	return answer;
}

static inline bool is_settled(void *context)
{
	(void)context;
	return ++questions >= settled_since;
}

static inline json_t *refuse_to_change(void *context, const json_t *request)
{
	(void)context;
	(void)request;
	return json_pack("{s:s}", "error", "only read");
}

static const struct server_hooks HOOKS = {NULL, echo, is_settled, refuse_to_change};

static inline void stop(void *context, uint32_t events)
{
	(void)events;
	loop_stop(context);
}

static inline void *run(void *context)
{
	loop_run(context);
	return NULL;
}

static inline int open_loop(void **state)
{
	(void)state;
	strcpy(base, "/tmp/lbd-server-XXXXXX");
	if (!mkdtemp(base))
		return -1;
	snprintf(path, sizeof(path), "%s/lbd/lbd.sock", base);
	refusal.text[0] = '\0';
	questions = 0;
	settled_since = 0;
	stop_fd = eventfd(0, EFD_CLOEXEC);
	loop = loop_new();
	return loop ? loop_add(loop, stop_fd, EPOLLIN, stop, loop) : -1;
}

static inline int open_server(void **state)
{
	if (open_loop(state))
		return -1;
	server = server_open(loop, path, &HOOKS, &refusal);
	return server ? pthread_create(&thread, NULL, run, loop) : -1;
}

static inline int close_loop(void **state)
{
	char directory[64];

	(void)state;
	loop_free(loop);
	close(stop_fd);
	snprintf(directory, sizeof(directory), "%s/lbd", base);
	unlink(path);
	rmdir(directory);
	return rmdir(base);
}

static inline int close_server(void **state)
{
	if (eventfd_write(stop_fd, 1) || pthread_join(thread, NULL))
		return -1;
	server_close(server);
	return close_loop(state);
}

static inline struct sockaddr_un socket_address(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strcpy(address.sun_path, path);
	return address;
}

static inline int connect_client(void)
{
	const struct sockaddr_un address = socket_address();
	const struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static inline void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* A line without its newline, or "" at the end. */
static inline const char *hear(int fd)
{
	static char line[LINE_BYTES];
	size_t used = 0;
	ssize_t got;

	while ((got = recv(fd, line + used, 1, 0)) == 1 && line[used] != '\n')
		assert_true(++used < sizeof(line));
	assert_true(got >= 0);
	line[used] = '\0';
	return line;
}

static inline void assert_answer(int fd, const char *expected)
{
	assert_string_equal(hear(fd), expected);
}

static inline void assert_answered(int fd)
{
	say(fd, "{\"n\": 1}\n");
	assert_answer(fd, "{\"result\":{\"n\":1}}");
}

/* One line of {"error": …} that says `words`, and nothing after it. */
static inline void assert_error_ends(int fd, const char *words)
{
	const char *line = hear(fd);

	if (strncmp(line, "{\"error\":\"", 10) || !strstr(line, words))
		fail_msg("\"%s\" does not say \"%s\"", line, words);
	assert_answer(fd, "");
}

static inline void assert_silent(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

static inline void pause_ms(long ms)
{
	const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&pause, NULL);
}

static inline long clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, open_loop, close_loop)
#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, open_server, close_server)
