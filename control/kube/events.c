/*
 * Watching: one request, answered by one event after the other from the version of the list on. It
 * ends at the server's or our wish after some minutes, and the next one goes on where it was.
 */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "control/kube/watch_internal.h"
#include "control/log.h"

#define WATCH_SECONDS_LEAST 300
#define WATCH_SECONDS_SPREAD 301 /* so that not all nodes ask anew at the same time */
#define WATCH_SECONDS_GRACE 30   /* that the server may take longer */

#define STATUS_TOO_MANY 429
#define STATUS_SERVER_ERROR 500

enum event_type {
	EVENT_PUT,
	EVENT_REMOVE,
	EVENT_BOOKMARK,
	EVENT_ERROR,
	EVENT_UNKNOWN,
};

static enum event_type type_of(const json_t *event)
{
	static const struct {
		const char *name;
		enum event_type type;
	} TYPES[] = {
		{"ADDED", EVENT_PUT},         {"MODIFIED", EVENT_PUT}, {"DELETED", EVENT_REMOVE},
		{"BOOKMARK", EVENT_BOOKMARK}, {"ERROR", EVENT_ERROR},
	};
	const char *name = json_string_value(json_object_get(event, "type"));

	for (size_t i = 0; name && i < sizeof(TYPES) / sizeof(TYPES[0]); i++)
		if (!strcmp(name, TYPES[i].name))
			return TYPES[i].type;
	return EVENT_UNKNOWN;
}

static bool is_added(const json_t *event)
{
	return !strcmp(json_string_value(json_object_get(event, "type")), "ADDED");
}

static bool reject_malformed(struct kube_watch *watch)
{
	return kube_watch_reject(watch, KUBE_FAILURE_MALFORMED,
				 "an event that is none of Kubernetes");
}

static bool remember_version(struct kube_watch *watch, const char *version)
{
	char *copy = strdup(version);

	if (!copy)
		return kube_watch_reject_memory(watch);
	free(watch->resource_version);
	watch->resource_version = copy;
	return true;
}

/* What the server cannot go on for. Some errors pass, and the watch goes on where it was. */
static bool take_error(struct kube_watch *watch, const json_t *status)
{
	const json_int_t code = json_integer_value(json_object_get(status, "code"));

	if (code == KUBE_STATUS_GONE)
		return kube_watch_reject(watch, KUBE_FAILURE_GONE,
					 "the server has forgotten that version");
	kube_watch_reject(watch, KUBE_FAILURE_REFUSED, "the server ended the watch by an error");
	watch->failure.relists = code != STATUS_TOO_MANY && code < STATUS_SERVER_ERROR;
	return false;
}

/* Each version comes once, in order. What comes twice is known; an older one tells of a mistake. */
static bool take_change(struct kube_watch *watch, const json_t *event, enum event_type type)
{
	const json_t *object = json_object_get(event, "object");
	const char *version = kube_object_version(object);
	int order, error;

	if (!version || !kube_object_has_name(object))
		return reject_malformed(watch);
	order = kube_version_compare(version, watch->resource_version);
	if (!order)
		return true;
	if (order < 0)
		return kube_watch_reject(watch, KUBE_FAILURE_ORDER, "events out of their order");
	if (type == EVENT_PUT) {
		watch->objects += is_added(event);
		error = watch->hooks.put(watch->hooks.context, object);
	} else {
		watch->objects -= watch->objects > 0;
		error = watch->hooks.remove(watch->hooks.context, object);
	}
	return error ? kube_watch_reject_memory(watch) : remember_version(watch, version);
}

static bool take_parsed(struct kube_watch *watch, const json_t *event)
{
	const json_t *object = json_object_get(event, "object");
	const char *version = kube_object_version(object);
	const enum event_type type = type_of(event);

	watch->events++;
	switch (type) {
	case EVENT_PUT:
	case EVENT_REMOVE:
		return take_change(watch, event, type);
	case EVENT_BOOKMARK:
		return version ? remember_version(watch, version) : reject_malformed(watch);
	case EVENT_ERROR:
		return take_error(watch, object);
	case EVENT_UNKNOWN:
		break;
	}
	return reject_malformed(watch);
}

static bool take_event(void *context, const char *text, size_t size)
{
	struct kube_watch *watch = context;
	json_t *event = kube_object_parse(text, size);
	const bool more = event ? take_parsed(watch, event) : reject_malformed(watch);

	json_decref(event);
	return more;
}

/* What it was is not known any more, and a new list leaves it out. */
static bool skip_event(void *context, const char *beginning, size_t size, const char *why)
{
	struct kube_watch *watch = context;
	char name[KUBE_NAME_TEXT_MAX];

	kube_object_guess_name(beginning, size, name);
	log_warning("kube-object-skipped", "resource=%s object=%s why=%s", watch->name,
		    log_quote(name), log_quote(why));
	return kube_watch_reject(watch, KUBE_FAILURE_SKIPPED, "an object was skipped");
}

static void begin_watch(void *context, long status)
{
	struct kube_watch *watch = context;

	if (status != KUBE_STATUS_OK)
		return;
	loop_set_timer(watch->timer, 0, 0);
	watch->state = KUBE_CONNECTED;
	watch->began_ms = loop_now_ms();
	watch->told = KUBE_FAILURE_NONE;
	if (!watch->connected)
		log_info("kube-connected", "resource=%s version=%s", watch->name,
			 log_quote(watch->resource_version));
	watch->connected = true;
}

static bool take_events(void *context, const char *bytes, size_t size)
{
	return kube_watch_feed(context, bytes, size);
}

static void end_watch(void *context, const struct kube_result *result)
{
	struct kube_watch *watch = context;
	const bool good = result->is_whole && result->status == KUBE_STATUS_OK;

	watch->request = NULL;
	loop_set_timer(watch->timer, 0, 0);
	if (good && kube_stream_is_whole(&watch->stream) &&
	    loop_now_ms() - watch->began_ms >= KUBE_STEADY_MS) {
		kube_watch_worked(watch);
		kube_watch_go_on(watch);
		return;
	}
	if (good) {
		kube_watch_reject(watch, KUBE_FAILURE_BRIEF,
				  kube_stream_is_whole(&watch->stream)
					  ? "the server ended the watch at once"
					  : "the watch ended within an event");
		watch->failure.relists = false;
	}
	kube_watch_fail_by(watch, result);
}

static char *make_path(const struct kube_watch *watch, unsigned int seconds)
{
	char *version = curl_easy_escape(NULL, watch->resource_version, 0), *path = NULL;

	if (version &&
	    asprintf(&path,
		     "%s?watch=true&allowWatchBookmarks=true&resourceVersion=%s"
		     "&timeoutSeconds=%u%s%s",
		     watch->path, version, seconds, watch->query[0] ? "&" : "", watch->query) < 0)
		path = NULL;
	curl_free(version);
	return path;
}

void kube_events_begin(struct kube_watch *watch)
{
	const struct kube_stream_hooks stream_hooks = {watch, take_event, skip_event};
	const struct kube_request_hooks hooks = {watch, begin_watch, take_events, end_watch};
	const unsigned int seconds = WATCH_SECONDS_LEAST + kube_random() % WATCH_SECONDS_SPREAD;
	char *path = make_path(watch, seconds);

	watch->state = KUBE_CONNECTING;
	kube_stream_init(&watch->stream, KUBE_STREAM_EVENTS, &stream_hooks);
	if (kube_watch_ask(watch, path, seconds + WATCH_SECONDS_GRACE, true, &hooks))
		loop_set_timer(watch->timer, KUBE_SILENCE_SECONDS * 1000, 0);
}
