/*
 * Taking over from netfilter, and handing over to it: see takeover.h.
 *
 *   1. Before the first interface is attached, or the first services of a cluster are there,
 * packets of services that are of no connection we know are left to the stack.
 *   2. Once all are there SYNs begin connections of ours. What netfilter has by then is put into
 * our table, and from then on others than TCP begin here, too.
 *      Replies go on by netfilter until a request has shown us their way: it would take what we
 *      make of them for another connection's, and drop them.
 *   3. Every few seconds what we hold is forgotten by netfilter: not at once, since packets that
 *      came before may still be on their way to it. While it holds connections of our services that
 *      we cannot take, TCP packets of unknown connections are left to the stack.
 */
#include "control/takeover.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "control/conntrack.h"
#include "control/log.h"
#include "include/connection.h"

#define ROUND_MS 5000
#define COUNT_PATH "/proc/sys/net/netfilter/nf_conntrack_count"

/* What a look at netfilter's table has found of our services. */
struct round {
	struct daemon *daemon;
	struct tracked *tracked; /* beside `taken` */
	struct taken *taken;
	size_t count, capacity;
	size_t left; /* alive, and cannot be taken */
	bool failed; /* out of memory */
};

/* Whether netfilter tracks anything; where it is not there nobody pays for it. */
static bool has_tracked(void)
{
	char text[16] = "";
	int fd = open(COUNT_PATH, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	return length > 0 && strcmp(text, "0\n");
}

static bool grow(struct round *round)
{
	const size_t capacity = round->capacity ? 2 * round->capacity : 256;
	struct tracked *tracked = reallocarray(round->tracked, capacity, sizeof(*tracked));
	struct taken *taken;

	if (!tracked)
		return false;
	round->tracked = tracked;
	taken = reallocarray(round->taken, capacity, sizeof(*taken));
	if (!taken)
		return false;
	round->taken = taken;
	round->capacity = capacity;
	return true;
}

/* The index of the backend that netfilter sends it to; 0: no service of ours has that one. */
static uint32_t find_backend(const struct entry *entry, const struct tracked *tracked)
{
	const struct service *service = entry->service;

	for (size_t i = 0; i < service->backend_count; i++)
		if (service->backends[i].port == tracked->backend_port &&
		    address_equal(&service->backends[i].address, &tracked->backend_address))
			return entry->placement->places[i].backend;
	return 0;
}

/* Of a service's address: whichever of the two that may have it knows the backend. */
static uint32_t find_ours(const struct daemon *daemon, const struct tracked *tracked, bool *is_ours)
{
	struct service_key key = {.address = tracked->flow.dst,
				  .port = tracked->flow.dst_port,
				  .protocol = tracked->flow.protocol};
	uint32_t backend = 0;

	*is_ours = false;
	for (key.scope = SCOPE_ANY; !backend && key.scope < _SCOPE_COUNT; key.scope++) {
		const struct entry *entry = reconcile_find(daemon->reconcile, &key);

		*is_ours |= entry != NULL;
		backend = entry ? find_backend(entry, tracked) : 0;
	}
	return backend;
}

static void look_at(void *context, const struct tracked *tracked)
{
	struct round *round = context;
	uint32_t backend;
	bool is_ours;

	if (tracked->is_over)
		return;
	backend = find_ours(round->daemon, tracked, &is_ours);
	if (!is_ours)
		return;
	if (!backend || tracked->known_port) {
		round->left += tracked->flow.protocol == IPPROTO_TCP;
		return;
	}
	if (round->count == round->capacity && !grow(round)) {
		round->failed = true;
		return;
	}
	round->tracked[round->count] = *tracked;
	round->taken[round->count++] = (struct taken){.client = tracked->flow.src,
						      .client_port = tracked->flow.src_port,
						      .seen = tracked->seen,
						      .backend = backend};
}

static void finish(struct round *round)
{
	free(round->tracked);
	free(round->taken);
}

/* Looks, and takes what can be taken. 0 or -errno. */
static int take(struct round *round)
{
	int error = conntrack_visit(round->daemon->conntrack, look_at, round);

	if (!error && round->failed)
		error = -ENOMEM;
	if (!error)
		error = datapath_take_connections(round->daemon->datapath, round->taken,
						  round->count);
	return error;
}

/* What netfilter does not know any more it cannot send elsewhere. */
static size_t count_taken(struct round *round)
{
	size_t taken = 0;

	for (size_t i = 0; i < round->count; i++) {
		const int answer = round->taken[i].answer;

		taken += !answer;
		round->left += answer == TAKEN_IS_IN_THE_WAY || answer == -ENOSPC;
	}
	return taken;
}

static void forget_held(const struct round *round)
{
	for (size_t i = 0; i < round->count; i++)
		if (round->taken[i].answer == TAKEN_IS_THERE)
			conntrack_forget(round->daemon->conntrack, &round->tracked[i]);
}

static void tell_left(const struct round *round)
{
	if (round->left)
		log_info(
			"left-to-netfilter", "connections=%zu why=%s", round->left,
			log_quote("it changes more of them than lbd can take over; they pass to it "
				  "until they have ended"));
}

static void end(struct daemon *daemon)
{
	log_info("takeover-ended", "why=%s",
		 log_quote("netfilter has no connection of our services any more"));
	datapath_leave_unknown(daemon->datapath, 0);
	takeover_finish(daemon);
}

static void stop_rounds(struct daemon *daemon)
{
	if (daemon->takeover_timer)
		loop_remove_timer(daemon->loop, daemon->takeover_timer);
	daemon->takeover_timer = 0;
}

void takeover_finish(struct daemon *daemon)
{
	stop_rounds(daemon);
	conntrack_close(daemon->conntrack);
	daemon->conntrack = NULL;
}

static void run_round(void *context, uint32_t events)
{
	struct daemon *daemon = context;
	struct round round = {.daemon = daemon};
	size_t taken;
	int error;

	(void)events;
	/* Rather a reply that netfilter drops than one that it has forgotten how to translate. */
	datapath_leave_unknown(daemon->datapath, UNKNOWN_TCP);
	error = take(&round);
	taken = error ? 0 : count_taken(&round);
	if (!error)
		forget_held(&round);
	if (!error && !taken && !round.left)
		end(daemon);
	finish(&round);
}

static int start_rounds(struct daemon *daemon)
{
	int timer;

	if (daemon->takeover_timer)
		return 0;
	timer = loop_add_timer(daemon->loop, run_round, daemon);
	if (timer < 0)
		return timer;
	daemon->takeover_timer = timer;
	return loop_set_timer(timer, ROUND_MS, ROUND_MS);
}

void takeover_begin(struct daemon *daemon)
{
	if (!daemon->conntrack && !has_tracked())
		return;
	stop_rounds(daemon); /* what they would find now is not all there is to be */
	if (!daemon->conntrack)
		daemon->conntrack = conntrack_open();
	if (daemon->conntrack)
		datapath_leave_unknown(daemon->datapath,
				       UNKNOWN_TCP | UNKNOWN_OTHERS | UNKNOWN_SYNS);
	else
		log_warning("takeover-failed", "reason=%s", log_quote(strerror(errno)));
}

void takeover_run(struct daemon *daemon)
{
	struct round round = {.daemon = daemon};
	size_t taken;
	int error;

	if (!daemon->conntrack)
		return;
	datapath_leave_unknown(daemon->datapath, UNKNOWN_TCP | UNKNOWN_OTHERS | UNKNOWN_WAYS);
	datapath_settle(daemon->datapath);
	error = take(&round);
	if (error)
		log_warning("takeover-failed", "reason=%s", log_quote(strerror(-error)));
	taken = error ? 0 : count_taken(&round);
	if (taken)
		log_info("taken-over", "connections=%zu from=netfilter", taken);
	tell_left(&round);
	datapath_leave_unknown(daemon->datapath, UNKNOWN_TCP | UNKNOWN_WAYS);
	/* What could not be read is asked for again. */
	if ((!error && !(round.count + round.left)) || start_rounds(daemon))
		end(daemon);
	finish(&round);
}

/* ---- the other way */

struct handing_over {
	struct conntrack *conntrack;
	size_t handed, failed;
};

static bool hand_over(void *context, const struct connection_view *view)
{
	struct handing_over *over = context;
	struct tracked tracked = {
		.flow = view->flow,
		.backend_address = view->backend_address,
		.backend_port = view->backend_port,
		.known_address = view->flow.src,
		.known_port = view->alias_port,
		.seen = view->seen,
	};
	int error;

	if (view->is_expired || view->is_lost || connection_is_closed(view->seen))
		return false;
	if (view->masquerade_port) {
		tracked.known_address = view->masquerade_address;
		tracked.known_port = view->masquerade_port;
	}
	error = conntrack_add(over->conntrack, &tracked);
	over->handed += !error;
	over->failed += error && error != -EEXIST;
	return false;
}

void takeover_hand_over(struct daemon *daemon)
{
	struct handing_over over = {.conntrack = conntrack_open()};
	int error;

	if (!over.conntrack)
		return;
	/* From here on new ones are netfilter's, too, so that none is missed. */
	datapath_leave_unknown(daemon->datapath, UNKNOWN_TCP | UNKNOWN_OTHERS | UNKNOWN_SYNS);
	datapath_settle(daemon->datapath);
	error = datapath_visit_connections(daemon->datapath, hand_over, &over);
	if (error)
		log_warning("handing-over-failed", "reason=%s", log_quote(strerror(-error)));
	else
		log_info("handed-over", "connections=%zu without=%zu to=netfilter", over.handed,
			 over.failed);
	conntrack_close(over.conntrack);
}
