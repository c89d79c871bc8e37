/*
 * One question to lbd: connect, send a line, read a line. Blocking, with the socket's own timeouts,
 * for lbctl has nothing else to do meanwhile.
 */
#include "control/client.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include "control/json_scratch.h"

#define FIRST_READ_BYTES 65536

/* The line read so far. Owned. */
struct answer {
	char *text;
	size_t size;
	size_t capacity;
};

static void close_socket(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static void free_answer(struct answer *answer)
{
	free(answer->text);
}

static void free_text(char **text)
{
	free(*text);
}

static int refuse_connection(struct refusal *refusal, const char *path, int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
		return refuse_with(refusal, ECONNREFUSED,
				   "%s: no daemon there (%s): start lbd, or name its socket with "
				   "--socket PATH",
				   path, strerror(error));
	case EACCES:
	case EPERM:
		return refuse_with(refusal, error,
				   "%s: permission denied: run as root, as the user of lbd or as a "
				   "member of its --socket-group",
				   path);
	case EAGAIN:
		return refuse_with(refusal, ETIMEDOUT,
				   "%s: lbd took no connection for %d seconds: see its log", path,
				   CLIENT_SILENCE_SECONDS);
	default:
		return refuse_with(refusal, error, "%s: %s", path, strerror(error));
	}
}

/* Of a connection that stands. lbd hung up, hangs, or the kernel has a reason of its own. */
static int refuse_exchange(struct refusal *refusal, const char *path, int error)
{
	if (error == EAGAIN)
		return refuse_with(refusal, ETIMEDOUT,
				   "%s: lbd was silent for %d seconds: see its log; what was asked "
				   "may yet happen",
				   path, CLIENT_SILENCE_SECONDS);
	return refuse_with(refusal, error, "%s: %s", path, strerror(error));
}

/* Returns the fd or -errno with a refusal. */
static int open_connection(const char *path, struct refusal *refusal)
{
	static const struct timeval silence = {.tv_sec = CLIENT_SILENCE_SECONDS};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	__attribute__((cleanup(close_socket))) int fd = -1;
	int opened;

	if (!path[0] || strlen(path) >= sizeof(address.sun_path))
		return refuse(refusal, "--socket: a path of 1–%zu bytes is wanted, not '%s'",
			      sizeof(address.sun_path) - 1, path);
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return refuse_connection(refusal, path, errno);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &silence, sizeof(silence)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence)))
		return refuse_connection(refusal, path, errno);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		return refuse_connection(refusal, path, errno);
	opened = fd;
	fd = -1;
	return opened;
}

/* 0 or -errno. */
static int send_all(int fd, const char *text, size_t size)
{
	while (size) {
		ssize_t sent = send(fd, text, size, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return -errno;
		text += sent;
		size -= (size_t)sent;
	}
	return 0;
}

static int send_request(int fd, const char *path, const json_t *request, struct refusal *refusal)
{
	__attribute__((cleanup(free_text))) char *line = json_dumps(request, JSON_COMPACT);
	size_t size;
	int error;

	if (!line)
		return refuse_with(refusal, ENOMEM, "out of memory for the request");
	size = strlen(line);
	if (size >= CLIENT_REQUEST_MAX)
		return refuse_with(refusal, EFBIG, "the request has %zu bytes, more than %u MiB",
				   size, CLIENT_REQUEST_MAX >> 20);
	line[size] = '\n'; /* takes the place of the NUL: the text ends by its size */
	error = send_all(fd, line, size + 1);
	/* lbd may refuse what it has not read to the end; its words are then there to be read */
	if (error && error != -EPIPE && error != -ECONNRESET)
		return refuse_exchange(refusal, path, -error);
	return 0;
}

static int grow(struct answer *answer)
{
	size_t capacity = answer->capacity ? answer->capacity * 2 : FIRST_READ_BYTES;
	char *text;

	if (answer->size < answer->capacity)
		return 0;
	if (capacity > CLIENT_ANSWER_MAX)
		return -EFBIG;
	text = realloc(answer->text, capacity);
	if (!text)
		return -ENOMEM;
	answer->text = text;
	answer->capacity = capacity;
	return 0;
}

static int refuse_hangup(struct refusal *refusal, const char *path, const struct answer *answer)
{
	return refuse_with(refusal, ECONNRESET,
			   answer->size ? "%s: lbd hung up in the middle of its answer: see its log"
					: "%s: lbd hung up without an answer: see its log",
			   path);
}

/* Reads until the first newline, which is not part of answer->size. */
static int receive_line(int fd, const char *path, struct answer *answer, struct refusal *refusal)
{
	for (;;) {
		const char *end;
		ssize_t received;
		int error = grow(answer);

		if (error)
			return refuse_with(refusal, -error, "more than %zu bytes of answer: %s",
					   answer->size, strerror(-error));
		received =
			recv(fd, answer->text + answer->size, answer->capacity - answer->size, 0);
		if (received < 0 && errno == EINTR)
			continue;
		if (received == 0 || (received < 0 && errno == ECONNRESET))
			return refuse_hangup(refusal, path, answer);
		if (received < 0)
			return refuse_exchange(refusal, path, errno);
		end = memchr(answer->text + answer->size, '\n', (size_t)received);
		answer->size += (size_t)received;
		if (end) {
			answer->size = (size_t)(end - answer->text);
			return 0;
		}
	}
}

/* What lbd said: its result, or its refusal in its own words. */
static int read_answer(const char *path, const struct answer *answer, json_t **result,
		       struct refusal *refusal)
{
	json_error_t ignored;
	json_auto_t *object = json_parse(answer->text, answer->size, 0, &ignored);
	const json_t *error = json_object_get(object, "error");
	json_t *found = json_object_get(object, "result");

	if (json_is_string(error))
		return refuse_with(refusal, EREMOTEIO, "%s", json_string_value(error));
	if (!found)
		return refuse_with(refusal, EPROTO,
				   "%s: what answers there is not lbd: its line holds neither a "
				   "result nor an error",
				   path);
	*result = json_incref(found);
	return 0;
}

int client_ask(const char *path, const json_t *request, json_t **result, struct refusal *refusal)
{
	__attribute__((cleanup(free_answer))) struct answer answer = {0};
	__attribute__((cleanup(close_socket))) int fd = open_connection(path, refusal);
	int error;

	if (fd < 0)
		return fd;
	error = send_request(fd, path, request, refusal);
	if (error)
		return error;
	error = receive_line(fd, path, &answer, refusal);
	if (error)
		return error;
	return read_answer(path, &answer, result, refusal);
}
