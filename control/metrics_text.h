/*
 * Metrics as text, in Prometheus' format 0.0.4 or OpenMetrics 1.0.0, which differ in little.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum metric_type {
	METRIC_COUNTER, /* its name ends in _total */
	METRIC_GAUGE,
	METRIC_HISTOGRAM,
};

/* Zero is an empty text of format 0.0.4. */
struct metrics_text {
	char *bytes; /* no NUL at the end */
	size_t used, room;
	bool is_open_metrics;
	bool failed; /* out of memory: what is there is not whole */
};

struct metric_label {
	const char *name;
	const char *value; /* anything; what is not printable ASCII becomes `?` */
};

/* Labels of a sample, written once for several. */
struct metric_labels {
	const struct metric_label *items;
	size_t count;
};

/* Begins a metric; its samples follow. */
void metrics_describe(struct metrics_text *text, const char *name, enum metric_type type,
		      const char *help);
/* One sample. */
void metrics_add(struct metrics_text *text, const char *name, struct metric_labels labels,
		 uint64_t value);
void metrics_add_real(struct metrics_text *text, const char *name, struct metric_labels labels,
		      double value);
/* Both at once, for a metric without labels. */
void metrics_add_single(struct metrics_text *text, const char *name, enum metric_type type,
			const char *help, uint64_t value);
/* The bound of a bucket as a label has it. Returns `text`. */
const char *metrics_format_bound(const struct metrics_text *text, double bound, char bytes[32]);
/* What OpenMetrics ends with. */
void metrics_end(struct metrics_text *text);

/* Moves at most `room` bytes from the front to `bytes`; how many. */
size_t metrics_take(struct metrics_text *text, char *bytes, size_t room);
void metrics_text_finish(struct metrics_text *text);
