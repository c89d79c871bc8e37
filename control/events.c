/*
 * Events: see events.h. A turn takes so many that a flood of them holds up nobody else for long;
 * what finds no room in the ring buffer meanwhile the datapath drops and counts.
 */
#include "control/events.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>

#define EVENTS_PER_TURN 64
#define FRAGMENT_TURN_MS 5 /* while some are held */

/* By the clock that packets are stamped with. */
static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static bool has_first(void *context, const struct fragment_key *key)
{
	struct daemon *daemon = context;

	return datapath_has_first_fragment(daemon->datapath, key);
}

static int send_again(void *context, uint32_t ifindex, const void *frame, uint32_t length)
{
	struct daemon *daemon = context;

	return datapath_send_again(daemon->datapath, ifindex, frame, length);
}

static void take_fragment(void *context, const struct early_fragment *early)
{
	struct daemon *daemon = context;

	fragments_take(daemon->fragments, early, now_ns());
}

/* The timer runs only while something is held. */
static void take_events(void *context, uint32_t events)
{
	struct daemon *daemon = context;
	const bool waited = fragments_count(daemon->fragments).held;

	(void)events;
	datapath_take_events(daemon->datapath, EVENTS_PER_TURN, take_fragment, daemon);
	if (!waited && fragments_count(daemon->fragments).held)
		loop_set_timer(daemon->fragment_timer, FRAGMENT_TURN_MS, 0);
}

static void turn_fragments(void *context, uint32_t events)
{
	struct daemon *daemon = context;

	(void)events;
	if (fragments_turn(daemon->fragments, now_ns()))
		loop_set_timer(daemon->fragment_timer, FRAGMENT_TURN_MS, 0);
}

int events_start(struct daemon *daemon)
{
	const struct fragment_hooks hooks = {daemon, has_first, send_again};
	int events;

	daemon->fragments = fragments_new(&hooks);
	if (!daemon->fragments)
		return -ENOMEM;
	daemon->fragment_timer = loop_add_timer(daemon->loop, turn_fragments, daemon);
	if (daemon->fragment_timer < 0)
		return daemon->fragment_timer;
	events = datapath_open_events(daemon->datapath);
	if (events < 0)
		return events;
	return loop_add(daemon->loop, events, EPOLLIN, take_events, daemon);
}
