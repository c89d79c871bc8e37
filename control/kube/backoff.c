/*
 * Backoff: see backoff.h.
 */
#include "control/kube/backoff.h"

#include <sys/random.h>
#include <time.h>

/* Without jitter the last bound would be reached after so many failures. */
#define DOUBLINGS_MOST 16

unsigned int kube_backoff_fail(struct kube_backoff *backoff, uint32_t random)
{
	unsigned int bound = KUBE_BACKOFF_MOST_MS;

	if (backoff->failures < DOUBLINGS_MOST &&
	    KUBE_BACKOFF_FIRST_MS << backoff->failures < KUBE_BACKOFF_MOST_MS)
		bound = KUBE_BACKOFF_FIRST_MS << backoff->failures;
	if (backoff->failures < UINT32_MAX)
		backoff->failures++;
	return random % bound + 1;
}

void kube_backoff_reset(struct kube_backoff *backoff)
{
	backoff->failures = 0;
}

uint32_t kube_random(void)
{
	struct timespec now;
	uint32_t random;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) == sizeof(random))
		return random;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint32_t)now.tv_nsec * 2654435761u;
}
