/*
 * Next hops of backends: which addresses are watched, and when each is resolved
 * (control/resolve.h). Work is queued and done a piece a turn of the loop, so that tens of
 * thousands of addresses never hold up the rest; changes of routes are gathered for a moment,
 * since they come in swarms.
 */
#include "control/neighbour.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utlist.h>
#include "control/log.h"
#include "control/resolve.h"
#include "control/route.h"

#define RESOLVED_PER_TURN 512
#define GATHER_MS 10    /* a tenth of what a change may take until the hook hears of it */
#define REFRESH_MS 5000 /* the kernel's own pace for managed entries: DELAY_PROBE_TIME */

struct neighbours {
	struct loop *loop;
	struct resolver resolver;
	struct netlink *events;
	struct destination *destinations;
	struct destination *queue;
	struct destination *walked; /* where the walk goes on; NULL: at the first */
	int turn;                   /* an eventfd, readable while the queue is not empty */
	int gather_timer;
	int refresh_timer;
	bool swept; /* of entries that an earlier daemon left */
	struct route_changes changes;
};

static struct destination *find_destination(const struct neighbours *neighbours,
					    const struct address *address)
{
	struct destination *destination;

	HASH_FIND(hh, neighbours->destinations, address, sizeof(*address), destination);
	return destination;
}

static void enqueue(struct neighbours *neighbours, struct destination *destination)
{
	if (destination->queued)
		return;
	if (!neighbours->queue)
		eventfd_write(neighbours->turn, 1);
	destination->queued = true;
	DL_APPEND2(neighbours->queue, destination, queue_prev, queue_next);
}

static void dequeue(struct neighbours *neighbours, struct destination *destination)
{
	eventfd_t value;

	if (!destination->queued)
		return;
	destination->queued = false;
	DL_DELETE2(neighbours->queue, destination, queue_prev, queue_next);
	if (!neighbours->queue)
		eventfd_read(neighbours->turn, &value);
}

static void take_turn(void *context, uint32_t events)
{
	struct neighbours *neighbours = context;
	struct destination *destination;

	(void)events;
	for (int i = 0; i < RESOLVED_PER_TURN && neighbours->queue; i++) {
		destination = neighbours->queue;
		dequeue(neighbours, destination);
		resolver_resolve(&neighbours->resolver, destination);
	}
}

static void take_changes(void *context, uint32_t expirations)
{
	struct neighbours *neighbours = context;
	struct destination *destination;

	(void)expirations;
	for (destination = neighbours->destinations; destination;
	     destination = destination->hh.next) {
		if (route_changes_concern(&neighbours->changes, &destination->address,
					  destination->ifindex))
			enqueue(neighbours, destination);
	}
	neighbours->changes.count = 0;
	neighbours->changes.all = false;
}

static void note_change(struct neighbours *neighbours, const struct route_change *change)
{
	if (!neighbours->changes.count && !neighbours->changes.all)
		loop_set_timer(neighbours->gather_timer, GATHER_MS, 0);
	route_changes_add(&neighbours->changes, change);
}

static void take_message(void *context, const struct nlmsghdr *message)
{
	struct neighbours *neighbours = context;
	const struct destination *destination;
	struct kernel_neighbour entry;
	struct route_change change = {.prefix.length = 128};

	if (message->nlmsg_type == RTM_NEWNEXTHOP || message->nlmsg_type == RTM_DELNEXTHOP) {
		/* Routes that use a nexthop object change with it and are not announced themselves.
		 */
		note_change(neighbours, NULL);
		return;
	}
	if (kernel_neighbour_parse(message, &entry)) {
		destination = resolver_hear(&neighbours->resolver, &entry);
		if (!destination)
			return;
		change.prefix.address = destination->address;
	} else if (!route_change_parse(message, &change)) {
		return;
	}
	if (change.ifindex)
		resolver_link_changed(&neighbours->resolver, change.ifindex);
	note_change(neighbours, &change);
}

static void hear_events(void *context, uint32_t events)
{
	struct neighbours *neighbours = context;
	int error;

	(void)events;
	error = netlink_read(neighbours->events, take_message, neighbours);
	if (!error)
		return;
	log_warning("neighbour-events-lost", "error=%s", log_quote(strerror(-error)));
	resolver_doubt(&neighbours->resolver);
	note_change(neighbours, NULL);
}

static void refresh(void *context, uint32_t expirations)
{
	struct neighbours *neighbours = context;
	struct destination *destination;

	(void)expirations;
	resolver_refresh(&neighbours->resolver);
	for (destination = neighbours->destinations; destination;
	     destination = destination->hh.next)
		if (destination->unknown)
			enqueue(neighbours, destination);
	/* Once all that is watched from the start has said which entries it needs. */
	if (!neighbours->swept && !neighbours->queue) {
		neighbour_set_sweep(&neighbours->resolver.neighbours);
		neighbours->swept = true;
	}
}

static int start_timers(struct neighbours *neighbours)
{
	neighbours->gather_timer = loop_add_timer(neighbours->loop, take_changes, neighbours);
	if (neighbours->gather_timer < 0)
		return neighbours->gather_timer;
	neighbours->refresh_timer = loop_add_timer(neighbours->loop, refresh, neighbours);
	if (neighbours->refresh_timer < 0)
		return neighbours->refresh_timer;
	return loop_set_timer(neighbours->refresh_timer, REFRESH_MS, REFRESH_MS);
}

static const uint32_t GROUPS[] = {
	RTNLGRP_NEIGH,     RTNLGRP_IPV4_ROUTE,  RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_RULE,
	RTNLGRP_IPV6_RULE, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_NEXTHOP,
};

static int start(struct neighbours *neighbours, const struct neighbour_hooks *hooks)
{
	int error;

	neighbours->turn = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (neighbours->turn < 0)
		return -errno;
	error = resolver_init(&neighbours->resolver, hooks);
	if (error)
		return error;
	neighbours->events = netlink_listen(GROUPS, sizeof(GROUPS) / sizeof(GROUPS[0]));
	if (!neighbours->events)
		return -errno;
	error = start_timers(neighbours);
	if (error)
		return error;
	error = loop_add(neighbours->loop, neighbours->turn, EPOLLIN, take_turn, neighbours);
	if (error)
		return error;
	return loop_add(neighbours->loop, netlink_fd(neighbours->events), EPOLLIN, hear_events,
			neighbours);
}

struct neighbours *neighbours_new(struct loop *loop, const struct neighbour_hooks *hooks)
{
	struct neighbours *neighbours = calloc(1, sizeof(*neighbours));
	int error;

	if (!neighbours)
		return NULL;
	neighbours->loop = loop;
	neighbours->turn = neighbours->gather_timer = neighbours->refresh_timer = -1;
	error = start(neighbours, hooks);
	if (!error)
		return neighbours;
	neighbours_free(neighbours);
	errno = -error;
	return NULL;
}

void neighbours_free(struct neighbours *neighbours)
{
	struct destination *destination, *next;

	if (!neighbours)
		return;
	HASH_ITER (hh, neighbours->destinations, destination, next) {
		HASH_DEL(neighbours->destinations, destination);
		free(destination);
	}
	resolver_finish(&neighbours->resolver);
	if (neighbours->gather_timer >= 0)
		loop_remove_timer(neighbours->loop, neighbours->gather_timer);
	if (neighbours->refresh_timer >= 0)
		loop_remove_timer(neighbours->loop, neighbours->refresh_timer);
	if (neighbours->events)
		loop_remove(neighbours->loop, netlink_fd(neighbours->events));
	netlink_close(neighbours->events);
	if (neighbours->turn >= 0) {
		loop_remove(neighbours->loop, neighbours->turn);
		close(neighbours->turn);
	}
	free(neighbours);
}

int neighbours_watch(struct neighbours *neighbours, const struct address *address, uint32_t slot,
		     const struct nexthop *known)
{
	struct destination *destination;

	if (find_destination(neighbours, address))
		return -EEXIST;
	destination = calloc(1, sizeof(*destination));
	if (!destination)
		return -ENOMEM;
	destination->address = *address;
	destination->slot = slot;
	if (known)
		destination->told = *known;
	HASH_ADD(hh, neighbours->destinations, address, sizeof(*address), destination);
	if (!destination->hh.tbl) {
		free(destination);
		return -ENOMEM;
	}
	resolver_add(&neighbours->resolver, destination);
	enqueue(neighbours, destination);
	return 0;
}

void neighbours_unwatch(struct neighbours *neighbours, const struct address *address)
{
	struct destination *destination = find_destination(neighbours, address);

	if (!destination)
		return;
	if (neighbours->walked == destination)
		neighbours->walked = destination->hh.next;
	dequeue(neighbours, destination);
	resolver_remove(&neighbours->resolver, destination);
	HASH_DEL(neighbours->destinations, destination);
	free(destination);
}

void neighbours_link_changed(struct neighbours *neighbours, uint32_t ifindex)
{
	/* Besides those that went by the interface: its own prefix is that of no address. */
	const struct route_change change = {.prefix.length = 128, .ifindex = ifindex};

	resolver_link_changed(&neighbours->resolver, ifindex);
	note_change(neighbours, &change);
}

size_t neighbours_left_to_stack(const struct neighbours *neighbours)
{
	return neighbours->resolver.left_to_stack;
}

size_t neighbours_pending(const struct neighbours *neighbours)
{
	return neighbours->resolver.pending;
}

void neighbours_walk(struct neighbours *neighbours, size_t parts, nexthop_visitor visit,
		     void *context)
{
	struct destination *destination = neighbours->walked;

	for (size_t i = HASH_COUNT(neighbours->destinations) / parts + 1; i; i--) {
		if (!destination)
			destination = neighbours->destinations;
		if (!destination)
			break;
		visit(context, destination->slot, &destination->told);
		destination = destination->hh.next;
	}
	neighbours->walked = destination;
}

void neighbours_visit(const struct neighbours *neighbours,
		      void (*visit)(void *context, const struct neighbour_entry *entry),
		      void *context)
{
	const struct destination *destination;
	struct neighbour_entry entry;

	for (destination = neighbours->destinations; destination;
	     destination = destination->hh.next) {
		resolver_describe(destination, &entry);
		visit(context, &entry);
	}
}
