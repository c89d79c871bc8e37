/*
 * Listening: see http.h. The socket is made at once and bound when that is possible, so that an lbd
 * whose system calls are restricted by then needs no other.
 */
#include "control/http_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "control/log.h"

#define RETRY_INTERVAL_MS 5000
#define BACKLOG 128

/* One of IPv6 takes IPv4 as well, where the kernel has both. */
static int make_socket(const struct http_endpoint *endpoint)
{
	const int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
	const int on = 1, both = 0;
	int fd = socket(AF_INET6, type, 0);

	if (fd < 0 &&
	    (address_is_ipv4(&endpoint->address) || address_is_unspecified(&endpoint->address)))
		fd = socket(AF_INET, type, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &both, sizeof(both));
	return fd;
}

/* Our addresses are IPv6's, those of IPv4 mapped: just what a socket of both takes. */
static int bind_both(int fd, const struct http_endpoint *endpoint)
{
	struct sockaddr_in6 name = {.sin6_family = AF_INET6, .sin6_port = endpoint->port};

	if (!address_is_unspecified(&endpoint->address))
		memcpy(&name.sin6_addr, &endpoint->address, sizeof(name.sin6_addr));
	return bind(fd, (struct sockaddr *)&name, sizeof(name)) ? -errno : 0;
}

static int bind_ipv4(int fd, const struct http_endpoint *endpoint)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = endpoint->port};

	if (!address_is_unspecified(&endpoint->address))
		memcpy(&name.sin_addr, (const char *)&endpoint->address + 12,
		       sizeof(name.sin_addr));
	return bind(fd, (struct sockaddr *)&name, sizeof(name)) ? -errno : 0;
}

static int bind_and_listen(struct http_listener *listener)
{
	socklen_t length = sizeof(int);
	int family = AF_INET6, error;

	getsockopt(listener->fd, SOL_SOCKET, SO_DOMAIN, &family, &length);
	error = family == AF_INET6 ? bind_both(listener->fd, &listener->endpoint)
				   : bind_ipv4(listener->fd, &listener->endpoint);
	if (!error && listen(listener->fd, BACKLOG))
		error = -errno;
	listener->bound = !error;
	return error;
}

static unsigned int count_clients(const struct http *http, const struct http_site *site)
{
	unsigned int count = 0;

	for (const struct http_client *client = http->clients; client; client = client->next)
		count += client->listener && client->listener->site == site;
	return count;
}

static void accept_client(void *context, uint32_t events)
{
	struct http_listener *listener = context;
	struct http *http = listener->http;
	int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		http_dismiss_idlest(http, listener->site);
	if (fd < 0)
		return;
	if (count_clients(http, listener->site) >= listener->site->max_clients)
		http_dismiss_idlest(http, listener->site);
	http_welcome(listener, fd);
}

static const char *format(const struct http_listener *listener, char text[ENDPOINT_TEXT_MAX])
{
	return endpoint_format(&listener->endpoint.address, listener->endpoint.port, text);
}

static void retry(void *context, uint32_t events)
{
	char text[ENDPOINT_TEXT_MAX];
	struct http *http = context;
	bool waiting = false;

	(void)events;
	for (struct http_listener *each = http->listeners; each; each = each->next) {
		if (each->bound)
			continue;
		if (bind_and_listen(each) ||
		    loop_add(http->loop, each->fd, EPOLLIN, accept_client, each)) {
			waiting = true;
			continue;
		}
		log_info("listening", "what=%s at=%s", each->site->name, format(each, text));
	}
	if (!waiting)
		loop_set_timer(http->retry, 0, 0);
}

/* 0, or -errno where nobody would try again. */
static int try_later(struct http_listener *listener, int error)
{
	struct http *http = listener->http;
	char text[ENDPOINT_TEXT_MAX];

	if (error != -EADDRINUSE && error != -EADDRNOTAVAIL)
		return error;
	if (http->retry < 0)
		http->retry = loop_add_timer(http->loop, retry, http);
	if (http->retry < 0)
		return http->retry;
	log_warning("not-listening", "what=%s at=%s why=%s", listener->site->name,
		    format(listener, text), log_quote(strerror(-error)));
	return loop_set_timer(http->retry, RETRY_INTERVAL_MS, RETRY_INTERVAL_MS);
}

static int start(struct http_listener *listener)
{
	int error;

	listener->fd = make_socket(&listener->endpoint);
	if (listener->fd < 0)
		return listener->fd;
	error = bind_and_listen(listener);
	if (error)
		return try_later(listener, error);
	return loop_add(listener->http->loop, listener->fd, EPOLLIN, accept_client, listener);
}

struct http_listener *http_listen(struct http *http, const struct http_site *site,
				  const struct http_endpoint *endpoint, void *context,
				  struct refusal *refusal)
{
	struct http_listener *listener = malloc(sizeof(*listener));
	char text[ENDPOINT_TEXT_MAX];
	int error;

	if (!listener) {
		refuse(refusal, "out of memory");
		return NULL;
	}
	*listener = (struct http_listener){
		.next = http->listeners,
		.http = http,
		.site = site,
		.context = context,
		.endpoint = *endpoint,
		.fd = -1,
	};
	error = start(listener);
	if (!error) {
		http->listeners = listener;
		return listener;
	}
	refuse_with(refusal, -error, "cannot listen for %s at %s: %s", site->name,
		    format(listener, text), strerror(-error));
	if (listener->fd >= 0)
		close(listener->fd);
	free(listener);
	return NULL;
}

void http_close(struct http_listener *listener)
{
	struct http_listener **link;

	if (!listener)
		return;
	link = &listener->http->listeners;
	while (*link != listener)
		link = &(*link)->next;
	*link = listener->next;
	http_dismiss(listener);
	if (listener->bound)
		loop_remove(listener->http->loop, listener->fd);
	close(listener->fd);
	free(listener);
}
