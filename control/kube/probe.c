/*
 * After a server was away, perhaps only between a cut and the next request: whether it still counts
 * from where we are. One whose storage was made anew, or from a backup, has older versions, and who
 * watches it from one that is yet to come hears of nothing until then. So a list of one object
 * tells its version first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "control/kube/watch_internal.h"

static bool pass_object(void *context, const char *text, size_t size)
{
	(void)context;
	(void)text;
	(void)size;
	return true;
}

static bool pass_skipped(void *context, const char *beginning, size_t size, const char *why)
{
	(void)why;
	return pass_object(context, beginning, size);
}

static void begin_probe(void *context, long status)
{
	(void)context;
	(void)status;
}

static bool take_probe(void *context, const char *bytes, size_t size)
{
	return kube_watch_feed(context, bytes, size);
}

/* NULL: what came is no list. */
static json_t *read_answer(const struct kube_watch *watch, const struct kube_result *result)
{
	if (!result->is_whole || result->status != KUBE_STATUS_OK ||
	    !kube_stream_is_whole(&watch->stream))
		return NULL;
	return kube_list_frame(watch);
}

static void end_probe(void *context, const struct kube_result *result)
{
	struct kube_watch *watch = context;
	json_t *frame = read_answer(watch, result);

	watch->request = NULL;
	if (frame && kube_version_compare(kube_object_version(frame), watch->resource_version) >= 0)
		watch->doubted = false;
	else if (result->is_whole && result->status == KUBE_STATUS_OK)
		kube_watch_reject(watch, KUBE_FAILURE_GONE, "the server is not where it was");
	json_decref(frame);
	if (watch->doubted)
		kube_watch_fail_by(watch, result);
	else
		kube_watch_go_on(watch);
}

void kube_probe_begin(struct kube_watch *watch)
{
	const struct kube_stream_hooks stream_hooks = {watch, pass_object, pass_skipped};
	const struct kube_request_hooks hooks = {watch, begin_probe, take_probe, end_probe};
	char *path;

	watch->state = KUBE_CONNECTING;
	kube_stream_init(&watch->stream, KUBE_STREAM_LIST, &stream_hooks);
	if (asprintf(&path, "%s?limit=1&%s", watch->path, watch->query) < 0)
		path = NULL;
	kube_watch_ask(watch, path, KUBE_LIST_SECONDS, false, &hooks);
}
