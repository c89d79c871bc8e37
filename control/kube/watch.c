/*
 * The course of a watch: list, watch, list again where the server has forgotten; and how long to
 * wait in between.
 */
#include "control/kube/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include "control/kube/watch_internal.h"
#include "control/log.h"

const char *kube_watch_state_name(enum kube_watch_state state)
{
	static const char *const NAMES[_KUBE_WATCH_STATE_COUNT] = {
		[KUBE_LISTING] = "listing",
		[KUBE_CONNECTING] = "connecting",
		[KUBE_CONNECTED] = "connected",
		[KUBE_WAITING] = "waiting",
	};

	return NAMES[state];
}

bool kube_watch_reject(struct kube_watch *watch, int kind, const char *text)
{
	watch->failure = (struct kube_failure){
		.kind = kind,
		.text = text,
		.relists = true,
	};
	return false;
}

bool kube_watch_reject_memory(struct kube_watch *watch)
{
	return kube_watch_reject(watch, KUBE_FAILURE_MEMORY, "out of memory");
}

bool kube_watch_feed(struct kube_watch *watch, const char *bytes, size_t size)
{
	const int error = kube_stream_feed(&watch->stream, bytes, size);

	if (!error || error == -ECANCELED)
		return !error;
	if (error == -ENOMEM)
		return kube_watch_reject_memory(watch);
	return kube_watch_reject(watch, KUBE_FAILURE_MALFORMED, "not what a list or watch is");
}

void kube_watch_go_on(struct kube_watch *watch)
{
	kube_stream_finish(&watch->stream);
	watch->failure = (struct kube_failure){};
	if (!watch->resource_version)
		kube_list_begin(watch);
	else if (watch->doubted)
		kube_probe_begin(watch);
	else
		kube_events_begin(watch);
}

static void time_is_up(void *context, uint32_t events)
{
	static const struct kube_failure SILENT = {
		.kind = KUBE_FAILURE_SILENT,
		.text = "the server accepts and does not answer",
	};
	struct kube_watch *watch = context;

	(void)events;
	if (watch->state == KUBE_WAITING) {
		kube_watch_go_on(watch);
	} else if (watch->state == KUBE_CONNECTING) {
		kube_request_cancel(watch->request);
		watch->request = NULL;
		watch->doubted = true;
		kube_watch_fail(watch, &SILENT);
	}
}

static void forget_list(struct kube_watch *watch)
{
	free(watch->resource_version);
	free(watch->next_page);
	watch->resource_version = watch->next_page = NULL;
	watch->doubted = false;
}

void kube_watch_worked(struct kube_watch *watch)
{
	watch->was_gone = false;
	kube_backoff_reset(&watch->backoff);
}

/*
 * A server that has just come remembers nothing of before. That is no failure, and how long it was
 * away says nothing of how long to wait; but only once.
 */
static void note_gone(struct kube_watch *watch)
{
	if (!watch->was_gone)
		kube_backoff_reset(&watch->backoff);
	watch->was_gone = true;
}

void kube_watch_fail(struct kube_watch *watch, const struct kube_failure *failure)
{
	unsigned int wait_ms;

	if (watch->state == KUBE_CONNECTED && loop_now_ms() - watch->began_ms >= KUBE_STEADY_MS)
		kube_watch_worked(watch);
	if (failure->kind == KUBE_FAILURE_GONE)
		note_gone(watch);
	wait_ms = failure->wait_seconds * 1000 + kube_backoff_fail(&watch->backoff, kube_random());
	snprintf(watch->error, sizeof(watch->error), "%s", failure->text);
	/* A list that was not finished is of no use. */
	if (failure->relists || watch->state == KUBE_LISTING)
		forget_list(watch);
	if (watch->told != failure->kind)
		log_warning("kube-lost", "resource=%s reason=%s then=%s retry_ms=%u", watch->name,
			    log_quote(failure->text), watch->resource_version ? "watch" : "list",
			    wait_ms);
	watch->told = failure->kind;
	watch->connected = false;
	watch->failures++;
	watch->state = KUBE_WAITING;
	kube_stream_finish(&watch->stream);
	loop_set_timer(watch->timer, wait_ms, 0);
}

void kube_watch_fail_by(struct kube_watch *watch, const struct kube_result *result)
{
	struct kube_failure failure = watch->failure;

	if (failure.kind == KUBE_FAILURE_NONE) {
		failure.relists = result->status == KUBE_STATUS_GONE;
		failure.kind = failure.relists ? (int)KUBE_FAILURE_GONE : result->kind;
		failure.text = result->error;
	}
	failure.wait_seconds = result->retry_seconds;
	watch->doubted |= !result->is_whole;
	if (result->status == KUBE_STATUS_UNAUTHORIZED)
		kube_client_renew(watch->client);
	kube_watch_fail(watch, &failure);
}

bool kube_watch_ask(struct kube_watch *watch, char *path, unsigned int seconds, bool patient,
		    const struct kube_request_hooks *hooks)
{
	static const struct kube_failure NO_MEMORY = {
		.kind = KUBE_FAILURE_MEMORY,
		.text = "out of memory",
	};

	if (path)
		watch->request = kube_client_get(watch->client, path, seconds, patient, hooks);
	free(path);
	if (!watch->request)
		kube_watch_fail(watch, &NO_MEMORY);
	return watch->request;
}

struct kube_watch *kube_watch_open(struct kube_client *client, const char *path, const char *query,
				   const struct kube_watch_hooks *hooks)
{
	struct kube_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	watch->client = client;
	watch->hooks = *hooks;
	watch->path = strdup(path);
	watch->query = strdup(query);
	watch->state = KUBE_WAITING;
	watch->timer = loop_add_timer(kube_client_loop(client), time_is_up, watch);
	if (watch->path && watch->query && watch->timer >= 0 &&
	    !loop_set_timer(watch->timer, 1, 0)) {
		watch->name = strrchr(watch->path, '/') + 1;
		return watch;
	}
	kube_watch_close(watch);
	errno = ENOMEM;
	return NULL;
}

void kube_watch_close(struct kube_watch *watch)
{
	if (!watch)
		return;
	kube_request_cancel(watch->request);
	if (watch->timer >= 0)
		loop_remove_timer(kube_client_loop(watch->client), watch->timer);
	kube_stream_finish(&watch->stream);
	forget_list(watch);
	free(watch->path);
	free(watch->query);
	free(watch);
}

void kube_watch_describe(const struct kube_watch *watch, struct kube_watch_status *status)
{
	*status = (struct kube_watch_status){
		.name = watch->name,
		.state = watch->state,
		.resource_version = watch->resource_version ? watch->resource_version : "",
		.objects = watch->objects,
		.lists = watch->lists,
		.events = watch->events,
		.failures = watch->failures,
		.error = watch->error,
	};
}
