/*
 * What an API server may send: the first byte says whether a list or a watch and in pieces of which
 * size, the rest comes. In whatever pieces it comes, the same objects are found; and a text that is
 * a list, or events, is cut as the parser of JSON sees it.
 */
#include "control/kube/stream.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "test/fuzz/fuzz.h"

struct account {
	size_t taken, skipped;
	uint64_t hash; /* of all that was taken, in order */
	json_t *objects;
};

static bool take(void *context, const char *text, size_t size)
{
	struct account *account = context;
	json_t *object = json_loadb(text, size, JSON_ALLOW_NUL, NULL);

	must(size >= 2 && text[0] == '{', "an object begins with a bracket");
	account->taken++;
	for (size_t i = 0; i < size; i++)
		account->hash = (account->hash ^ (uint8_t)text[i]) * 1099511628211u;
	json_array_append_new(account->objects, object ? object : json_null());
	return true;
}

static bool skip(void *context, const char *beginning, size_t size, const char *why)
{
	struct account *account = context;

	must(size && beginning[0] == '{' && why[0], "what is skipped began as an object");
	account->skipped++;
	return true;
}

/* Fed in such pieces; the stream is the caller's to finish. */
static int feed(struct kube_stream *stream, enum kube_stream_kind kind, const uint8_t *data,
		size_t size, size_t piece, struct account *account)
{
	const struct kube_stream_hooks hooks = {account, take, skip};
	int error = 0;

	*account = (struct account){.objects = json_array()};
	kube_stream_init(stream, kind, &hooks);
	for (size_t at = 0; !error && at < size; at += piece) {
		const size_t count = size - at < piece ? size - at : piece;
		char *copy = malloc(count);

		memcpy(copy, data + at, count);
		error = kube_stream_feed(stream, copy, count);
		free(copy);
	}
	must(!error || error == -EINVAL, "it is refused, or it is not");
	must(stream->object.room <= 2 * KUBE_OBJECT_BYTES_MAX, "memory is bounded");
	return error;
}

static size_t count_brackets(const uint8_t *data, size_t size)
{
	size_t count = 0;

	for (size_t i = 0; i < size; i++)
		count += data[i] == '{' || data[i] == '[';
	return count;
}

/* The parser's opinion of the same bytes, where it has one and nothing may have been left out. */
static void must_agree(const struct kube_stream *stream, const uint8_t *data, size_t size,
		       const struct account *account)
{
	json_t *list =
		json_loadb((const char *)data, size, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
	const json_t *items = json_object_get(list, "items");
	const char *frame;
	size_t frame_size;

	if (list && json_is_array(items) && !account->skipped) {
		must(kube_stream_is_whole(stream), "a list that is JSON is whole");
		frame = kube_stream_frame(stream, &frame_size);
		json_decref(json_loadb(frame, frame_size, JSON_ALLOW_NUL, NULL));
		if (account->taken && count_brackets(data, size) <= KUBE_OBJECT_DEPTH_MAX)
			must(json_equal(items, account->objects), "its items are those of JSON");
	}
	json_decref(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum kube_stream_kind kind;
	struct kube_stream whole, cut;
	struct account account, again;
	int error;

	if (!size)
		return 0;
	kind = data[0] & 1 ? KUBE_STREAM_LIST : KUBE_STREAM_EVENTS;
	error = feed(&whole, kind, data + 1, size - 1, size, &account);
	must(feed(&cut, kind, data + 1, size - 1, 1 + data[0] / 8, &again) == error,
	     "pieces do not matter to what is refused");
	must(account.taken == again.taken && account.hash == again.hash &&
		     account.skipped == again.skipped,
	     "nor to what is found");
	must(error || kube_stream_is_whole(&whole) == kube_stream_is_whole(&cut), "nor to its end");
	if (!error && kind == KUBE_STREAM_LIST)
		must_agree(&whole, data + 1, size - 1, &account);
	kube_stream_finish(&whole);
	kube_stream_finish(&cut);
	json_decref(account.objects);
	json_decref(again.objects);
	return 0;
}
