/*
 * The connection table as it is seen from outside the packet path. It is too large to be mapped for
 * good (it would count as lbd's memory), so a walk maps one window of it after another.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "include/connection.h"
#include "lb/datapath_internal.h"

#define WINDOW_BUCKETS 4096 /* a megabyte: whole pages, whatever their size */

int clock_read(struct datapath *datapath, uint32_t *now)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);
	int error =
		bpf_prog_test_run_opts(bpf_program__fd(datapath->skeleton->progs.clock), &options);

	if (!error)
		*now = options.retval;
	return error;
}

/* A walk over some of the table. */
struct pass {
	struct datapath *datapath;
	connection_visitor visit;
	void *context;
	uint64_t *hops_used; /* bits; NULL: not asked for */
	uint32_t now;
};

/* An entry with an alias is found by that port; who asks knows the connection by the client's. */
static void complete_port(const struct datapath *datapath, union connection_head head,
			  struct connection_view *view)
{
	struct flow *flow = &view->flow;
	const __u64 hash =
		hash_endpoint(datapath->seed, &flow->src, head.client_port, flow->protocol);
	const __u8 alias = connection_alias(head, hash);

	if (!alias)
		return;
	view->alias_port = head.client_port;
	flow->src_port = connection_other_port(datapath->seed, alias, head.client_port);
}

/* A backend's record says the rest, as long as it is the same backend's. `idle` in jiffies. */
static void complete(const struct datapath *datapath, union connection_head head, uint32_t idle,
		     struct connection_view *view)
{
	const uint32_t index = view->backend & BACKEND_INDEX_MASK;
	struct backend_record record;

	view->is_lost = true;
	if (index >= datapath_capacity_backends(datapath))
		return;
	datapath_get_backend(datapath, index, &record);
	if (record.handle != view->backend)
		return;
	view->is_lost = record.state == BACKEND_NONE;
	view->is_expired =
		connection_is_expired(&datapath->timeouts, record.protocol, view->seen, idle);
	view->flow.protocol = record.protocol;
	view->flow.dst = record.service_address;
	view->flow.dst_port = record.service_port;
	view->backend_address = record.address;
	view->backend_port = record.port;
	complete_port(datapath, head, view);
}

/* What it is masqueraded as, if it is. */
static void complete_masquerade(const struct datapath *datapath, struct connection_view *view)
{
	struct masquerade_record found;

	if (view->is_lost || !masquerades_find(datapath, &view->flow, &found) ||
	    found.backend != view->backend)
		return;
	view->is_tunnelled = !found.other.protocol;
	view->masquerade_address = found.other.dst;
	view->masquerade_port = found.other.dst_port;
}

static struct connection_view view_of(const struct pass *pass, const struct connection *connection,
				      __u64 head, __u64 word)
{
	const union connection_head owner = {.word = head};
	const union connection_state state = {.word = word};
	const uint32_t idle = connection_idle(pass->now, state.last_seen);
	struct connection_view view = {
		.flow = {.src = connection->client, .src_port = owner.client_port},
		.backend = owner.backend,
		.client_hop = state.client_hop,
		.seen = state.seen,
		.idle_seconds = idle / pass->datapath->jiffies_per_second,
	};

	complete(pass->datapath, owner, idle, &view);
	if (state.may_be_masqueraded)
		complete_masquerade(pass->datapath, &view);
	return view;
}

/*
 * As packets do it (bpf/claim.h): an entry that has got another owner since it was looked at stays,
 * and so does one that a packet has since revived.
 */
static bool remove_entry(struct connection *connection, __u64 head, __u64 state)
{
	bool is_same;

	if (!__atomic_compare_exchange_n(&connection->head.word, &head, head | HEAD_UNSETTLED,
					 false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		return false;
	is_same = __atomic_load_n(&connection->state.word, __ATOMIC_ACQUIRE) == state;
	__atomic_store_n(&connection->head.word, is_same ? 0 : head, __ATOMIC_RELEASE);
	return is_same;
}

/* A bit that means nothing: of an lbd that knew no masquerade. */
static void clear_stale_bit(struct connection *connection, __u64 word,
			    const struct connection_view *view)
{
	union connection_state fresh = {.word = word};

	if (!fresh.may_be_masqueraded || view->masquerade_port || view->is_tunnelled ||
	    view->is_lost)
		return;
	fresh.may_be_masqueraded = 0;
	__atomic_compare_exchange_n(&connection->state.word, &word, fresh.word, false,
				    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static void visit_entry(const struct pass *pass, struct connection *connection)
{
	const __u64 head = __atomic_load_n(&connection->head.word, __ATOMIC_ACQUIRE);
	const __u64 state = __atomic_load_n(&connection->state.word, __ATOMIC_ACQUIRE);
	struct connection_view view;

	if (!head || head & HEAD_UNSETTLED)
		return;
	view = view_of(pass, connection, head, state);
	if (pass->visit(pass->context, &view) && remove_entry(connection, head, state))
		return;
	if (!pass->hops_used)
		return;
	clear_stale_bit(connection, state, &view);
	pass->hops_used[view.client_hop / 64] |= 1ull << view.client_hop % 64;
}

static int visit_window(const struct pass *pass, uint32_t first)
{
	const struct bpf_map *map = pass->datapath->skeleton->maps.connections;
	const uint32_t rest = bpf_map__max_entries(map) - first;
	const uint32_t buckets = rest < WINDOW_BUCKETS ? rest : WINDOW_BUCKETS;
	const size_t size = buckets * sizeof(struct connection_bucket);
	struct connection_bucket *window =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map),
		     (off_t)(first * sizeof(struct connection_bucket)));

	if (window == MAP_FAILED)
		return -errno;
	for (uint32_t i = 0; i < buckets; i++)
		for (uint32_t way = 0; way < CONNECTION_WAYS; way++)
			visit_entry(pass, &window[i].way[way]);
	munmap(window, size);
	return 0;
}

int datapath_visit_connections(struct datapath *datapath, connection_visitor visit, void *context)
{
	const uint32_t buckets = bpf_map__max_entries(datapath->skeleton->maps.connections);
	struct pass pass = {.datapath = datapath, .visit = visit, .context = context};
	int error = clock_read(datapath, &pass.now);

	for (uint32_t first = 0; !error && first < buckets; first += WINDOW_BUCKETS)
		error = visit_window(&pass, first);
	return error;
}

/*
 * What a hop becomes at the end of a pass. One that no connection named is closing: who named it
 * meanwhile goes on with it, and nobody else gets it. If none named it in the next pass either it
 * is closed: a packet may have read its index just before. After one more it is free. Who is named
 * is as before.
 */
static struct nexthop next_state(struct nexthop hop, bool used)
{
	if (used)
		hop.port &= (__u16)~CLIENT_HOP_LEAVING;
	else if (hop.port & CLIENT_HOP_CLOSED)
		hop.word = 0;
	else if (hop.port & CLIENT_HOP_CLOSING)
		hop.port |= CLIENT_HOP_CLOSED;
	else
		hop.port |= CLIENT_HOP_CLOSING;
	return hop;
}

/* Whether it is left. Tags go before the word that says whose it is: it is free without any. */
static bool age_hop(struct way_back *way, bool used)
{
	const struct nexthop hop = {.word = __atomic_load_n(&way->hop.word, __ATOMIC_ACQUIRE)};
	struct nexthop next;

	if (!hop.word)
		return false;
	next = next_state(hop, used);
	if (!next.word)
		way->tags.word = 0;
	__atomic_store_n(&way->hop.word, next.word, __ATOMIC_RELEASE);
	return next.word;
}

static int end_pass(struct datapath *datapath, struct connection_cursor *cursor)
{
	const size_t size = CLIENT_HOPS * sizeof(struct way_back);
	struct way_back *ways = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
				     bpf_map__fd(datapath->skeleton->maps.client_hops), 0);
	uint32_t left = 0;

	if (ways == MAP_FAILED)
		return -errno;
	for (uint32_t i = 1; i < CLIENT_HOPS; i++)
		left += age_hop(&ways[i], cursor->hops_used[i / 64] >> i % 64 & 1);
	munmap(ways, size);
	*cursor = (struct connection_cursor){.hops_left = left};
	return 0;
}

int datapath_sweep_some(struct datapath *datapath, struct connection_cursor *cursor,
			connection_visitor visit, void *context)
{
	struct pass pass = {
		.datapath = datapath,
		.visit = visit,
		.context = context,
		.hops_used = cursor->hops_used,
	};
	int error = clock_read(datapath, &pass.now);

	if (!error)
		error = visit_window(&pass, cursor->bucket);
	if (error)
		return error;
	cursor->bucket += WINDOW_BUCKETS;
	if (cursor->bucket < bpf_map__max_entries(datapath->skeleton->maps.connections))
		return 1;
	return end_pass(datapath, cursor);
}
