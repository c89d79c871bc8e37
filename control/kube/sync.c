/*
 * When the store is written: see sync.h.
 */
#include "control/kube/sync.h"

#include <errno.h>
#include <stdlib.h>
#include "control/log.h"
#include "control/wall_clock.h"

#define STEP_GROUPS 128 /* Services between two looks at whatever else there is to do */
#define SOON_MS 1
#define RETRY_MS 5000
/* Without its Node lbd knows no zone: it waits for that a moment, and no longer. */
#define NODE_WAIT_MS 3000

struct feed {
	struct kube_sync *sync;
	enum kube_kind kind;
};

struct kube_sync {
	struct kube_store *store;
	struct loop *loop;
	struct kube_sync_hooks hooks;
	struct kube_observer observer;
	struct feed feeds[_KUBE_KIND_COUNT];
	bool is_listed[_KUBE_KIND_COUNT];
	bool is_armed;   /* the timer runs */
	bool is_syncing; /* in steps */
	bool has_begun;  /* lists were complete */
	bool is_complete;
	int timer, retry_timer;
	uint64_t began_ms, ended_ms;
	int64_t queued_ms; /* of the wall clock */
	uint64_t syncs;
};

static void tell(const struct kube_sync *sync, void (*hook)(void *context))
{
	if (hook)
		hook(sync->hooks.context);
}

static void arm(struct kube_sync *sync, uint64_t delay_ms)
{
	if (sync->is_armed)
		return;
	sync->is_armed = true;
	loop_set_timer(sync->timer, delay_ms ? (unsigned int)delay_ms : SOON_MS, 0);
}

/* At once where the last time is long ago. */
static void arm_in_turn(struct kube_sync *sync)
{
	const uint64_t since = loop_now_ms() - sync->ended_ms;

	arm(sync, since < KUBE_SYNC_INTERVAL_MS ? KUBE_SYNC_INTERVAL_MS - since : SOON_MS);
}

/* Before the first lists are complete there is nothing to be late with. */
static void note_queued(void *context)
{
	struct kube_sync *sync = context;

	sync->queued_ms = wall_clock_ms();
	if (!sync->has_begun || sync->is_syncing)
		return;
	tell(sync, sync->hooks.queued);
	arm_in_turn(sync);
}

static void note_programmed(void *context, int64_t triggered_ms, bool is_ipv6)
{
	const struct kube_sync *sync = context;
	const int64_t late_ms = wall_clock_ms() - triggered_ms;

	if (sync->observer.programmed)
		sync->observer.programmed(sync->observer.context,
					  late_ms > 0 ? (double)late_ms / 1000 : 0, is_ipv6);
}

static void note_node(void *context, const struct kube_node *node)
{
	const struct kube_sync *sync = context;

	if (sync->hooks.node_changed)
		sync->hooks.node_changed(sync->hooks.context, node);
}

static void note_health(void *context)
{
	const struct kube_sync *sync = context;

	tell(sync, sync->hooks.health_changed);
}

static void finish_first(struct kube_sync *sync)
{
	struct kube_counts counts;

	sync->is_complete = true;
	kube_store_count(sync->store, &counts);
	log_info("kube-synced", "services=%zu endpointslices=%zu blocked=%zu", counts.services,
		 counts.slices, counts.blocked);
	tell(sync, sync->hooks.complete);
}

static void finish(struct kube_sync *sync)
{
	struct kube_counts counts;
	const bool is_first = !sync->is_complete;

	sync->is_syncing = false;
	sync->ended_ms = loop_now_ms();
	sync->syncs++;
	kube_store_count(sync->store, &counts);
	if (counts.blocked)
		loop_set_timer(sync->retry_timer, RETRY_MS, 0);
	if (is_first)
		finish_first(sync);
	if (sync->observer.synced)
		sync->observer.synced(sync->observer.context,
				      (double)(sync->ended_ms - sync->began_ms) / 1000, is_first);
	tell(sync, sync->hooks.synced);
}

static void run(void *context, uint32_t events)
{
	struct kube_sync *sync = context;
	int answer;

	(void)events;
	sync->is_armed = false;
	if (!sync->is_syncing)
		sync->began_ms = loop_now_ms();
	if (!sync->has_begun)
		tell(sync, sync->hooks.begin);
	sync->has_begun = sync->is_syncing = true;
	answer = kube_store_sync(sync->store, STEP_GROUPS);
	if (answer)
		arm(sync, answer > 0 ? SOON_MS : RETRY_MS); /* without memory it is no use sooner */
	else
		finish(sync);
}

static void retry(void *context, uint32_t events)
{
	struct kube_sync *sync = context;

	(void)events;
	if (kube_store_retry(sync->store))
		arm_in_turn(sync);
}

static void begin_list(void *context)
{
	const struct feed *feed = context;

	kube_store_begin(feed->sync->store, feed->kind);
}

static int put_object(void *context, const json_t *object)
{
	const struct feed *feed = context;

	return kube_store_put(feed->sync->store, feed->kind, object);
}

static int remove_object(void *context, const json_t *object)
{
	const struct feed *feed = context;

	return kube_store_remove(feed->sync->store, feed->kind, object);
}

static void end_list(void *context)
{
	const struct feed *feed = context;
	struct kube_sync *sync = feed->sync;

	kube_store_end(sync->store, feed->kind);
	sync->is_listed[feed->kind] = true;
	if (sync->has_begun || !sync->is_listed[KUBE_SERVICES] || !sync->is_listed[KUBE_SLICES])
		return;
	if (!sync->is_listed[KUBE_NODES]) {
		arm(sync, NODE_WAIT_MS);
		return;
	}
	sync->is_armed = false; /* it may have been for long */
	arm(sync, SOON_MS);
}

static int open_timers(struct kube_sync *sync)
{
	sync->timer = loop_add_timer(sync->loop, run, sync);
	sync->retry_timer = loop_add_timer(sync->loop, retry, sync);
	return sync->timer < 0 ? sync->timer : sync->retry_timer;
}

struct kube_sync *kube_sync_new(struct loop *loop, struct reconcile *reconcile, const char *node,
				const struct kube_sync_hooks *hooks)
{
	struct kube_sync *sync = calloc(1, sizeof(*sync));
	const struct kube_store_hooks store_hooks = {sync, note_queued, note_programmed, note_node,
						     note_health};
	int error;

	if (!sync)
		return NULL;
	sync->loop = loop;
	sync->hooks = *hooks;
	error = open_timers(sync);
	if (error >= 0)
		sync->store = kube_store_new(reconcile, node, &store_hooks);
	if (sync->store)
		return sync;
	kube_sync_free(sync);
	errno = error < 0 ? -error : ENOMEM;
	return NULL;
}

void kube_sync_free(struct kube_sync *sync)
{
	if (!sync)
		return;
	if (sync->timer >= 0)
		loop_remove_timer(sync->loop, sync->timer);
	if (sync->retry_timer >= 0)
		loop_remove_timer(sync->loop, sync->retry_timer);
	kube_store_free(sync->store);
	free(sync);
}

struct kube_watch_hooks kube_sync_watch_hooks(struct kube_sync *sync, enum kube_kind kind)
{
	struct feed *feed = &sync->feeds[kind];

	*feed = (struct feed){sync, kind};
	return (struct kube_watch_hooks){feed, begin_list, put_object, remove_object, end_list};
}

void kube_sync_set_rules(struct kube_sync *sync, const struct kube_rules *rules)
{
	kube_store_set_rules(sync->store, rules);
}

void kube_sync_observe(struct kube_sync *sync, const struct kube_observer *observer)
{
	sync->observer = *observer;
}

struct kube_store *kube_sync_store(struct kube_sync *sync)
{
	return sync->store;
}

void kube_sync_describe(const struct kube_sync *sync, struct kube_sync_status *status)
{
	*status = (struct kube_sync_status){
		.queued_ms = sync->queued_ms,
		.syncs = sync->syncs,
		.is_complete = sync->is_complete,
	};
	kube_store_count(sync->store, &status->counts);
}
