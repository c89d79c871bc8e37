/*
 * A connection begins: may it, and to which backend does it go?
 */
#include <linux/in.h>
#include <string.h>
#include "include/hash.h"
#include "test/model/walk.h"

#define PICKS 16 /* slots that are tried from the first on */

static bool is_martian_ipv4(const uint8_t *ipv4)
{
	/* RFC 1122, 3.2.1.3; RFC 1812, 5.3.7. */
	return ipv4[0] == 0 || ipv4[0] == 127 || ipv4[0] >= 224;
}

/* Nobody sends from it. */
bool is_martian(const struct address *address)
{
	static const uint8_t LOOPBACK[16] = {[15] = 1}, UNSPECIFIED[16] = {};
	const uint8_t *bytes = (const uint8_t *)address;

	if (is_ipv4_mapped(address))
		return is_martian_ipv4(bytes + 12);
	return bytes[0] == 0xff || !memcmp(bytes, LOOPBACK, 16) || !memcmp(bytes, UNSPECIFIED, 16);
}

static bool is_in_range(const struct model_service *service, const struct address *source)
{
	for (uint32_t i = 0; i < service->range_count; i++)
		if (prefix_holds(&service->ranges[i], source))
			return true;
	return !service->range_count;
}

/*
 * A reply is known by backend and client alone: one client's port reaches a backend by one service
 * only. What is over gives way.
 */
static bool is_free_for(struct walk *walk, const struct model_backend *backend, bool clear)
{
	const struct flow *flow = &walk->packet.flow;
	struct model *model = walk->model;

	for (uint32_t i = 0; i < model->connection_count; i++) {
		struct model_connection *other = &model->connections[i];
		const struct model_backend *theirs = &model->backends[other->backend];

		if (!other->is_used || other->client_port != flow->src_port ||
		    protocol_of(model, other) != flow->protocol ||
		    !same_address(&other->client, &flow->src) || theirs->port != backend->port ||
		    !same_address(&theirs->address, &backend->address) ||
		    !memcmp(&theirs->service, &backend->service, sizeof(theirs->service)))
			continue;
		if (!is_over(model, other))
			return false;
		if (clear)
			other->is_used = false;
	}
	return true;
}

/* A slot may name a backend that has just gone: the next ones are asked. */
static bool is_there(const struct model_backend *backend)
{
	return backend->state == BACKEND_ACTIVE || backend->state == BACKEND_DRAINING;
}

/* The first from this slot on whose replies would be its own; NULL: none among those tried. */
static struct model_backend *pick_from(struct walk *walk, uint32_t slot)
{
	const struct model_service *service = walk->service;

	for (uint32_t i = 0; i < PICKS; i++) {
		const uint32_t at = (slot + i) % service->ring_length;
		struct model_backend *backend = &walk->model->backends[service->ring[at]];

		if (is_there(backend) && is_free_for(walk, backend, false))
			return backend;
	}
	return NULL;
}

static bool is_untouched(const struct walk *walk)
{
	return walk->observed->length == walk->frame->length &&
	       !memcmp(walk->observed->bytes, walk->frame->bytes, walk->frame->length);
}

/* Whether the datapath has sent it there; NULL: it has dropped it. Its tags may be others then. */
static bool was_observed(const struct walk *walk, const struct model_backend *backend)
{
	const size_t network = ETHERNET_HEADER + count_tags(walk->observed) * (size_t)TAG_LENGTH;
	const size_t transport = network + walk->packet.transport - walk->packet.ip;
	const struct headers observed = {.is_ipv6 = walk->packet.is_ipv6, .ip = network};
	struct address address;
	__be16 port;

	if (!backend || walk->observed->length < transport + 4)
		return !backend && is_untouched(walk);
	address = get_address(walk->observed, &observed, DESTINATION);
	get_bytes(walk->observed, transport + 2, &port, sizeof(port));
	return port == backend->port && same_address(&address, &backend->address);
}

/* Any slot would be right: the one that it must have been, by what became of the packet. */
static struct model_backend *pick_observed(struct walk *walk)
{
	struct model_backend *first = pick_from(walk, 0);
	bool is_free = false;

	for (uint32_t slot = 1; slot < walk->service->ring_length; slot++) {
		struct model_backend *backend = pick_from(walk, slot);

		if (was_observed(walk, backend) && !is_untouched(walk))
			return backend;
		is_free |= backend != first;
	}
	if (is_free && is_untouched(walk))
		walk->model->is_uncertain = true;
	return first;
}

static uint32_t hash_of(const struct walk *walk)
{
	const struct flow *flow = &walk->packet.flow;

	return walk->service->algorithm == ALGORITHM_SOURCE_HASH ? hash_client(flow)
								 : hash_flow(flow);
}

static struct model_backend *pick(struct walk *walk)
{
	struct model_service *service = walk->service;
	uint32_t slot;

	if (!service->ring_length)
		return NULL;
	if (service->algorithm == ALGORITHM_RANDOM)
		return pick_observed(walk);
	if (service->algorithm == ALGORITHM_ROUND_ROBIN)
		slot = (uint32_t)(service->turns++ % service->ring_length);
	else
		slot = hash_slot(hash_of(walk), service->ring_length);
	return pick_from(walk, slot);
}

/*
 * Of the middle of a connection that nobody remembers: where the ring before the one in use sent
 * it, if that one still serves. Chance and turns leave no trace to follow.
 */
static struct model_backend *pick_previous(struct walk *walk)
{
	const struct model_service *service = walk->service;
	struct model_backend *backend;

	if (!features[FEATURE_PREVIOUS_RING] || walk->packet.protocol != IPPROTO_TCP ||
	    walk->tcp_flags & SYN || !service->previous_length ||
	    service->algorithm == ALGORITHM_RANDOM || service->algorithm == ALGORITHM_ROUND_ROBIN)
		return NULL;
	backend = &walk->model->backends[service->previous[hash_slot(hash_of(walk),
								     service->previous_length)]];
	return is_there(backend) && is_free_for(walk, backend, false) ? backend : NULL;
}

/* "Never a silent new connection state from a lone RST or FIN." */
static bool is_remembered(const struct walk *walk)
{
	return walk->packet.protocol != IPPROTO_TCP || !(walk->tcp_flags & (FIN | RST));
}

enum verdict begin_connection(struct walk *walk, struct model_connection *old)
{
	struct model_service *service = walk->service;
	const struct address *client = &walk->packet.flow.src;
	bool is_elsewhere; /* than where the client belongs: this once */

	if (is_martian(client))
		return VERDICT_DROP_MARTIAN;
	if (!is_in_range(service, client))
		return VERDICT_DROP_SOURCE_RANGE;
	walk->backend = recall_backend(walk);
	if (!walk->backend)
		walk->backend = pick_previous(walk);
	if (!service->ring_length && !walk->backend)
		return turn_away(walk, VERDICT_DROP_NO_BACKEND);
	is_elsewhere = walk->backend && !is_free_for(walk, walk->backend, false);
	if (!walk->backend || is_elsewhere)
		walk->backend = pick(walk);
	if (!walk->backend)
		return VERDICT_DROP_COLLISION;
	is_free_for(walk, walk->backend, true);
	walk->is_hairpin = same_address(client, &walk->backend->address);
	if (is_remembered(walk)) {
		walk->connection = add_connection(walk, old);
		walk->backend->traffic.connections++;
		if (!is_elsewhere)
			note_backend(walk);
	}
	return VERDICT_CONTINUE;
}
