/*
 * The cutting: see stream.h. Brackets are counted, not matched, and strings passed over: what is no
 * JSON ends somewhere as well, and is found out by whoever parses the object.
 */
#include "control/kube/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 4096
#define KEPT_ROOM 65536 /* after an object, for the next one */

static const char TOO_LARGE[] = "too large";
static const char ITEMS[] = "\"items\"";

static bool is_space(char byte)
{
	return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

static int append(struct kube_buffer *buffer, const char *bytes, size_t size)
{
	size_t room = buffer->room ? buffer->room : FIRST_ROOM;
	char *larger;

	while (room - buffer->used < size)
		room *= 2;
	if (room != buffer->room) {
		larger = realloc(buffer->bytes, room);
		if (!larger)
			return -ENOMEM;
		buffer->bytes = larger;
		buffer->room = room;
	}
	memcpy(buffer->bytes + buffer->used, bytes, size);
	buffer->used += size;
	return 0;
}

static void empty(struct kube_buffer *buffer)
{
	buffer->used = 0;
	if (buffer->room <= KEPT_ROOM)
		return;
	free(buffer->bytes);
	*buffer = (struct kube_buffer){0};
}

/* Whether the byte closes the bracket that all began with. */
static bool scan(struct kube_scanner *scanner, char byte)
{
	if (scanner->in_string) {
		if ((unsigned char)byte < ' ')
			scanner->broken = true;
		else if (scanner->escaped)
			scanner->escaped = false;
		else if (byte == '\\')
			scanner->escaped = true;
		else if (byte == '"')
			scanner->in_string = false;
		return false;
	}
	if (byte == '"')
		scanner->in_string = true;
	else if (byte == '{' || byte == '[')
		scanner->depth++;
	else if (byte == '}' || byte == ']')
		return scanner->depth && !--scanner->depth;
	return false;
}

/* From here on only its end matters, and of what has come a beginning to tell it by. */
static void skip_rest(struct kube_stream *stream, const char *why)
{
	struct kube_buffer *object = &stream->object;
	char *smaller;

	if (stream->why)
		return;
	stream->why = why;
	if (object->used <= KEPT_ROOM)
		return;
	smaller = realloc(object->bytes, KEPT_ROOM);
	if (smaller)
		*object = (struct kube_buffer){smaller, KEPT_ROOM, KEPT_ROOM};
}

static bool is_deep(const struct kube_stream *stream)
{
	return stream->scanner.depth > KUBE_OBJECT_DEPTH_MAX;
}

/*
 * How many of the bytes belong to the object and are all deep in it, or all not; *ended: it ends
 * with the last of them.
 */
static size_t scan_object(struct kube_stream *stream, const char *bytes, size_t size, bool *ended)
{
	const bool was_deep = is_deep(stream);
	size_t i = 0;

	*ended = false;
	while (i < size && !*ended && is_deep(stream) == was_deep) {
		*ended = scan(&stream->scanner, bytes[i]);
		if (bytes[i++] == '\n' && stream->kind == KUBE_STREAM_EVENTS)
			stream->scanner.broken = true;
	}
	return i;
}

/* The object is there: all of it in the last piece, or gathered from several. */
static int hand_over(struct kube_stream *stream, const char *text, size_t size)
{
	const struct kube_stream_hooks *hooks = &stream->hooks;
	const bool more = stream->why ? hooks->skip(hooks->context, text, size, stream->why)
				      : hooks->take(hooks->context, text, size);

	stream->why = NULL;
	stream->scanner = (struct kube_scanner){0};
	empty(&stream->object);
	return more ? 0 : -ECANCELED;
}

/* Of what is nested deeper the outermost brackets are left, with nothing between them. */
static int leave_depth(struct kube_stream *stream, char bracket)
{
	return stream->why ? 0 : append(&stream->object, &bracket, 1);
}

static int feed_object(struct kube_stream *stream, const char *bytes, size_t size, size_t *used)
{
	const bool was_deep = is_deep(stream);
	bool ended;
	int error = 0;

	*used = scan_object(stream, bytes, size, &ended);
	if (stream->scanner.broken)
		return -EINVAL;
	if (was_deep)
		return is_deep(stream) ? 0 : leave_depth(stream, bytes[*used - 1]);
	if (stream->object.used + *used > KUBE_OBJECT_BYTES_MAX)
		skip_rest(stream, TOO_LARGE);
	if (ended && !stream->object.used)
		return hand_over(stream, bytes, *used);
	if (!stream->why)
		error = append(&stream->object, bytes, *used);
	else if (!stream->object.used)
		error = append(&stream->object, bytes, *used < KEPT_ROOM ? *used : KEPT_ROOM);
	if (error || !ended)
		return error;
	return hand_over(stream, stream->object.bytes, stream->object.used);
}

/* Between two events, or two items. 1: an object begins with the byte. */
static int feed_between(struct kube_stream *stream, char byte)
{
	if (is_space(byte))
		return 0;
	if (byte == '{')
		return 1;
	if (stream->kind == KUBE_STREAM_LIST && byte == ',')
		return 0;
	return -EINVAL;
}

/* Whether an array that began now would be the list's items: the key in front of it is. */
static void note_key(struct kube_stream *stream, char byte, bool was_in_string)
{
	const struct kube_scanner *scanner = &stream->frame_scanner;
	const struct kube_buffer *frame = &stream->frame;

	if (!was_in_string && scanner->in_string)
		stream->string_start = frame->used - 1;
	if (scanner->depth == 1 && was_in_string && !scanner->in_string)
		stream->items_next =
			frame->used - stream->string_start == sizeof(ITEMS) - 1 &&
			!memcmp(frame->bytes + stream->string_start, ITEMS, sizeof(ITEMS) - 1);
	else if (!is_space(byte) && byte != ':')
		stream->items_next = false;
}

static int feed_frame(struct kube_stream *stream, char byte)
{
	const bool was_in_string = stream->frame_scanner.in_string;
	int error;

	if (stream->ended || (!stream->frame.used && byte != '{'))
		return is_space(byte) ? 0 : -EINVAL;
	if (stream->frame.used == KUBE_FRAME_BYTES_MAX)
		return -EINVAL;
	error = append(&stream->frame, &byte, 1);
	if (error)
		return error;
	stream->in_items = stream->items_next && byte == '[';
	stream->ended = scan(&stream->frame_scanner, byte);
	if (stream->frame_scanner.broken)
		return -EINVAL;
	note_key(stream, byte, was_in_string);
	return 0;
}

static bool is_in_object(const struct kube_stream *stream)
{
	return stream->scanner.depth;
}

static bool is_around_items(const struct kube_stream *stream, char byte)
{
	return stream->kind == KUBE_STREAM_LIST && (!stream->in_items || byte == ']');
}

int kube_stream_feed(struct kube_stream *stream, const char *bytes, size_t size)
{
	size_t used;
	int error = 0;

	for (size_t i = 0; error >= 0 && i < size; i += used) {
		used = 1;
		if (is_in_object(stream))
			error = feed_object(stream, bytes + i, size - i, &used);
		else if (is_around_items(stream, bytes[i]))
			error = feed_frame(stream, bytes[i]);
		else
			error = feed_between(stream, bytes[i]);
		if (error > 0)
			error = feed_object(stream, bytes + i, size - i, &used);
	}
	return error;
}

bool kube_stream_is_whole(const struct kube_stream *stream)
{
	return !is_in_object(stream) && (stream->kind == KUBE_STREAM_EVENTS || stream->ended);
}

const char *kube_stream_frame(const struct kube_stream *stream, size_t *size)
{
	*size = stream->frame.used;
	return stream->frame.bytes;
}

void kube_stream_init(struct kube_stream *stream, enum kube_stream_kind kind,
		      const struct kube_stream_hooks *hooks)
{
	*stream = (struct kube_stream){.kind = kind, .hooks = *hooks};
}

void kube_stream_finish(struct kube_stream *stream)
{
	free(stream->object.bytes);
	free(stream->frame.bytes);
	*stream = (struct kube_stream){0};
}
