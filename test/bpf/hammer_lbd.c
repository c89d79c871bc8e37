/*
 * What lbd does while packets are on their way: see hammer_lbd.h.
 */
#include "test/bpf/hammer_lbd.h"

#include <arpa/inet.h>
#include <time.h>
#include "test/bpf/hammer_thread.h"

#define PAUSE_NS 200000 /* packets go on */

static struct offer full_offer(uint32_t service)
{
	struct offer offer = {.algorithm = (enum algorithm)(service % _ALGORITHM_COUNT),
			      .port = (uint16_t)(SERVICE_PORT + service)};

	for (int role = 0; role < _ROLE_COUNT; role++)
		if (BACKENDS_OF[service] & 1u << role)
			offer.backends[role] = BACKEND_ACTIVE;
	return offer;
}

void hammer_lbd_offer_all(struct scene *scene)
{
	for (uint32_t service = 0; service < SERVICES; service++) {
		const struct offer offer = full_offer(service);

		scene_offer_all(scene, &offer);
	}
}

static bool is_keepers(const struct hammer_lbd *lbd, const struct connection *entry)
{
	const struct caller *caller = callers_find(lbd->callers, entry);

	return caller && caller->calling == CALLS_KEEPER;
}

/* As if nothing had been seen of some connection for a while. */
static void let_time_pass(struct hammer_lbd *lbd)
{
	static const uint32_t SECONDS[] = {TCP_CLOSED_SECONDS + 1, TCP_OPENING_SECONDS + 1,
					   UDP_SECONDS + 1, TCP_ESTABLISHED_SECONDS + 1};
	const uint32_t entries = lbd->callers->buckets * CONNECTION_WAYS;
	struct connection *entry = lbd->scene->connections.memory;
	union connection_state state, old;

	entry += chance_below(&lbd->chance, entries);
	old.word = __atomic_load_n(&entry->state.word, __ATOMIC_RELAXED);
	state = old;
	state.last_seen -=
		SECONDS[chance_below(&lbd->chance, 4)] * lbd->scene->datapath->jiffies_per_second;
	if (!is_keepers(lbd, entry))
		__atomic_compare_exchange_n(&entry->state.word, &old.word, state.word, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* Indexes are given to others once no packet looks at them, as reconcile does it. */
static void change_backends(struct hammer_lbd *lbd)
{
	const uint32_t service = chance_below(&lbd->chance, SERVICES);
	const struct kind *kind = &KINDS[chance_below(&lbd->chance, KIND_COUNT)];
	struct offer offer = full_offer(service);

	for (int role = 0; role < _ROLE_COUNT; role++)
		if (offer.backends[role])
			offer.backends[role] =
				service == KEEPER_SERVICE
					? BACKEND_ACTIVE + chance_below(&lbd->chance, 2)
					: chance_below(&lbd->chance, _BACKEND_STATE_COUNT);
	datapath_settle(lbd->scene->datapath);
	scene_offer(lbd->scene, kind, &offer);
}

static void withdraw(struct hammer_lbd *lbd)
{
	const struct kind *kind = &KINDS[chance_below(&lbd->chance, KIND_COUNT)];
	const struct offer offer = full_offer(FIRST_SERVICE);

	datapath_settle(lbd->scene->datapath);
	scene_withdraw(lbd->scene, kind);
	datapath_settle(lbd->scene->datapath);
	scene_offer(lbd->scene, kind, &offer);
}

static bool is_flushed(void *context, const struct connection_view *view)
{
	struct hammer_lbd *lbd = context;

	return ntohs(view->flow.dst_port) != SERVICE_PORT + KEEPER_SERVICE &&
	       chance_percent(&lbd->chance, 50);
}

static bool is_swept(void *context, const struct connection_view *view)
{
	(void)context;
	return view->is_expired || (view->is_lost && view->flow.protocol != IPPROTO_TCP);
}

static void sweep(struct hammer_lbd *lbd)
{
	if (!datapath_sweep_some(lbd->scene->datapath, &lbd->cursor, is_swept, NULL))
		datapath_settle(lbd->scene->datapath);
}

static void change(struct hammer_lbd *lbd)
{
	const uint32_t draw = chance_below(&lbd->chance, 100);

	if (draw < 8)
		change_backends(lbd);
	else if (draw < 10)
		withdraw(lbd);
	else if (draw < 14)
		datapath_visit_connections(lbd->scene->datapath, is_flushed, lbd);
	else if (draw < 60)
		sweep(lbd);
}

void hammer_lbd_act(struct hammer_lbd *lbd)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};

	nanosleep(&pause, NULL);
	let_time_pass(lbd);
	if (lbd->changes)
		change(lbd);
}
