/*
 * What kube-proxy's metrics count, as lbd's side of Kubernetes tells it: how long changes take to
 * be in force, what waits, and which services are without an endpoint here. Names, labels and
 * buckets are those of kube-proxy (its pkg/proxy/metrics, 1.33 and newer), so that dashboards and
 * alerts keep working.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum proxy_family {
	PROXY_IPV4,
	PROXY_IPV6,
	_PROXY_FAMILY_COUNT,
};

enum proxy_policy {
	PROXY_INTERNAL,
	PROXY_EXTERNAL,
	_PROXY_POLICY_COUNT,
};

enum proxy_change {
	PROXY_SERVICE,
	PROXY_ENDPOINT,
	_PROXY_CHANGE_COUNT,
};

#define HISTOGRAM_BUCKETS_MAX 81

/* The last count is of what is above all bounds. Zero is an empty one. */
struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS_MAX + 1];
	double sum; /* seconds */
};

/* How buckets are bounded. */
enum histogram_bounds {
	BOUNDS_SYNC,        /* 1 ms, doubling to 16.384 s */
	BOUNDS_PROGRAMMING, /* 0, 0.25 s … 5 minutes */
};
size_t histogram_bound_count(enum histogram_bounds bounds);
/* In seconds, of bucket i < the count. */
double histogram_bound(enum histogram_bounds bounds, size_t i);
void histogram_observe(struct histogram *histogram, enum histogram_bounds bounds, double seconds);

/* Zero is one that has counted nothing. */
struct proxy_metrics {
	struct histogram programming[_PROXY_FAMILY_COUNT];
	struct histogram sync, full_sync, partial_sync; /* both families in one go */
	uint64_t flows_removed[_PROXY_FAMILY_COUNT];    /* of UDP, their backend gone */
	uint64_t changes[_PROXY_CHANGE_COUNT];          /* heard of */
	uint64_t pending_changes[_PROXY_CHANGE_COUNT];  /* and not in force yet */
	int64_t queued_ms, synced_ms;                   /* the last, of the wall clock; 0: never */
	/* services with that policy Local, endpoints, and none of them here; as they are now */
	uint64_t no_local_endpoints[_PROXY_FAMILY_COUNT][_PROXY_POLICY_COUNT];
};

/* A change was heard of (and waits); wall_clock_ms. */
void proxy_metrics_queued(struct proxy_metrics *metrics, enum proxy_change change, int64_t now_ms);
/* All that waited is in force, after so many seconds of work; `full`: by comparing everything. */
void proxy_metrics_synced(struct proxy_metrics *metrics, bool full, double seconds, int64_t now_ms);
/* Of an endpoint slice that is in force: since its
 * endpoints.kubernetes.io/last-change-trigger-time.
 */
void proxy_metrics_programmed(struct proxy_metrics *metrics, enum proxy_family family,
			      double seconds);
