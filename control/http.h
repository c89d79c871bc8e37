/*
 * HTTP for probes and scrapers: listeners, each with a handler, on one libmicrohttpd in the loop.
 * Whoever connects may be anybody, so nothing here waits for a client: a connection is for one
 * request and has to be over in 30 seconds, and where a site has as many clients as it may, the one
 * that has been there for longest makes room for the next.
 */
#pragma once

#include <stddef.h>
#include "control/loop.h"
#include "lb/address.h"

#define HTTP_TEXT_MAX 1024 /* of an answer that is not a stream, with its NUL */
#define HTTP_WEIGHT_HEADER "X-Load-Balancing-Endpoint-Weight"

struct http;
struct http_listener;

struct http_request {
	const char *path;
	const char *accept; /* NULL: anything */
};

/*
 * The body of an answer, made while it is sent. `read` writes at most `room` bytes and says how
 * many, 0 at the end; it is called once a turn of the loop.
 */
struct http_stream {
	size_t (*read)(void *context, char *bytes, size_t room);
	void (*close)(void *context); /* also when the client has gone */
	void *context;
};

/* Filled by a handler; what it leaves alone is 404. */
struct http_reply {
	unsigned int status;
	const char *type;          /* Content-Type */
	long weight;               /* HTTP_WEIGHT_HEADER; negative: without */
	struct http_stream stream; /* without `read` it is the text */
	char text[HTTP_TEXT_MAX];
};

typedef void (*http_handler)(void *context, const struct http_request *request,
			     struct http_reply *reply);

/* What listeners may have in common. */
struct http_site {
	const char *name; /* in the log */
	http_handler handler;
	unsigned int max_clients; /* at once, of all its listeners */
};

/* The loop must outlive it. NULL with errno set. */
struct http *http_new(struct loop *loop);
/* And all its listeners. Accepts NULL. */
void http_free(struct http *http);

/* Where to listen. An unspecified address, of either family, means all of both. */
struct http_endpoint {
	struct address address;
	__be16 port;
};

/*
 * Listens. Where the port is taken or the address is not there (yet), that is logged and tried
 * again every 5 seconds, as when another proxy is about to leave; what else fails is refused. The
 * site must outlive it; `context` is its handler's. NULL with a refusal.
 */
struct http_listener *http_listen(struct http *http, const struct http_site *site,
				  const struct http_endpoint *endpoint, void *context,
				  struct refusal *refusal);
/* Ends its clients too. Accepts NULL. Not from within a handler. */
void http_close(struct http_listener *listener);
