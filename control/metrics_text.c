/*
 * Metrics as text: see metrics_text.h.
 */
#include "control/metrics_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const TYPES[] = {
	[METRIC_COUNTER] = "counter",
	[METRIC_GAUGE] = "gauge",
	[METRIC_HISTOGRAM] = "histogram",
};

static bool make_room(struct metrics_text *text, size_t count)
{
	size_t room = text->room ? text->room : 4096;
	char *bytes;

	while (room - text->used < count)
		room *= 2;
	if (room == text->room)
		return true;
	bytes = realloc(text->bytes, room);
	if (!bytes) {
		text->failed = true;
		return false;
	}
	text->bytes = bytes;
	text->room = room;
	return true;
}

static void append(struct metrics_text *text, const char *bytes, size_t count)
{
	if (text->failed || !make_room(text, count))
		return;
	memcpy(text->bytes + text->used, bytes, count);
	text->used += count;
}

static void append_text(struct metrics_text *text, const char *bytes)
{
	append(text, bytes, strlen(bytes));
}

static void append_escaped(struct metrics_text *text, const char *value)
{
	for (; *value; value++) {
		if (*value == '\n')
			append_text(text, "\\n");
		else if (*value == '\\' || *value == '"')
			append(text, (const char[]){'\\', *value}, 2);
		else
			append(text, *value >= ' ' && *value <= '~' ? value : "?", 1);
	}
}

static void append_labels(struct metrics_text *text, struct metric_labels labels)
{
	for (size_t i = 0; i < labels.count; i++) {
		append_text(text, i ? "," : "{");
		append_text(text, labels.items[i].name);
		append_text(text, "=\"");
		append_escaped(text, labels.items[i].value);
		append_text(text, "\"");
	}
	if (labels.count)
		append_text(text, "}");
}

/* In OpenMetrics a counter's name is without the _total that its sample has. */
static void append_name(struct metrics_text *text, const char *name, enum metric_type type)
{
	const size_t length = strlen(name), suffix = strlen("_total");
	const bool cut = text->is_open_metrics && type == METRIC_COUNTER && length > suffix;

	append(text, name, cut ? length - suffix : length);
}

void metrics_describe(struct metrics_text *text, const char *name, enum metric_type type,
		      const char *help)
{
	append_text(text, "# HELP ");
	append_name(text, name, type);
	append_text(text, " ");
	append_text(text, help);
	append_text(text, "\n# TYPE ");
	append_name(text, name, type);
	append_text(text, " ");
	append_text(text, TYPES[type]);
	append_text(text, "\n");
}

static void add_sample(struct metrics_text *text, const char *name, struct metric_labels labels,
		       const char *value)
{
	append_text(text, name);
	append_labels(text, labels);
	append_text(text, " ");
	append_text(text, value);
	append_text(text, "\n");
}

void metrics_add(struct metrics_text *text, const char *name, struct metric_labels labels,
		 uint64_t value)
{
	char number[24];

	snprintf(number, sizeof(number), "%" PRIu64, value);
	add_sample(text, name, labels, number);
}

void metrics_add_real(struct metrics_text *text, const char *name, struct metric_labels labels,
		      double value)
{
	char number[32];

	snprintf(number, sizeof(number), "%.15g", value);
	add_sample(text, name, labels, number);
}

void metrics_add_single(struct metrics_text *text, const char *name, enum metric_type type,
			const char *help, uint64_t value)
{
	metrics_describe(text, name, type, help);
	metrics_add(text, name, (struct metric_labels){}, value);
}

/* OpenMetrics wants them as floating-point numbers. */
const char *metrics_format_bound(const struct metrics_text *text, double bound, char bytes[32])
{
	snprintf(bytes, 32, "%.15g", bound);
	if (text->is_open_metrics && !strpbrk(bytes, ".e"))
		strcat(bytes, ".0");
	return bytes;
}

void metrics_end(struct metrics_text *text)
{
	if (text->is_open_metrics)
		append_text(text, "# EOF\n");
}

size_t metrics_take(struct metrics_text *text, char *bytes, size_t room)
{
	const size_t count = text->used < room ? text->used : room;

	if (!count)
		return 0;
	memcpy(bytes, text->bytes, count);
	memmove(text->bytes, text->bytes + count, text->used - count);
	text->used -= count;
	return count;
}

void metrics_text_finish(struct metrics_text *text)
{
	free(text->bytes);
	*text = (struct metrics_text){};
}
