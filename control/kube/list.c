/*
 * Listing: page by page, each object as it comes. The list is complete with its last page; nothing
 * is known to be gone before.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "control/kube/watch_internal.h"
#include "control/log.h"

#define PAGE_OBJECTS 500

static bool take_object(void *context, const char *text, size_t size)
{
	struct kube_watch *watch = context;
	json_t *object = kube_object_parse(text, size);
	int error;

	if (!kube_object_has_name(object)) {
		json_decref(object);
		return kube_watch_reject(watch, KUBE_FAILURE_MALFORMED,
					 "the list holds what is no object of Kubernetes");
	}
	watch->listed++;
	error = watch->hooks.put(watch->hooks.context, object);
	json_decref(object);
	return error ? kube_watch_reject_memory(watch) : true;
}

/* The others are not to go without because of one. */
static bool skip_object(void *context, const char *beginning, size_t size, const char *why)
{
	struct kube_watch *watch = context;
	char name[KUBE_NAME_TEXT_MAX];

	kube_object_guess_name(beginning, size, name);
	log_warning("kube-object-skipped", "resource=%s object=%s why=%s", watch->name,
		    log_quote(name), log_quote(why));
	return true;
}

static void begin_page(void *context, long status)
{
	(void)context;
	(void)status;
}

static bool take_page(void *context, const char *bytes, size_t size)
{
	return kube_watch_feed(context, bytes, size);
}

json_t *kube_list_frame(const struct kube_watch *watch)
{
	size_t size, length;
	const char *text = kube_stream_frame(&watch->stream, &size);
	json_t *frame = kube_object_parse(text, size);
	const char *kind = json_string_value(json_object_get(frame, "kind"));

	length = kind ? strlen(kind) : 0;
	if (length >= 4 && !strcmp(kind + length - 4, "List") && kube_object_version(frame))
		return frame;
	json_decref(frame);
	return NULL;
}

static void complete(struct kube_watch *watch, const char *version)
{
	watch->resource_version = strdup(version); /* without memory it is listed once more */
	watch->objects = watch->listed;
	watch->whole = false;
	watch->lists++;
	log_info("kube-listed", "resource=%s objects=%zu version=%s ms=%llu", watch->name,
		 watch->objects, log_quote(version),
		 (unsigned long long)(loop_now_ms() - watch->began_ms));
	watch->hooks.end(watch->hooks.context);
}

static int take_frame(struct kube_watch *watch)
{
	json_t *frame = kube_list_frame(watch);
	const char *next;

	if (!frame)
		return -1;
	next = json_string_value(json_object_get(json_object_get(frame, "metadata"), "continue"));
	free(watch->next_page);
	watch->next_page = next && next[0] ? strdup(next) : NULL;
	if (!next || !next[0])
		complete(watch, kube_object_version(frame));
	json_decref(frame);
	return 0;
}

static void end_page(void *context, const struct kube_result *result)
{
	struct kube_watch *watch = context;
	const bool good = result->is_whole && result->status == KUBE_STATUS_OK;

	watch->request = NULL;
	if (good && kube_stream_is_whole(&watch->stream) && !take_frame(watch)) {
		kube_watch_go_on(watch);
		return;
	}
	if (good)
		kube_watch_reject(watch, KUBE_FAILURE_MALFORMED, "not a list");
	/* Pages go stale where a cluster changes fast; one page does not. */
	if (result->status == KUBE_STATUS_GONE)
		watch->whole = true;
	kube_watch_fail_by(watch, result);
}

static char *make_path(const struct kube_watch *watch)
{
	char *page = watch->next_page ? curl_easy_escape(NULL, watch->next_page, 0) : NULL;
	char *path = NULL, limit[32] = "";

	if (watch->next_page && !page)
		return NULL;
	if (!watch->whole)
		snprintf(limit, sizeof(limit), "limit=%d&", PAGE_OBJECTS);
	if (asprintf(&path, "%s?%s%s%s%s", watch->path, limit, page ? "continue=" : "",
		     page ? page : "", page ? "&" : "") < 0)
		path = NULL;
	curl_free(page);
	return path;
}

/* The selectors come last, as they are. */
static char *make_whole_path(const struct kube_watch *watch)
{
	char *front = make_path(watch), *path = NULL;

	if (front && asprintf(&path, "%s%s", front, watch->query) < 0)
		path = NULL;
	free(front);
	return path;
}

void kube_list_begin(struct kube_watch *watch)
{
	const struct kube_stream_hooks stream_hooks = {watch, take_object, skip_object};
	const struct kube_request_hooks hooks = {watch, begin_page, take_page, end_page};
	char *path = make_whole_path(watch);

	watch->state = KUBE_LISTING;
	if (!watch->next_page) {
		watch->listed = 0;
		watch->began_ms = loop_now_ms();
		watch->hooks.begin(watch->hooks.context);
	}
	kube_stream_init(&watch->stream, KUBE_STREAM_LIST, &stream_hooks);
	kube_watch_ask(watch, path, KUBE_LIST_SECONDS, false, &hooks);
}
