/*
 * The model: see bucket_model.h.
 */
#include "test/bpf/bucket_model_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/in.h>
#include <string.h>
#include "include/hash.h"

#define PICKS 16
#define IDLE_STEP 4 /* jiffies: shorter differences do not count */

enum rank {
	RANK_STAYS,
	RANK_RELUCTANT, /* of the newcomer's client, established and in use */
	RANK_ESTABLISHED,
	RANK_OWN, /* another connection of the newcomer's client, not established */
	RANK_UNESTABLISHED,
	RANK_FREE,
};

struct backend_record model_record_of(const struct model *model, uint32_t handle)
{
	struct backend_record record;

	datapath_get_backend(model->scene->datapath, handle & BACKEND_INDEX_MASK, &record);
	return record;
}

static bool is_served(const struct model *model, const struct model_entry *entry)
{
	const struct backend_record record = model_record_of(model, entry->handle);

	return record.handle == entry->handle &&
	       (record.state == BACKEND_ACTIVE || record.state == BACKEND_DRAINING);
}

bool model_is_expired(const struct model *model, const struct model_entry *entry, uint32_t now)
{
	const uint8_t fins = entry->seen & (TCP_SEEN_REQUEST_FIN | TCP_SEEN_REPLY_FIN);
	uint32_t seconds = TCP_OPENING_SECONDS;

	if (entry->protocol == IPPROTO_UDP)
		seconds = UDP_SECONDS;
	else if (entry->seen & TCP_SEEN_RST || fins == (TCP_SEEN_REQUEST_FIN | TCP_SEEN_REPLY_FIN))
		seconds = TCP_CLOSED_SECONDS;
	else if (fins)
		seconds = TCP_CLOSING_SECONDS;
	else if (entry->seen & TCP_SEEN_ESTABLISHED)
		seconds = TCP_ESTABLISHED_SECONDS;
	return idle_of(entry, now) > seconds * model->scene->datapath->jiffies_per_second;
}

static bool is_alive(const struct model *model, const struct model_entry *entry, uint32_t now)
{
	return is_served(model, entry) && !connection_is_closed(entry->seen) &&
	       !model_is_expired(model, entry, now);
}

static enum rank rank_of(const struct model *model, const struct model_entry *entry, uint32_t now)
{
	const uint32_t opening = TCP_OPENING_SECONDS * model->scene->datapath->jiffies_per_second;

	if (!entry->used)
		return RANK_FREE;
	if (!(entry->seen & TCP_SEEN_ESTABLISHED) || connection_is_closed(entry->seen))
		return RANK_UNESTABLISHED;
	return idle_of(entry, now) < opening ? RANK_STAYS : RANK_ESTABLISHED;
}

static enum rank rank_of_own(enum rank rank, uint32_t *idle)
{
	if (rank == RANK_STAYS)
		return RANK_RELUCTANT;
	if (rank != RANK_UNESTABLISHED)
		return rank;
	*idle = 0;
	return RANK_OWN;
}

static struct model_entry *way_of(struct model *model, uint64_t hash, uint32_t turn)
{
	return &model->way[((uint32_t)hash + turn) % CONNECTION_WAYS];
}

uint64_t model_hash_of(const struct model *model, const struct address *client, __be16 port,
		       uint8_t protocol)
{
	return hash_endpoint(model->scene->datapath->seed, client, port, protocol);
}

struct model_entry *model_choose(struct model *model, const struct model_entry *wanted,
				 uint32_t now)
{
	const uint64_t hash = model_hash_of(model, &wanted->client, wanted->port, wanted->protocol);
	struct model_entry *chosen = NULL;
	uint32_t chosen_idle = 0;
	enum rank best = RANK_STAYS;

	for (uint32_t turn = 0; turn < CONNECTION_WAYS; turn++) {
		struct model_entry *entry = way_of(model, hash, turn);
		enum rank rank = rank_of(model, entry, now);
		uint32_t idle = 0;

		if (rank == RANK_UNESTABLISHED || rank == RANK_ESTABLISHED)
			idle = idle_of(entry, now) / IDLE_STEP;
		if (is_of_client(entry, &wanted->client, wanted->port, wanted->protocol))
			rank = rank_of_own(rank, &idle);
		if (rank < best || (rank == best && idle <= chosen_idle))
			continue;
		best = rank;
		chosen = entry;
		chosen_idle = idle;
	}
	return chosen;
}

static bool is_end_of_requests(const struct model_entry *entry)
{
	return entry->alias && !(entry->alias & ALIAS_REPLY_END);
}

bool model_claim(struct model *model, const struct model_entry *wanted, uint32_t now,
		 const struct backend_record *backend)
{
	for (uint32_t way = 0; way < CONNECTION_WAYS; way++) {
		struct model_entry *entry = &model->way[way];
		struct backend_record theirs;

		if (!is_of_client(entry, &wanted->client, wanted->port, wanted->protocol) ||
		    is_end_of_requests(entry))
			continue;
		theirs = model_record_of(model, entry->handle);
		if ((theirs.service == backend->service && entry->alias == wanted->alias) ||
		    theirs.port != backend->port ||
		    memcmp(&theirs.address, &backend->address, sizeof(theirs.address)))
			continue;
		if (is_alive(model, entry, now))
			return false;
		entry->used = false;
	}
	return true;
}

static uint32_t slot_at(const struct model *model, uint32_t position)
{
	const uint32_t index = position / RING_ROW_SLOTS;
	struct ring_row row;

	assert_int_equal(
		bpf_map_lookup_elem(bpf_map__fd(model->scene->datapath->skeleton->maps.rings),
				    &index, &row),
		0);
	return row.backend[position % RING_ROW_SLOTS];
}

/* Nobody is there to send it to: its sender hears of it, unless it is a reset. */
static enum verdict refusal(const struct blueprint *request)
{
	if (request->protocol == IPPROTO_UDP)
		return VERDICT_ANSWER_UNREACHABLE;
	return request->tcp_flags & RST ? VERDICT_DROP_NO_BACKEND : VERDICT_ANSWER_RESET;
}

/* The backend in that slot of a ring, counted round. */
static struct backend_record backend_at(const struct model *model, struct ring ring, uint32_t slot)
{
	return model_record_of(model, slot_at(model, ring.offset + slot % ring.length));
}

/* Of the middle of a connection, where the ring before this one sent it, if that still serves. */
static bool pick_previous(struct model *model, const struct model_entry *wanted,
			  struct model_packet *packet, const struct service_record *service,
			  uint32_t hash)
{
	const struct blueprint *request = &packet->blueprint;

	if (request->protocol != IPPROTO_TCP || request->tcp_flags & SYN ||
	    !service->previous.length)
		return false;
	packet->backend =
		backend_at(model, service->previous, hash_slot(hash, service->previous.length));
	packet->verdict = VERDICT_REDIRECT;
	return packet->backend.service == service->service &&
	       (packet->backend.state == BACKEND_ACTIVE ||
		packet->backend.state == BACKEND_DRAINING) &&
	       model_claim(model, wanted, packet->now, &packet->backend);
}

/* DROP_COLLISION: where the first one is that it cannot have without an alias. */
static void pick(struct model *model, const struct model_entry *wanted, struct model_packet *packet)
{
	const struct blueprint *request = &packet->blueprint;
	const struct service_key key = {
		.address = request->dst, .port = request->dst_port, .protocol = request->protocol};
	const struct flow flow = blueprint_flow(request);
	const uint32_t hash = hash_flow(&flow);
	struct service_record service;
	struct backend_record backend;
	bool collides = false;
	uint32_t slot;

	assert_int_equal(datapath_find_service(model->scene->datapath, &key, &service), 0);
	if (pick_previous(model, wanted, packet, &service, hash))
		return;
	packet->verdict = refusal(request);
	if (!service.ring.length)
		return;
	slot = hash_slot(hash, service.ring.length);
	for (uint32_t i = 0; i < PICKS; i++) {
		backend = backend_at(model, service.ring, slot + i);
		if (!collides)
			packet->backend = backend;
		collides = true;
		packet->verdict = VERDICT_DROP_COLLISION;
		if (!model_claim(model, wanted, packet->now, &backend))
			continue;
		packet->backend = backend;
		packet->verdict = VERDICT_REDIRECT;
		return;
	}
}

static uint64_t hop_of(const struct model_packet *packet)
{
	struct nexthop hop = {.port = (__u16)packet->in};
	uint64_t word;

	memcpy(hop.mac, packet->blueprint.from_mac, sizeof(hop.mac));
	memcpy(&word, &hop, sizeof(word));
	return word;
}

/* A packet of a known connection: once a second at most, or when it tells something new. */
static void track(const struct model *model, struct model_entry *entry,
		  const struct model_packet *packet, bool reply)
{
	const uint8_t flags = entry->protocol == IPPROTO_TCP ? packet->blueprint.tcp_flags : 0;
	const uint64_t hop = reply ? entry->hop : hop_of(packet);
	uint8_t seen = entry->seen;

	if (reply)
		seen |= TCP_SEEN_REPLY;
	else if (seen & TCP_SEEN_REPLY && !(flags & SYN))
		seen |= TCP_SEEN_ESTABLISHED;
	if (flags & FIN)
		seen |= reply ? TCP_SEEN_REPLY_FIN : TCP_SEEN_REQUEST_FIN;
	if (flags & RST)
		seen |= TCP_SEEN_RST;
	if (seen == entry->seen && hop == entry->hop &&
	    idle_of(entry, packet->now) < model->scene->datapath->jiffies_per_second)
		return;
	entry->seen = seen;
	entry->hop = hop;
	entry->last_seen = packet->now;
}

static struct model_entry *find_request(struct model *model, const struct blueprint *request,
					uint64_t hash)
{
	for (uint32_t turn = 0; turn < CONNECTION_WAYS; turn++) {
		struct model_entry *entry = way_of(model, hash, turn);
		const struct backend_record record = model_record_of(model, entry->handle);

		if (is_of_client(entry, &request->src, request->src_port, request->protocol) &&
		    !(entry->alias & ALIAS_REPLY_END) && record.handle == entry->handle &&
		    record.service_port == request->dst_port)
			return entry;
	}
	return NULL;
}

static bool starts_afresh(const struct model_packet *packet, const struct model_entry *entry)
{
	return packet->blueprint.protocol == IPPROTO_TCP && packet->blueprint.tcp_flags == SYN &&
	       entry->seen & (TCP_SEEN_REQUEST_FIN | TCP_SEEN_REPLY_FIN | TCP_SEEN_RST);
}

bool model_is_lone_end(const struct blueprint *request)
{
	return request->protocol == IPPROTO_TCP && request->tcp_flags & (FIN | RST);
}

static bool is_same_head(const struct model_entry *a, const struct model_entry *b)
{
	return a->used == b->used && a->handle == b->handle && a->port == b->port;
}

bool model_record(struct model *model, const struct model_entry *wanted, uint32_t now,
		  struct model_entry *known, const struct model_entry *as_known)
{
	if (!known || !is_same_head(known, as_known))
		known = model_choose(model, wanted, now);
	if (known)
		*known = *wanted;
	return known;
}

static void start(struct model *model, struct model_packet *packet, struct model_entry *known)
{
	const struct blueprint *request = &packet->blueprint;
	const struct model_entry as_known = known ? *known : (struct model_entry){};
	struct model_entry wanted = {
		.used = true,
		.client = request->src,
		.port = request->src_port,
		.protocol = request->protocol,
		.last_seen = packet->now,
		.hop = hop_of(packet),
	};

	pick(model, &wanted, packet);
	wanted.handle = packet->backend.handle;
	if (packet->verdict == VERDICT_DROP_COLLISION)
		model_start_aliased(model, &wanted, packet, known, &as_known);
	else if (packet->verdict == VERDICT_REDIRECT && !model_is_lone_end(request) &&
		 !model_record(model, &wanted, packet->now, known, &as_known))
		packet->verdict = VERDICT_DROP_TABLE;
}

void model_request(struct model *model, struct model_packet *packet)
{
	const struct blueprint *request = &packet->blueprint;
	struct model_entry *entry = find_request(
		model, request,
		model_hash_of(model, &request->src, request->src_port, request->protocol));
	struct model_entry known;

	packet->client_port = request->src_port;
	if (!entry || !is_served(model, entry) || model_is_expired(model, entry, packet->now) ||
	    starts_afresh(packet, entry)) {
		if (entry && entry->alias) {
			known = model_turned(model, entry);
			model_forget_end(model, &known);
		}
		start(model, packet, entry);
		return;
	}
	track(model, entry, packet, false);
	known = *entry;
	if (known.alias && !model_track_other(model, &known, packet->now, false)) {
		start(model, packet, entry);
		return;
	}
	packet->backend = model_record_of(model, known.handle);
	if (known.alias)
		packet->client_port = model_other_port(model, known.port, known.alias);
	packet->verdict = VERDICT_REDIRECT;
}

void model_reply(struct model *model, struct model_packet *packet)
{
	const struct blueprint *reply = &packet->blueprint;
	const uint64_t hash = model_hash_of(model, &reply->dst, reply->dst_port, reply->protocol);

	packet->client_port = reply->dst_port;
	packet->verdict = VERDICT_PASS_NO_SERVICE;
	for (uint32_t turn = 0; turn < CONNECTION_WAYS; turn++) {
		struct model_entry *entry = way_of(model, hash, turn);

		packet->backend = model_record_of(model, entry->handle);
		if (!is_of_client(entry, &reply->dst, reply->dst_port, reply->protocol) ||
		    is_end_of_requests(entry) || packet->backend.handle != entry->handle ||
		    memcmp(&packet->backend.address, &reply->src, sizeof(reply->src)))
			continue;
		if (model_is_expired(model, entry, packet->now))
			return;
		packet->verdict = VERDICT_DROP_BACKEND_GONE;
		if (!is_served(model, entry))
			return;
		track(model, entry, packet, true);
		memcpy(packet->blueprint.to_mac, &entry->hop, ETH_ALEN);
		packet->verdict = VERDICT_REDIRECT;
		if (!entry->alias)
			return;
		packet->client_port = model_other_port(model, entry->port, entry->alias);
		model_track_other(model, entry, packet->now, true);
		return;
	}
}
