/*
 * Counting: see proxy_metrics.h.
 */
#include "control/proxy_metrics.h"

#define SYNC_BOUNDS 15
#define FIRST_SYNC_BOUND 0.001

size_t histogram_bound_count(enum histogram_bounds bounds)
{
	return bounds == BOUNDS_SYNC ? SYNC_BOUNDS : HISTOGRAM_BUCKETS_MAX;
}

/* 0, 0.25, 0.5, each second to a minute, each 5 to two, each 30 to five. */
static double programming_bound(size_t i)
{
	if (i < 3)
		return 0.25 * (double)i;
	if (i < 62)
		return (double)(i - 2);
	if (i < 74)
		return 60 + 5 * (double)(i - 62);
	return 120 + 30 * (double)(i - 74);
}

double histogram_bound(enum histogram_bounds bounds, size_t i)
{
	return bounds == BOUNDS_SYNC ? FIRST_SYNC_BOUND * (double)(1u << i) : programming_bound(i);
}

void histogram_observe(struct histogram *histogram, enum histogram_bounds bounds, double seconds)
{
	const size_t count = histogram_bound_count(bounds);
	size_t i = 0;

	while (i < count && seconds > histogram_bound(bounds, i))
		i++;
	histogram->counts[i]++;
	histogram->sum += seconds;
}

void proxy_metrics_queued(struct proxy_metrics *metrics, enum proxy_change change, int64_t now_ms)
{
	metrics->changes[change]++;
	metrics->pending_changes[change]++;
	metrics->queued_ms = now_ms;
}

void proxy_metrics_synced(struct proxy_metrics *metrics, bool full, double seconds, int64_t now_ms)
{
	histogram_observe(&metrics->sync, BOUNDS_SYNC, seconds);
	histogram_observe(full ? &metrics->full_sync : &metrics->partial_sync, BOUNDS_SYNC,
			  seconds);
	for (int i = 0; i < _PROXY_CHANGE_COUNT; i++)
		metrics->pending_changes[i] = 0;
	metrics->synced_ms = now_ms;
}

/* A clock that is set back makes none negative. */
void proxy_metrics_programmed(struct proxy_metrics *metrics, enum proxy_family family,
			      double seconds)
{
	histogram_observe(&metrics->programming[family], BOUNDS_PROGRAMMING,
			  seconds > 0 ? seconds : 0);
}
