/*
 * Metrics as text: both formats, what has to be escaped, and kube-proxy's buckets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "control/metrics_text.h"
#include "control/proxy_metrics.h"

#define ASSERT_TEXT(wanted) assert_text(&text, wanted)

static void assert_text(struct metrics_text *text, const char *wanted)
{
	char bytes[4096];
	size_t count = metrics_take(text, bytes, sizeof(bytes) - 1);

	bytes[count] = '\0';
	assert_string_equal(bytes, wanted);
	assert_int_equal(text->used, 0);
	metrics_text_finish(text);
}

static void a_metric_has_help_type_and_samples(void **state)
{
	const struct metric_label labels[] = {{"a", "1"}, {"b", "x y"}};
	struct metrics_text text = {};

	(void)state;
	metrics_describe(&text, "lbd_x_total", METRIC_COUNTER, "Help");
	metrics_add(&text, "lbd_x_total", (struct metric_labels){labels, 2}, UINT64_MAX);
	metrics_add(&text, "lbd_x_total", (struct metric_labels){}, 0);

	ASSERT_TEXT("# HELP lbd_x_total Help\n# TYPE lbd_x_total counter\n"
		    "lbd_x_total{a=\"1\",b=\"x y\"} 18446744073709551615\nlbd_x_total 0\n");
}

static void openmetrics_names_a_counter_without_total_and_ends(void **state)
{
	struct metrics_text text = {.is_open_metrics = true};

	(void)state;
	metrics_add_single(&text, "lbd_x_total", METRIC_COUNTER, "Help", 1);
	metrics_add_single(&text, "lbd_y", METRIC_GAUGE, "Help", 2);
	metrics_end(&text);

	ASSERT_TEXT("# HELP lbd_x Help\n# TYPE lbd_x counter\nlbd_x_total 1\n"
		    "# HELP lbd_y Help\n# TYPE lbd_y gauge\nlbd_y 2\n# EOF\n");
}

static void what_would_end_a_label_is_escaped(void **state)
{
	const struct metric_label label = {"name", "a\"b\\c\nd\xff\x01\x7f~ "};
	struct metrics_text text = {};

	(void)state;
	metrics_add(&text, "x", (struct metric_labels){&label, 1}, 1);

	ASSERT_TEXT("x{name=\"a\\\"b\\\\c\\nd???~ \"} 1\n");
}

static void a_text_is_taken_in_pieces(void **state)
{
	struct metrics_text text = {};
	char bytes[4];

	(void)state;
	metrics_add(&text, "abcdef", (struct metric_labels){}, 7);

	assert_int_equal(metrics_take(&text, bytes, 4), 4);
	assert_memory_equal(bytes, "abcd", 4);
	ASSERT_TEXT("ef 7\n");
}

static void bounds_are_numbers_as_each_format_has_them(void **state)
{
	struct metrics_text plain = {}, open = {.is_open_metrics = true};
	char bytes[32];

	(void)state;
	assert_string_equal(metrics_format_bound(&plain, 0.001, bytes), "0.001");
	assert_string_equal(metrics_format_bound(&plain, 60, bytes), "60");
	assert_string_equal(metrics_format_bound(&open, 60, bytes), "60.0");
	assert_string_equal(metrics_format_bound(&open, 16.384, bytes), "16.384");
}

static double bound(enum histogram_bounds bounds, size_t i)
{
	assert_true(i < histogram_bound_count(bounds));
	return histogram_bound(bounds, i);
}

static void assert_near(double value, double wanted)
{
	assert_true(value > wanted - 1e-9 && value < wanted + 1e-9);
}

/* The ends of each run of kube-proxy's: 0; 0.25, 0.5; 1 … 59; 60, 65 … 115; 120, 150 … 300. */
static void buckets_are_kube_proxys(void **state)
{
	static const struct {
		size_t i;
		double seconds;
	} rows[] = {
		{0, 0},   {1, 0.25}, {2, 0.5},  {3, 1},    {61, 59},  {62, 60},
		{63, 65}, {73, 115}, {74, 120}, {75, 150}, {80, 300},
	};

	(void)state;
	assert_int_equal(histogram_bound_count(BOUNDS_PROGRAMMING), 81);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_near(bound(BOUNDS_PROGRAMMING, rows[i].i), rows[i].seconds);
	assert_int_equal(histogram_bound_count(BOUNDS_SYNC), 15);
	assert_near(bound(BOUNDS_SYNC, 0), 0.001);
	assert_near(bound(BOUNDS_SYNC, 14), 16.384);
}

static void a_bound_belongs_to_its_bucket(void **state)
{
	struct histogram histogram = {};

	(void)state;
	histogram_observe(&histogram, BOUNDS_SYNC, 0.001);
	histogram_observe(&histogram, BOUNDS_SYNC, 0.0011);
	histogram_observe(&histogram, BOUNDS_SYNC, 17);

	assert_int_equal(histogram.counts[0], 1);
	assert_int_equal(histogram.counts[1], 1);
	assert_int_equal(histogram.counts[15], 1);
	assert_near(histogram.sum, 17.0021);
}

static void what_is_in_force_waits_no_more(void **state)
{
	struct proxy_metrics metrics = {};

	(void)state;
	proxy_metrics_queued(&metrics, PROXY_SERVICE, 5);
	proxy_metrics_queued(&metrics, PROXY_ENDPOINT, 6);
	proxy_metrics_queued(&metrics, PROXY_ENDPOINT, 7);
	assert_int_equal(metrics.pending_changes[PROXY_ENDPOINT], 2);
	proxy_metrics_synced(&metrics, false, 0.5, 9);

	assert_int_equal(metrics.changes[PROXY_ENDPOINT], 2);
	assert_int_equal(metrics.pending_changes[PROXY_SERVICE], 0);
	assert_int_equal(metrics.pending_changes[PROXY_ENDPOINT], 0);
	assert_int_equal(metrics.queued_ms, 7);
	assert_int_equal(metrics.synced_ms, 9);
	assert_near(metrics.partial_sync.sum, 0.5);
	assert_near(metrics.full_sync.sum, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_metric_has_help_type_and_samples),
		cmocka_unit_test(openmetrics_names_a_counter_without_total_and_ends),
		cmocka_unit_test(what_would_end_a_label_is_escaped),
		cmocka_unit_test(a_text_is_taken_in_pieces),
		cmocka_unit_test(bounds_are_numbers_as_each_format_has_them),
		cmocka_unit_test(buckets_are_kube_proxys),
		cmocka_unit_test(a_bound_belongs_to_its_bucket),
		cmocka_unit_test(what_is_in_force_waits_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
