/*
 * Cuts what an API server sends into JSON objects while it arrives, in pieces of any size: the
 * events of a watch, one after the other, or the items of a list. No more than one of them is in
 * memory, and of one that is too large only its beginning. An object is handed over as text,
 * without what is nested too deep in it; whether it is JSON is for its reader to find out.
 * An event is a line, so that one which lacks its end does not swallow those behind it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define KUBE_OBJECT_BYTES_MAX (4u << 20)
#define KUBE_OBJECT_DEPTH_MAX 64
#define KUBE_FRAME_BYTES_MAX (64u << 10) /* of a list without its items */

enum kube_stream_kind {
	KUBE_STREAM_EVENTS, /* {…}{…}… */
	KUBE_STREAM_LIST,   /* {"kind": …, "metadata": …, "items": [{…}, {…}, …]} */
};

/* false from any of them: no more is wanted, and feeding fails with -ECANCELED. */
struct kube_stream_hooks {
	void *context;
	bool (*take)(void *context, const char *text, size_t size);
	/* One that was left out, with as much of its beginning as there is, and why. */
	bool (*skip)(void *context, const char *beginning, size_t size, const char *why);
};

struct kube_buffer {
	char *bytes;
	size_t used, room;
};

/* Where in a text of JSON we are. */
struct kube_scanner {
	size_t depth; /* brackets that are open */
	bool in_string, escaped;
	bool broken; /* a string holds what none may */
};

struct kube_stream {
	enum kube_stream_kind kind;
	struct kube_stream_hooks hooks;
	struct kube_scanner scanner; /* of the object */
	struct kube_buffer object;   /* what has come of it */
	const char *why;             /* the rest of it is skipped; NULL: it is not */
	struct kube_scanner frame_scanner;
	struct kube_buffer frame;         /* of a list, without its items */
	size_t string_start;              /* of the last string in it */
	bool items_next, in_items, ended; /* of a list */
};

void kube_stream_init(struct kube_stream *stream, enum kube_stream_kind kind,
		      const struct kube_stream_hooks *hooks);
/*
 * 0, -EINVAL: this cannot be what it should be, -ECANCELED by a hook, -ENOMEM. After an error there
 * is nothing more to feed.
 */
int kube_stream_feed(struct kube_stream *stream, const char *bytes, size_t size);
/* Whether it may end here: between two events, or after the list. */
bool kube_stream_is_whole(const struct kube_stream *stream);
/* A whole list with `"items": []`. */
const char *kube_stream_frame(const struct kube_stream *stream, size_t *size);
void kube_stream_finish(struct kube_stream *stream);
