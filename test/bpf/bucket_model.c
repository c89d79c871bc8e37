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

static struct backend_record record_of(const struct model *model, uint32_t handle)
{
	struct backend_record record;

	datapath_get_backend(model->scene->datapath, handle & BACKEND_INDEX_MASK, &record);
	return record;
}

static bool is_served(const struct model *model, const struct model_entry *entry)
{
	const struct backend_record record = record_of(model, entry->handle);

	return record.handle == entry->handle &&
	       (record.state == BACKEND_ACTIVE || record.state == BACKEND_DRAINING);
}

static uint32_t idle_of(const struct model_entry *entry, uint32_t now)
{
	return now - entry->last_seen;
}

static bool is_expired(const struct model *model, const struct model_entry *entry, uint32_t now)
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

bool model_is_alive(const struct model *model, const struct model_entry *entry, uint32_t now)
{
	return is_served(model, entry) && !connection_is_closed(entry->seen) &&
	       !is_expired(model, entry, now);
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

static uint64_t hash_of(const struct model *model, const struct address *client, __be16 port,
			uint8_t protocol)
{
	return hash_endpoint(model->scene->datapath->seed, client, port, protocol);
}

struct model_entry *model_choose(struct model *model, const struct model_entry *wanted,
				 uint32_t now)
{
	const uint64_t hash = hash_of(model, &wanted->client, wanted->port, wanted->protocol);
	struct model_entry *chosen = NULL;
	uint32_t chosen_idle = 0;
	enum rank best = RANK_STAYS;

	for (uint32_t turn = 0; turn < CONNECTION_WAYS; turn++) {
		struct model_entry *entry = way_of(model, hash, turn);
		enum rank rank = rank_of(model, entry, now);
		uint32_t idle = 0;

		if (rank == RANK_UNESTABLISHED || rank == RANK_ESTABLISHED)
			idle = idle_of(entry, now) / IDLE_STEP;
		if (entry->alias == wanted->alias &&
		    is_of_client(entry, &wanted->client, wanted->port, wanted->protocol))
			rank = rank_of_own(rank, &idle);
		if (rank < best || (rank == best && idle <= chosen_idle))
			continue;
		best = rank;
		chosen = entry;
		chosen_idle = idle;
	}
	return chosen;
}

bool model_claim(struct model *model, const struct model_entry *wanted, uint32_t now,
		 const struct backend_record *backend)
{
	for (uint32_t way = 0; way < CONNECTION_WAYS; way++) {
		struct model_entry *entry = &model->way[way];
		struct backend_record theirs;

		if (!is_of_client(entry, &wanted->client, wanted->port, wanted->protocol))
			continue;
		theirs = record_of(model, entry->handle);
		if ((theirs.service == backend->service && entry->alias == wanted->alias) ||
		    theirs.port != backend->port ||
		    memcmp(&theirs.address, &backend->address, sizeof(theirs.address)))
			continue;
		if (model_is_alive(model, entry, now))
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
	return record_of(model, slot_at(model, ring.offset + slot % ring.length));
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
	return packet->backend.service == service->service &&
	       (packet->backend.state == BACKEND_ACTIVE ||
		packet->backend.state == BACKEND_DRAINING) &&
	       model_claim(model, wanted, packet->now, &packet->backend);
}

/* Of the ring. DROP_COLLISION: the first one, which it cannot have without an alias. */
static void pick_present(struct model *model, const struct model_entry *wanted,
			 struct model_packet *packet, struct ring ring, uint32_t hash)
{
	const uint32_t slot = hash_slot(hash, ring.length);
	struct backend_record backend;

	packet->backend = backend_at(model, ring, slot);
	for (uint32_t i = 0; i < PICKS; i++) {
		backend = backend_at(model, ring, slot + i);
		if (!model_claim(model, wanted, packet->now, &backend))
			continue;
		packet->backend = backend;
		packet->verdict = VERDICT_REDIRECT;
		return;
	}
	packet->verdict = VERDICT_DROP_COLLISION;
}

static void pick(struct model *model, const struct model_entry *wanted, struct model_packet *packet)
{
	const struct blueprint *request = &packet->blueprint;
	const struct service_key key = {
		.address = request->dst, .port = request->dst_port, .protocol = request->protocol};
	const struct flow flow = blueprint_flow(request);
	const uint32_t hash = hash_flow(&flow);
	struct service_record service;

	assert_int_equal(datapath_find_service(model->scene->datapath, &key, &service), 0);
	packet->verdict = VERDICT_REDIRECT;
	if (pick_previous(model, wanted, packet, &service, hash))
		return;
	packet->verdict = refusal(request);
	if (service.ring.length)
		pick_present(model, wanted, packet, service.ring, hash);
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

struct model_entry *model_find(struct model *model, const struct blueprint *request, __be16 port,
			       uint8_t alias)
{
	const uint64_t hash = hash_of(model, &request->src, port, request->protocol);

	for (uint32_t turn = 0; turn < CONNECTION_WAYS; turn++) {
		struct model_entry *entry = way_of(model, hash, turn);
		const struct backend_record record = record_of(model, entry->handle);

		if (is_of_client(entry, &request->src, port, request->protocol) &&
		    entry->alias == alias && record.handle == entry->handle &&
		    record.service_port == request->dst_port)
			return entry;
	}
	return NULL;
}

bool model_starts_afresh(const struct model_packet *packet, const struct model_entry *entry)
{
	return packet->blueprint.protocol == IPPROTO_TCP && packet->blueprint.tcp_flags == SYN &&
	       entry->seen & (TCP_SEEN_REQUEST_FIN | TCP_SEEN_REPLY_FIN | TCP_SEEN_RST);
}

bool model_is_lone_end(const struct blueprint *request)
{
	return request->protocol == IPPROTO_TCP && request->tcp_flags & (FIN | RST);
}

/* An alias has an entry of its own; what is over is in nobody's way then. */
static void start_aliased(struct model *model, struct model_entry *wanted,
			  struct model_packet *packet, struct model_entry *known)
{
	const struct model_entry before = known ? *known : (struct model_entry){};

	model_start_aliased(model, wanted, packet);
	if (known && packet->verdict == VERDICT_REDIRECT && !model_is_lone_end(&packet->blueprint))
		known->used &= known->port != before.port || known->handle != before.handle;
}

static void start(struct model *model, struct model_packet *packet, struct model_entry *known)
{
	const struct blueprint *request = &packet->blueprint;
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
		start_aliased(model, &wanted, packet, known);
	else if (packet->verdict == VERDICT_REDIRECT && !model_is_lone_end(request)) {
		if (!known)
			known = model_choose(model, &wanted, packet->now);
		if (!known) {
			packet->verdict = VERDICT_DROP_TABLE;
			return;
		}
		*known = wanted;
		model_forget_aliased(model, packet);
	}
}

static bool takes_request(const struct model *model, const struct model_packet *packet,
			  const struct model_entry *entry)
{
	return entry && is_served(model, entry) && !is_expired(model, entry, packet->now) &&
	       !model_starts_afresh(packet, entry);
}

/* TCP ends with its backend, at its next packet; a SYN opens another connection. */
static bool ends_with_backend(const struct model *model, const struct model_packet *packet,
			      const struct model_entry *entry)
{
	return entry && entry->protocol == IPPROTO_TCP && packet->blueprint.tcp_flags != SYN &&
	       !is_served(model, entry) && !is_expired(model, entry, packet->now);
}

static void end(struct model_entry *entry, struct model_packet *packet)
{
	if (packet->in == POD && !(entry->seen & TCP_SEEN_RST)) {
		packet->becomes_reset = true;
		packet->verdict = VERDICT_REDIRECT;
		memcpy(packet->blueprint.to_mac, &entry->hop, ETH_ALEN);
	} else {
		packet->verdict = packet->blueprint.tcp_flags & RST ? VERDICT_DROP_BACKEND_GONE
								    : VERDICT_ANSWER_RESET;
	}
	entry->seen |= TCP_SEEN_RST;
	entry->last_seen = packet->now;
}

void model_request(struct model *model, struct model_packet *packet)
{
	const struct blueprint *request = &packet->blueprint;
	struct model_entry *known = model_find(model, request, request->src_port, 0);
	struct model_entry *entry = known;

	packet->client_port = request->src_port;
	if (!takes_request(model, packet, entry) && !ends_with_backend(model, packet, entry))
		entry = model_find_aliased(model, packet);
	if (ends_with_backend(model, packet, entry)) {
		end(entry, packet);
		return;
	}
	if (!takes_request(model, packet, entry)) {
		start(model, packet, known);
		return;
	}
	track(model, entry, packet, false);
	packet->client_port = entry->port;
	packet->backend = record_of(model, entry->handle);
	packet->verdict = VERDICT_REDIRECT;
}

void model_reply(struct model *model, struct model_packet *packet)
{
	const struct blueprint *reply = &packet->blueprint;
	const uint64_t hash = hash_of(model, &reply->dst, reply->dst_port, reply->protocol);

	packet->client_port = reply->dst_port;
	packet->verdict = VERDICT_PASS_NO_SERVICE;
	for (uint32_t turn = 0; turn < CONNECTION_WAYS; turn++) {
		struct model_entry *entry = way_of(model, hash, turn);

		packet->backend = record_of(model, entry->handle);
		if (!is_of_client(entry, &reply->dst, reply->dst_port, reply->protocol) ||
		    packet->backend.handle != entry->handle ||
		    memcmp(&packet->backend.address, &reply->src, sizeof(reply->src)))
			continue;
		if (is_expired(model, entry, packet->now))
			return;
		if (entry->alias)
			packet->client_port = model_other_port(model, entry->port, entry->alias);
		packet->verdict = VERDICT_DROP_BACKEND_GONE;
		if (ends_with_backend(model, packet, entry))
			end(entry, packet);
		if (!is_served(model, entry))
			return;
		track(model, entry, packet, true);
		memcpy(packet->blueprint.to_mac, &entry->hop, ETH_ALEN);
		packet->verdict = VERDICT_REDIRECT;
		return;
	}
}
