/*
 * Requests of the API server by libcurl, in lbd's loop: nothing here waits. A request is a GET
 * whose body is handed over as it comes; connections are kept and used again. What authenticates
 * lbd is looked at before each request, and read again where its file is another.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "control/kube/config.h"
#include "control/loop.h"
#include "lb/refusal.h"

struct kube_client;
struct kube_request;

/* How a request ended. */
struct kube_result {
	long status;                /* HTTP's; 0: there was no answer */
	unsigned int retry_seconds; /* how long the server asks to be left alone */
	bool is_whole;              /* the answer came to its end */
	int kind;                   /* the same for failures that are the same */
	const char *error;          /* for people; "" where there is none */
};

struct kube_request_hooks {
	void *context;
	/* An answer begins. */
	void (*begin)(void *context, long status);
	/* Of one with status 200; false: no more of it is wanted, and the request has failed. */
	bool (*take)(void *context, const char *bytes, size_t size);
	/* The request is over, and freed. */
	void (*end)(void *context, const struct kube_result *result);
};

/*
 * To be called before system calls are restricted, once, and before any client is opened. 0 or a
 * refusal.
 */
int kube_client_prepare(struct refusal *refusal);

/* The configuration becomes the client's. NULL with errno set. */
struct kube_client *kube_client_open(struct loop *loop, struct kube_config *config);
/* Its requests are to be cancelled before. */
void kube_client_close(struct kube_client *client);

struct loop *kube_client_loop(const struct kube_client *client);
/* As the configuration has it. */
const char *kube_client_server(const struct kube_client *client);

/*
 * Asks for a path with its query. A request takes `seconds` at most; one that is not `patient` ends
 * as well when nothing comes for KUBE_SILENCE_SECONDS. NULL: no memory.
 */
struct kube_request *kube_client_get(struct kube_client *client, const char *path,
				     unsigned int seconds, bool patient,
				     const struct kube_request_hooks *hooks);

/* Ends it without a word to its hooks. Not from within `begin` and `take`. NULL is none. */
void kube_request_cancel(struct kube_request *request);

/* The server did not know who we are: files are read again, whether they look changed or not. */
void kube_client_renew(struct kube_client *client);

#define KUBE_SILENCE_SECONDS 30
