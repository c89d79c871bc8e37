/*
 * One resource of the API server, kept up to date: a list in pages, then a watch from where the
 * list was made. What fails is tried again, sooner or later, and until a new list is complete
 * nothing of the old one is taken back.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include "control/kube/client.h"

struct kube_watch;

struct kube_watch_hooks {
	void *context;
	/* A list begins; also when one before it was broken off. */
	void (*begin)(void *context);
	/*
	 * Listed, added or modified. The object is the caller's, there only during the call. 0 or
	 * -ENOMEM: all is listed again.
	 */
	int (*put)(void *context, const json_t *object);
	/* Deleted: what it was in the end. Likewise. */
	int (*remove)(void *context, const json_t *object);
	/* The list is complete: what was not put since it began is gone. */
	void (*end)(void *context);
};

enum kube_watch_state {
	KUBE_LISTING,
	KUBE_CONNECTING, /* to watch */
	KUBE_CONNECTED,
	KUBE_WAITING, /* for the next try */
	_KUBE_WATCH_STATE_COUNT,
};

struct kube_watch_status {
	const char *name; /* of the resource */
	enum kube_watch_state state;
	const char *resource_version; /* "": nothing was listed yet */
	size_t objects;
	unsigned long lists;    /* complete ones */
	unsigned long events;   /* since it was opened */
	unsigned long failures; /* since it was opened */
	const char *error;      /* the last one; "": none */
};

/*
 * `path` as in /api/v1/services; `query` is escaped and selects, "" for all. Both are copied. The
 * first list begins when the loop runs. NULL with errno set.
 */
struct kube_watch *kube_watch_open(struct kube_client *client, const char *path, const char *query,
				   const struct kube_watch_hooks *hooks);
void kube_watch_close(struct kube_watch *watch);

void kube_watch_describe(const struct kube_watch *watch, struct kube_watch_status *status);
const char *kube_watch_state_name(enum kube_watch_state state);
