/*
 * Which backend a connection gets that begins.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <string.h>
#include "include/hash.h"
#include "test/model/walk.h"

#define PICKS 16 /* slots that are tried from the first on */

/* A slot may name a backend that has just gone: the next ones are asked. */
bool is_there(const struct model_backend *backend)
{
	return backend->state == BACKEND_ACTIVE || backend->state == BACKEND_DRAINING;
}

/* The first from this slot on whose replies would be its own; NULL: none among those tried. */
static struct model_backend *pick_from(struct walk *walk, uint32_t slot,
				       struct model_backend **first)
{
	const struct model_service *service = walk->service;

	for (uint32_t i = 0; i < PICKS; i++) {
		const uint32_t at = (slot + i) % service->ring_length;
		struct model_backend *backend = &walk->model->backends[service->ring[at]];

		if (!is_there(backend))
			continue;
		if (is_free_for(walk, backend, walk->client_port, false))
			return backend;
		*first = *first ? *first : backend;
	}
	return NULL;
}

static bool is_untouched(const struct walk *walk)
{
	const struct frame *left = walk->observed->frame;

	return left->length == walk->frame->length &&
	       !memcmp(left->bytes, walk->frame->bytes, left->length);
}

/* Tags may be others in what has left. */
bool was_sent_to(const struct walk *walk, const struct model_backend *backend, __be16 *src_port)
{
	const struct frame *left = walk->observed->frame;
	const size_t network = ETHERNET_HEADER + count_tags(left) * (size_t)TAG_LENGTH;
	const size_t transport = network + walk->packet.transport - walk->packet.ip;
	const struct headers headers = {.is_ipv6 = walk->packet.is_ipv6, .ip = network};
	struct address address;
	__be16 port;

	if (left->length < transport + 4)
		return false;
	address = get_address(left, &headers, DESTINATION);
	get_bytes(left, transport, src_port, sizeof(*src_port));
	get_bytes(left, transport + 2, &port, sizeof(port));
	return port == backend->port && same_address(&address, &backend->address);
}

/*
 * Any slot would be right: the one that it must have been, by what became of the packet. *first: a
 * backend that it went to although its replies would be another's.
 */
static struct model_backend *pick_observed(struct walk *walk, struct model_backend **first)
{
	struct model_backend *blocked = NULL, *usual = pick_from(walk, 0, &blocked);
	/* Where it is for its end alone, and not because nothing of ours is left to leave as. */
	const bool is_dropped = walk->observed->action == XDP_DROP &&
				!walk->service->masquerades[network_of_source(walk)];
	bool is_free = false;
	__be16 port;

	*first = blocked;
	for (uint32_t slot = 0; slot < walk->service->ring_length; slot++) {
		struct model_backend *backend;

		blocked = NULL;
		backend = pick_from(walk, slot, &blocked);
		if (backend && was_sent_to(walk, backend, &port) && !is_untouched(walk))
			return backend;
		if (!backend && blocked && (is_dropped || was_sent_to(walk, blocked, &port))) {
			*first = blocked;
			return NULL;
		}
		is_free |= backend != usual || (!backend && blocked != *first);
	}
	/* What leaves by one may be too big by another's way, or have no port left there. */
	if (is_free)
		walk->model->is_uncertain = true;
	return usual;
}

static uint32_t hash_of(const struct walk *walk)
{
	const struct flow *flow = &walk->packet.flow;

	return walk->service->algorithm == ALGORITHM_SOURCE_HASH ? hash_client(flow)
								 : hash_flow(flow);
}

struct model_backend *pick(struct walk *walk, struct model_backend **first)
{
	struct model_service *service = walk->service;
	uint32_t slot;

	if (!service->ring_length)
		return NULL;
	if (service->algorithm == ALGORITHM_RANDOM)
		return pick_observed(walk, first);
	if (service->algorithm == ALGORITHM_ROUND_ROBIN)
		slot = (uint32_t)(service->turns++ % service->ring_length);
	else
		slot = hash_slot(hash_of(walk), service->ring_length);
	return pick_from(walk, slot, first);
}

/*
 * Of the middle of a connection that nobody remembers: where the ring before the one in use sent
 * it, if that one still serves. Chance and turns leave no trace to follow.
 */
struct model_backend *pick_previous(struct walk *walk)
{
	const struct model_service *service = walk->service;
	struct model_backend *backend;

	if (!features[FEATURE_PREVIOUS_RING] || walk->packet.protocol != IPPROTO_TCP ||
	    walk->tcp_flags & SYN || !service->previous_length ||
	    service->algorithm == ALGORITHM_RANDOM || service->algorithm == ALGORITHM_ROUND_ROBIN)
		return NULL;
	backend = &walk->model->backends[service->previous[hash_slot(hash_of(walk),
								     service->previous_length)]];
	return is_there(backend) && is_free_for(walk, backend, walk->client_port, false) ? backend
											 : NULL;
}
