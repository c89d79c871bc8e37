/*
 * Upkeep: a timer for each chore, none of which takes longer than a few milliseconds.
 */
#include "control/upkeep.h"

#include <inttypes.h>
#include <malloc.h>
#include <string.h>
#include "control/connections.h"
#include "control/drain.h"
#include "control/kube/local.h"
#include "control/log.h"
#include "control/wall_clock.h"

#define SETTLE_INTERVAL_MS 1000
#define DRAIN_INTERVAL_MS 1000 /* the shortest deadline lbctl gives */
#define RETRY_INTERVAL_MS 2000
#define SWEEP_INTERVAL_MS 10000
#define SWEEP_SOON_MS 2000 /* while backends wait for their last connection */
#define SWEEP_STEP_MS 10
#define EXPIRY_WAIT_MS 60000

/* Reading a large document takes a hundred times what is kept of it; the rest goes back. */
static void return_memory(struct daemon *daemon)
{
	const uint64_t changes = reconcile_changes(daemon->reconcile);

	if (changes == daemon->trimmed_at)
		return;
	daemon->trimmed_at = changes;
	malloc_trim(0);
}

/*
 * Looked at once a second, also because clocks are set; what is over before the next look has a
 * timer of its own.
 */
static void drain(void *context, uint32_t events)
{
	struct daemon *daemon = context;
	const int64_t now = wall_clock_ms();
	const int64_t next = drain_expire(daemon->reconcile, now);

	(void)events;
	if (next - now < DRAIN_INTERVAL_MS)
		loop_set_timer(daemon->drain_timer, (unsigned int)(next - now), 0);
}

static int start_drain(struct daemon *daemon)
{
	daemon->drain_timer = loop_add_timer(daemon->loop, drain, daemon);
	if (daemon->drain_timer < 0)
		return daemon->drain_timer;
	drain(daemon, 0);
	return upkeep_add_timer(daemon, drain, DRAIN_INTERVAL_MS);
}

/* And what the kernel would not take is tried again. */
static void settle(void *context, uint32_t events)
{
	struct daemon *daemon = context;

	(void)events;
	operator_catch_up(daemon->operator);
	if (!operator_is_incomplete(daemon->operator))
		deny_list_drop_orphans(daemon->deny);
	upkeep_follow_egress(daemon);
	datapath_mend(daemon->datapath);
	networks_mend(daemon->networks);
	reconcile_settle(daemon->reconcile);
	return_memory(daemon);
}

/* Once: as long as the interfaces are the same, the same is true of the packets that follow. */
static void tell_missing_metadata(struct daemon *daemon)
{
	const uint64_t missing = datapath_metadata_missing(daemon->datapath);

	if (!missing || daemon->metadata_told)
		return;
	daemon->metadata_told = true;
	log_warning("metadata-missing", "packets=%" PRIu64 " why=%s", missing,
		    log_quote("the driver has no room in front of packets, or another program has "
			      "filled it; they pass without metadata"));
}

/* What an earlier lbd has left stays until it is known that no backend needs it. */
void upkeep_follow_egress(struct daemon *daemon)
{
	const enum egress egress = daemon->options.egress;

	if (egress == EGRESS_ON || neighbours_left_to_stack(daemon->neighbours))
		interfaces_set_egress(daemon->interfaces, egress != EGRESS_OFF);
	else if (egress == EGRESS_AUTO && !neighbours_pending(daemon->neighbours))
		interfaces_set_egress(daemon->interfaces, false);
}

static void retry(void *context, uint32_t events)
{
	struct daemon *daemon = context;

	(void)events;
	interfaces_retry(daemon->interfaces);
	tell_missing_metadata(daemon);
}

/* A pass begins now and then; while it lasts, a step comes after each short pause. */
static void sweep(void *context, uint32_t events)
{
	struct daemon *daemon = context;
	int answer = connections_sweep_some(daemon);

	(void)events;
	if (answer < 0)
		log_error("sweep-failed", "reason=%s", log_quote(strerror(-answer)));
	daemon->sweep_hastened = kube_local_any_leaving(daemon->kube_local);
	loop_set_timer(daemon->sweep_timer,
		       answer > 0               ? SWEEP_STEP_MS
		       : daemon->sweep_hastened ? SWEEP_SOON_MS
						: SWEEP_INTERVAL_MS,
		       0);
}

void upkeep_hasten_sweep(struct daemon *daemon)
{
	if (daemon->sweep_hastened || daemon->sweep.bucket)
		return;
	daemon->sweep_hastened = true;
	loop_set_timer(daemon->sweep_timer, SWEEP_SOON_MS, 0);
}

static int start_sweep(struct daemon *daemon)
{
	daemon->sweep_timer = loop_add_timer(daemon->loop, sweep, daemon);
	if (daemon->sweep_timer < 0)
		return daemon->sweep_timer;
	return loop_set_timer(daemon->sweep_timer, SWEEP_INTERVAL_MS, 0);
}

/* A wait is cut, so that a clock that is set forward is noticed. */
void upkeep_expire(struct daemon *daemon)
{
	const int64_t now = wall_clock_ms();
	const int64_t next = deny_list_expire(daemon->deny, now);
	unsigned int wait = 0; /* none is to end */

	if (next != DENY_FOREVER)
		wait = next - now < EXPIRY_WAIT_MS ? (unsigned int)(next - now) : EXPIRY_WAIT_MS;
	loop_set_timer(daemon->expiry_timer, wait, 0);
}

static void expire(void *context, uint32_t events)
{
	(void)events;
	upkeep_expire(context);
}

static int start_expiry(struct daemon *daemon)
{
	daemon->expiry_timer = loop_add_timer(daemon->loop, expire, daemon);
	if (daemon->expiry_timer < 0)
		return daemon->expiry_timer;
	upkeep_expire(daemon);
	return 0;
}

int upkeep_add_timer(struct daemon *daemon, loop_handler handler, unsigned int interval_ms)
{
	int timer = loop_add_timer(daemon->loop, handler, daemon);

	return timer < 0 ? timer : loop_set_timer(timer, interval_ms, interval_ms);
}

int upkeep_start(struct daemon *daemon)
{
	int error = upkeep_add_timer(daemon, settle, SETTLE_INTERVAL_MS);

	if (!error)
		error = upkeep_add_timer(daemon, retry, RETRY_INTERVAL_MS);
	if (!error)
		error = start_sweep(daemon);
	if (!error)
		error = start_expiry(daemon);
	if (!error)
		error = start_drain(daemon);
	return error;
}
