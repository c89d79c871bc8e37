/*
 * How long to wait before the next try: anything up to a bound that doubles with each failure (full
 * jitter), so that the nodes of a cluster do not come back all at once.
 */
#pragma once

#include <stdint.h>

#define KUBE_BACKOFF_FIRST_MS 500
#define KUBE_BACKOFF_MOST_MS 30000

/* Zero is: nothing has failed. */
struct kube_backoff {
	unsigned int failures; /* in a row */
};

/* Counts a failure. The milliseconds to wait: of those that are possible, `random` picks. */
unsigned int kube_backoff_fail(struct kube_backoff *backoff, uint32_t random);
void kube_backoff_reset(struct kube_backoff *backoff);

/* Any number: of the kernel, which also nodes that started together agree on by chance alone. */
uint32_t kube_random(void);
