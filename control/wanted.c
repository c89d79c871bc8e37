/*
 * The interfaces of the command line and the config file: those for tc first, so that of two globs
 * theirs decides.
 */
#include "control/wanted.h"

#include <errno.h>
#include <time.h>

#define BUSY_TRIES 10
#define BUSY_PAUSE_NS 50000000

/*
 * After `rm -r` of a pin directory the kernel detaches its links a moment later (bpf_link_put
 * defers it), so an interface that is taken is asked again before it is called foreign.
 */
static int want(struct interfaces *interfaces, const char *pattern, bool by_tc,
		struct refusal *refusal)
{
	const struct timespec pause = {.tv_nsec = BUSY_PAUSE_NS};
	int error = -EBUSY;

	for (int i = 0; error == -EBUSY && i < BUSY_TRIES; i++) {
		if (i)
			nanosleep(&pause, NULL);
		error = interfaces_want(interfaces, pattern, by_tc, refusal);
	}
	return error == -EEXIST ? 0 : error;
}

static int want_all(struct interfaces *interfaces, const struct text_list *patterns, bool by_tc,
		    struct refusal *refusal)
{
	int error = 0;

	for (size_t i = 0; i < patterns->count && !error; i++)
		error = want(interfaces, patterns->items[i], by_tc, refusal);
	return error;
}

int wanted_attach(struct interfaces *interfaces, const struct options *options,
		  struct refusal *refusal)
{
	const int error = want_all(interfaces, &options->tc_interfaces, true, refusal);

	return error ? error : want_all(interfaces, &options->interfaces, false, refusal);
}
