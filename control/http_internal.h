/*
 * What the files behind http.h share.
 */
#pragma once

#include <stdbool.h>
#include "control/http.h"

struct MHD_Daemon;

/* One who has connected. Found by its fd: the library has the rest of it. */
struct http_client {
	struct http_client *next;
	struct http_listener *listener; /* NULL: closed, and the client about to be */
	uint64_t since_ms;              /* it has connected */
	int fd;
};

struct http_listener {
	struct http_listener *next;
	struct http *http;
	const struct http_site *site;
	void *context;
	struct http_endpoint endpoint;
	int fd;
	bool bound;
};

struct http {
	struct loop *loop;
	struct MHD_Daemon *daemon;
	struct http_listener *listeners;
	struct http_client *clients;
	int timer; /* what the library waits for, and deadlines of clients */
	int retry; /* runs while a listener is not bound */
};

/* A socket that listener has accepted; closed where it cannot be. */
void http_welcome(struct http_listener *listener, int fd);
/* Ends those of a listener, who then belong to none; NULL: the idlest of the site. */
void http_dismiss(struct http_listener *listener);
void http_dismiss_idlest(struct http *http, const struct http_site *site);
