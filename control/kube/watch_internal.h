/*
 * The inside of watch.h: watch.c says what is done when, list.c lists, events.c watches. Each of
 * the two ends by kube_watch_go_on or kube_watch_fail.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "control/kube/backoff.h"
#include "control/kube/stream.h"
#include "control/kube/watch.h"

#define KUBE_STATUS_OK 200
#define KUBE_STATUS_UNAUTHORIZED 401
#define KUBE_STATUS_GONE 410 /* that version, or that page, is not remembered any more */
#define KUBE_NAME_TEXT_MAX 320
#define KUBE_LIST_SECONDS 300 /* after that its continuation expires */
#define KUBE_STEADY_MS 1000   /* a watch that lasted so long has worked */

/* Kinds of failures beside those of struct kube_result. */
enum kube_failure_kind {
	KUBE_FAILURE_NONE,
	KUBE_FAILURE_MALFORMED = 2000,
	KUBE_FAILURE_SKIPPED,
	KUBE_FAILURE_GONE,
	KUBE_FAILURE_ORDER,
	KUBE_FAILURE_REFUSED,
	KUBE_FAILURE_BRIEF,
	KUBE_FAILURE_SILENT,
	KUBE_FAILURE_MEMORY,
};

struct kube_failure {
	int kind;
	const char *text;
	unsigned int wait_seconds; /* at least */
	bool relists;
};

struct kube_watch {
	struct kube_client *client;
	char *path, *query;
	const char *name; /* the last word of path */
	struct kube_watch_hooks hooks;
	enum kube_watch_state state;
	int timer; /* of the next try; while connecting, of the answer */
	struct kube_request *request;
	struct kube_stream stream;
	struct kube_failure failure; /* found while reading an answer */
	struct kube_backoff backoff;
	char *resource_version; /* NULL: to be listed */
	char *next_page;        /* NULL: the first one */
	bool whole;             /* the next list is one page: the last one's expired */
	bool doubted;           /* whether the server's versions are still beyond ours */
	bool was_gone;          /* 410, and since then nothing has worked for long */
	uint64_t began_ms;      /* list or watch, CLOCK_MONOTONIC */
	size_t listed, objects;
	unsigned long lists, events, failures;
	int told;       /* kind of the failure that is in the log; 0: it works */
	bool connected; /* which is in the log */
	char error[256];
};

/* Starts a page, or a watch, where watch->request is none. */
void kube_list_begin(struct kube_watch *watch);
void kube_probe_begin(struct kube_watch *watch);
void kube_events_begin(struct kube_watch *watch);

/*
 * Asks for a path, as kube_client_get does, and frees it. False: there is none (NULL), or no memory
 * to ask, and the watch has failed.
 */
bool kube_watch_ask(struct kube_watch *watch, char *path, unsigned int seconds, bool patient,
		    const struct kube_request_hooks *hooks);

/* It lasted: the next failure is the first. */
void kube_watch_worked(struct kube_watch *watch);
/* What comes next, at once. */
void kube_watch_go_on(struct kube_watch *watch);
/* Around a list's items: {"kind": "…List", "metadata": {"resourceVersion", "continue"}}. NULL, or
 * the caller's. */
json_t *kube_list_frame(const struct kube_watch *watch);
/* What comes next, after a while. */
void kube_watch_fail(struct kube_watch *watch, const struct kube_failure *failure);
/* What was found while reading, or else what the client says. */
void kube_watch_fail_by(struct kube_watch *watch, const struct kube_result *result);
/* For hooks of the stream: notes why no more is wanted. false. */
bool kube_watch_reject(struct kube_watch *watch, int kind, const char *text);
bool kube_watch_reject_memory(struct kube_watch *watch);
/* Feeds what has come; false: no more is wanted. */
bool kube_watch_feed(struct kube_watch *watch, const char *bytes, size_t size);

/* An object of Kubernetes, which has a name. NULL, or the caller's. */
json_t *kube_object_parse(const char *text, size_t size);
bool kube_object_has_name(const json_t *object);
/* metadata.resourceVersion, NULL: it has none. */
const char *kube_object_version(const json_t *object);
/*
 * -1, 0, 1: `version` is older, the same, newer. Versions are numbers since Kubernetes 1.35, and
 * were before; what is none counts as newer.
 */
int kube_version_compare(const char *version, const char *known);
/* NAMESPACE/NAME as far as the beginning of an object tells. */
void kube_object_guess_name(const char *beginning, size_t size, char name[KUBE_NAME_TEXT_MAX]);
