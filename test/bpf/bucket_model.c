/*
 * The model: see bucket_model.h.
 */
#include "test/bpf/bucket_model.h"

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

static bool is_alive(const struct model *model, const struct model_entry *entry, uint32_t now)
{
	return is_served(model, entry) && !connection_is_closed(entry->seen) &&
	       !is_expired(model, entry, now);
}

static bool is_of_client(const struct model_entry *entry, const struct address *client, __be16 port,
			 uint8_t protocol)
{
	return entry->used && entry->port == port && entry->protocol == protocol &&
	       !memcmp(&entry->client, client, sizeof(*client));
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

static struct model_entry *choose(struct model *model, const struct model_packet *packet,
				  uint64_t hash)
{
	const struct blueprint *request = &packet->blueprint;
	struct model_entry *chosen = NULL;
	uint32_t chosen_idle = 0;
	enum rank best = RANK_STAYS;

	for (uint32_t turn = 0; turn < CONNECTION_WAYS; turn++) {
		struct model_entry *entry = way_of(model, hash, turn);
		enum rank rank = rank_of(model, entry, packet->now);
		uint32_t idle = 0;

		if (rank == RANK_UNESTABLISHED || rank == RANK_ESTABLISHED)
			idle = idle_of(entry, packet->now) / IDLE_STEP;
		if (is_of_client(entry, &request->src, request->src_port, request->protocol))
			rank = rank_of_own(rank, &idle);
		if (rank < best || (rank == best && idle <= chosen_idle))
			continue;
		best = rank;
		chosen = entry;
		chosen_idle = idle;
	}
	return chosen;
}

/* One client port reaches a backend by one service only; what is over makes room. */
static bool claim(struct model *model, const struct model_packet *packet,
		  const struct backend_record *backend)
{
	const struct blueprint *request = &packet->blueprint;
	const uint64_t hash = hash_of(model, &request->src, request->src_port, request->protocol);

	for (uint32_t turn = 0; turn < CONNECTION_WAYS; turn++) {
		struct model_entry *entry = way_of(model, hash, turn);
		struct backend_record theirs;

		if (!is_of_client(entry, &request->src, request->src_port, request->protocol))
			continue;
		theirs = record_of(model, entry->handle);
		if (theirs.service == backend->service || theirs.port != backend->port ||
		    memcmp(&theirs.address, &backend->address, sizeof(theirs.address)))
			continue;
		if (is_alive(model, entry, packet->now))
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
static bool pick_previous(struct model *model, struct model_packet *packet,
			  const struct service_record *service, uint32_t hash)
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
	       claim(model, packet, &packet->backend);
}

static bool pick(struct model *model, struct model_packet *packet)
{
	const struct blueprint *request = &packet->blueprint;
	const struct service_key key = {
		.address = request->dst, .port = request->dst_port, .protocol = request->protocol};
	const struct flow flow = blueprint_flow(request);
	const uint32_t hash = hash_flow(&flow);
	struct service_record service;
	uint32_t slot;

	assert_int_equal(datapath_find_service(model->scene->datapath, &key, &service), 0);
	if (pick_previous(model, packet, &service, hash))
		return true;
	packet->verdict = refusal(request);
	if (!service.ring.length)
		return false;
	slot = hash_slot(hash, service.ring.length);
	for (uint32_t i = 0; i < PICKS; i++) {
		packet->backend = backend_at(model, service.ring, slot + i);
		if (claim(model, packet, &packet->backend))
			return true;
		packet->verdict = VERDICT_DROP_COLLISION;
	}
	return false;
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
		const struct backend_record record = record_of(model, entry->handle);

		if (is_of_client(entry, &request->src, request->src_port, request->protocol) &&
		    record.handle == entry->handle && record.service_port == request->dst_port)
			return entry;
	}
	return NULL;
}

static bool starts_afresh(const struct model_packet *packet, const struct model_entry *entry)
{
	return packet->blueprint.protocol == IPPROTO_TCP && packet->blueprint.tcp_flags == SYN &&
	       entry->seen & (TCP_SEEN_REQUEST_FIN | TCP_SEEN_REPLY_FIN | TCP_SEEN_RST);
}

static void start(struct model *model, struct model_packet *packet, struct model_entry *entry)
{
	const struct blueprint *request = &packet->blueprint;
	const uint64_t hash = hash_of(model, &request->src, request->src_port, request->protocol);
	const bool lone = request->protocol == IPPROTO_TCP && request->tcp_flags & (FIN | RST);

	if (!pick(model, packet))
		return;
	packet->verdict = VERDICT_REDIRECT;
	if (lone)
		return;
	if (!entry)
		entry = choose(model, packet, hash);
	if (!entry) {
		packet->verdict = VERDICT_DROP_TABLE;
		return;
	}
	*entry = (struct model_entry){
		.used = true,
		.client = request->src,
		.port = request->src_port,
		.protocol = request->protocol,
		.handle = packet->backend.handle,
		.last_seen = packet->now,
		.hop = hop_of(packet),
	};
}

/* TCP ends with its backend, at its next packet; a SYN opens another connection. */
static bool ends_with_backend(const struct model *model, const struct model_packet *packet,
			      const struct model_entry *entry)
{
	return entry->protocol == IPPROTO_TCP && packet->blueprint.tcp_flags != SYN &&
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
	struct model_entry *entry =
		find_request(model, request,
			     hash_of(model, &request->src, request->src_port, request->protocol));

	if (entry && ends_with_backend(model, packet, entry)) {
		end(entry, packet);
		return;
	}
	if (!entry || !is_served(model, entry) || is_expired(model, entry, packet->now) ||
	    starts_afresh(packet, entry)) {
		start(model, packet, entry);
		return;
	}
	track(model, entry, packet, false);
	packet->backend = record_of(model, entry->handle);
	packet->verdict = VERDICT_REDIRECT;
}

void model_reply(struct model *model, struct model_packet *packet)
{
	const struct blueprint *reply = &packet->blueprint;
	const uint64_t hash = hash_of(model, &reply->dst, reply->dst_port, reply->protocol);

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
