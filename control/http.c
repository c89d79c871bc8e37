/*
 * The library's side of http.h: its epoll in our loop, its clients with our deadlines. The library
 * has no listening socket and no limits of its own; a client that has to go is shut down, which the
 * library sees as the end of its connection.
 */
#include "control/http_internal.h"

#include <errno.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_TIME_MS 30000
#define WATCH_INTERVAL_MS 1000
#define MAX_CLIENTS 1024   /* of all sites, which have theirs */
#define CLIENT_MEMORY 8192 /* bytes: a request's head, an answer's head */
#define STREAM_BLOCK 32768 /* bytes of a stream in one turn */

/* The pointer that leads to the client of `fd`; what it points to is NULL where there is none. */
static struct http_client **find_client(struct http *http, int fd)
{
	struct http_client **link = &http->clients;

	while (*link && (*link)->fd != fd)
		link = &(*link)->next;
	return link;
}

static void forget_client(struct http *http, int fd)
{
	struct http_client **link = find_client(http, fd);
	struct http_client *client = *link;

	if (!client)
		return;
	*link = client->next;
	free(client);
}

static int fd_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? info->connect_fd : -1;
}

static ssize_t read_stream(void *context, uint64_t position, char *bytes, size_t room)
{
	struct http_stream *stream = context;
	size_t count = stream->read(stream->context, bytes, room);

	(void)position;
	return count ? (ssize_t)count : MHD_CONTENT_READER_END_OF_STREAM;
}

static void close_stream(void *context)
{
	struct http_stream *stream = context;

	stream->close(stream->context);
	free(stream);
}

static struct MHD_Response *make_stream(const struct http_stream *model)
{
	struct http_stream *stream = malloc(sizeof(*stream));
	struct MHD_Response *response = NULL;

	if (stream) {
		*stream = *model;
		response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK,
							     read_stream, stream, close_stream);
	}
	if (response)
		return response;
	free(stream);
	model->close(model->context);
	return NULL;
}

static void add_weight(struct MHD_Response *response, long weight)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", weight);
	MHD_add_response_header(response, HTTP_WEIGHT_HEADER, text);
}

/* The headers are kube-proxy's, for all that it answers. */
static enum MHD_Result send_reply(struct MHD_Connection *connection, struct http_reply *reply)
{
	struct MHD_Response *response;
	enum MHD_Result result;

	response = reply->stream.read
			   ? make_stream(&reply->stream)
			   : MHD_create_response_from_buffer(strlen(reply->text), reply->text,
							     MHD_RESPMEM_MUST_COPY);
	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->type);
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (reply->weight >= 0)
		add_weight(response, reply->weight);
	if (reply->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, reply->status, response);
	MHD_destroy_response(response);
	return result;
}

/* Answered when its head is complete, whatever follows; then the connection is over. */
static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *upload,
			      size_t *upload_size, void **request_context)
{
	struct http_reply reply = {.status = MHD_HTTP_NOT_FOUND,
				   .type = "text/plain; charset=utf-8",
				   .weight = -1,
				   .text = "404 page not found\n"};
	const struct http_request request = {
		.path = url,
		.accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
						      MHD_HTTP_HEADER_ACCEPT)};
	const struct http_client *client = *find_client(context, fd_of(connection));

	(void)version;
	(void)upload;
	(void)upload_size;
	(void)request_context;
	if (!client || !client->listener)
		return MHD_NO;
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD)) {
		reply.status = MHD_HTTP_METHOD_NOT_ALLOWED;
		strcpy(reply.text, "405 method not allowed\n");
	} else {
		client->listener->site->handler(client->listener->context, &request, &reply);
	}
	return send_reply(connection, &reply);
}

static void connection_changed(void *context, struct MHD_Connection *connection,
			       void **socket_context, enum MHD_ConnectionNotificationCode code)
{
	(void)socket_context;
	if (code == MHD_CONNECTION_NOTIFY_CLOSED)
		forget_client(context, fd_of(connection));
}

static void end_overdue(struct http *http)
{
	const uint64_t now = loop_now_ms();

	for (struct http_client *client = http->clients; client; client = client->next)
		if (now - client->since_ms > REQUEST_TIME_MS)
			shutdown(client->fd, SHUT_RDWR);
}

/* One turn of the library, and when the next one is due at the latest. */
static void run(struct http *http)
{
	unsigned int wait = http->clients ? WATCH_INTERVAL_MS : 0;
	MHD_UNSIGNED_LONG_LONG timeout;

	MHD_run(http->daemon);
	if (MHD_get_timeout(http->daemon, &timeout) == MHD_YES && timeout < WATCH_INTERVAL_MS)
		loop_set_timer(http->timer, (unsigned int)timeout, WATCH_INTERVAL_MS);
	else
		loop_set_timer(http->timer, wait, 0);
}

static void ready(void *context, uint32_t events)
{
	(void)events;
	run(context);
}

static void watch(void *context, uint32_t events)
{
	(void)events;
	end_overdue(context);
	run(context);
}

void http_dismiss(struct http_listener *listener)
{
	for (struct http_client *client = listener->http->clients; client; client = client->next)
		if (client->listener == listener) {
			client->listener = NULL;
			shutdown(client->fd, SHUT_RDWR);
		}
}

void http_dismiss_idlest(struct http *http, const struct http_site *site)
{
	struct http_client *idlest = NULL;

	for (struct http_client *client = http->clients; client; client = client->next)
		if (client->listener && client->listener->site == site &&
		    (!idlest || client->since_ms <= idlest->since_ms))
			idlest = client;
	if (!idlest)
		return;
	idlest->listener = NULL;
	shutdown(idlest->fd, SHUT_RDWR);
	run(http);
}

/* The library closes the socket where it fails. */
static void hand_over(struct http *http, int fd)
{
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);

	if (getpeername(fd, (struct sockaddr *)&peer, &length)) {
		close(fd);
		forget_client(http, fd);
		return;
	}
	if (MHD_add_connection(http->daemon, fd, (struct sockaddr *)&peer, length) == MHD_YES)
		run(http);
	else
		forget_client(http, fd);
}

void http_welcome(struct http_listener *listener, int fd)
{
	struct http_client *client = malloc(sizeof(*client));
	struct http *http = listener->http;

	if (!client) {
		close(fd);
		return;
	}
	*client = (struct http_client){
		.next = http->clients,
		.listener = listener,
		.since_ms = loop_now_ms(),
		.fd = fd,
	};
	http->clients = client;
	hand_over(http, fd);
}

static int watch_library(struct http *http)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);

	return info ? loop_add(http->loop, info->epoll_fd, EPOLLIN, ready, http) : -ENOTSUP;
}

struct http *http_new(struct loop *loop)
{
	struct http *http = calloc(1, sizeof(*http));

	if (!http)
		return NULL;
	signal(SIGPIPE, SIG_IGN); /* a client that has gone is an error like others */
	http->loop = loop;
	http->timer = loop_add_timer(loop, watch, http);
	http->retry = -1;
	http->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL,
					handle, http, MHD_OPTION_CONNECTION_LIMIT, MAX_CLIENTS,
					MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CLIENT_MEMORY,
					MHD_OPTION_NOTIFY_CONNECTION, connection_changed, http,
					MHD_OPTION_END);
	if (http->timer >= 0 && http->daemon && !watch_library(http))
		return http;
	http_free(http);
	errno = ENOMEM;
	return NULL;
}

void http_free(struct http *http)
{
	const union MHD_DaemonInfo *info;

	if (!http)
		return;
	while (http->listeners)
		http_close(http->listeners);
	if (http->daemon) {
		info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
		if (info)
			loop_remove(http->loop, info->epoll_fd);
		MHD_stop_daemon(http->daemon);
	}
	if (http->timer >= 0)
		loop_remove_timer(http->loop, http->timer);
	if (http->retry >= 0)
		loop_remove_timer(http->loop, http->retry);
	free(http);
}
