/*
 * Masquerading: towards a backend elsewhere a client's address becomes one of this node's, and its
 * port one that is its connection's alone there, for as long as that lives. Which of the free ports
 * that is is the datapath's choice, but for a client's own: that stays where it may.
 *
 * What is known of it is beside the connection, and may outlive it for a while: a claim. It is the
 * reply's end that must be nobody else's: a backend, and a port of ours that it answers to.
 */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <linux/in.h>
#include <string.h>
#include "test/model/walk.h"

static bool same_flow(const struct flow *a, const struct flow *b)
{
	return same_address(&a->src, &b->src) && same_address(&a->dst, &b->dst) &&
	       a->src_port == b->src_port && a->dst_port == b->dst_port &&
	       a->protocol == b->protocol;
}

static struct model_claim *find_claim(struct model *model, const struct flow *request)
{
	for (uint32_t i = 0; i < model->claim_count; i++)
		if (!model->claims[i].is_alone && same_flow(&model->claims[i].request, request))
			return &model->claims[i];
	return NULL;
}

struct model_claim *find_claim_of_reply(struct model *model, const struct flow *reply)
{
	for (uint32_t i = 0; i < model->claim_count; i++)
		if (same_flow(&model->claims[i].reply, reply))
			return &model->claims[i];
	return NULL;
}

static uint32_t index_of(const struct walk *walk, const struct model_backend *backend)
{
	return (uint32_t)(backend - walk->model->backends);
}

bool is_to_be_masqueraded(const struct walk *walk, const struct model_backend *backend)
{
	return walk->service && walk->service->masquerades[network_of_source(walk)] &&
	       backend->is_remote;
}

/* What nobody asks for a choice: its elements of before say it. */
static struct model_claim *claim_of(const struct walk *walk)
{
	struct model_claim *claim = find_claim(walk->model, &walk->packet.flow);

	return claim && claim->backend == index_of(walk, walk->backend) ? claim : NULL;
}

/* The entry of the connection that a packet goes on with is gone, but not what it is known by. */
static bool goes_on_without_entry(const struct walk *walk)
{
	return walk->packet.protocol == IPPROTO_TCP && !(walk->tcp_flags & SYN) &&
	       (!walk->old || walk->old->alias) &&
	       walk->service->masquerades[network_of_source(walk)];
}

struct model_backend *masqueraded_backend(const struct walk *walk, uint32_t lost)
{
	const struct model_claim *claim = find_claim(walk->model, &walk->packet.flow);
	uint32_t index = lost;
	struct model_backend *backend;

	if (claim && goes_on_without_entry(walk))
		index = claim->backend;
	if (index == MODEL_NONE)
		return NULL;
	backend = &walk->model->backends[index];
	return is_there(backend) && !memcmp(&backend->service, &walk->service->key,
					    sizeof(backend->service))
		       ? backend
		       : NULL;
}

static bool is_allowed(const struct model *model, __be16 port)
{
	const struct masquerade_ports *ports = &model->masquerade_ports;
	const uint32_t number = ntohs(port);

	return (number >= ports->first && number < ports->first + ports->count) ||
	       (number >= ports->second_first &&
		number < ports->second_first + ports->second_count);
}

/* The replies that would come to this port of ours. */
static struct flow reply_to(const struct walk *walk, const struct address *source, __be16 port)
{
	return (struct flow){
		.src = walk->backend->address,
		.dst = *source,
		.src_port = walk->backend->port,
		.dst_port = port,
		.protocol = walk->packet.flow.protocol,
	};
}

/* Nobody's, or what is left of this very connection. */
static bool is_free(const struct walk *walk, const struct address *source, __be16 port)
{
	const struct flow *request = &walk->packet.flow, reply = reply_to(walk, source, port);
	const struct model_claim *claim = find_claim_of_reply(walk->model, &reply);

	if (same_flow(&reply, request))
		return false; /* a client that is the backend, at our address */
	return !claim || (claim->backend == index_of(walk, walk->backend) &&
			  same_flow(&claim->request, request));
}

static __be16 first_free(const struct walk *walk, const struct address *source)
{
	for (uint32_t number = 1; number < UINT16_MAX; number++)
		if (is_allowed(walk->model, htons((uint16_t)number)) &&
		    is_free(walk, source, htons((uint16_t)number)))
			return htons((uint16_t)number);
	return 0;
}

/* 0: none is left. A client keeps its own where it may; of SCTP it must, and always may. */
static __be16 choose_port(const struct walk *walk, const struct address *source)
{
	const __be16 own = walk->client_port;
	const bool is_sctp = walk->packet.protocol == IPPROTO_SCTP;
	__be16 port;
	const bool is_shown = was_sent_to(walk, walk->backend, &port);

	if ((is_sctp ? own != 0 : is_allowed(walk->model, own)) && is_free(walk, source, own))
		return own;
	if (is_sctp)
		return 0;
	if (is_shown && is_allowed(walk->model, port) && is_free(walk, source, port))
		return port;
	port = first_free(walk, source);
	if (port && !is_shown &&
	    (walk->observed->action != XDP_DROP || walk->packet.part == PART_LATER))
		walk->model->is_uncertain = true; /* nothing shows which */
	return port;
}

/* Two elements each, or one: what is alone. */
static bool has_room(const struct model *model)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < model->claim_count; i++)
		used += model->claims[i].is_alone ? 1 : 2;
	return used + 2 <= model->masquerade_room;
}

static void drop_claim(struct model *model, struct model_claim *claim)
{
	*claim = model->claims[--model->claim_count];
}

/* Of this very connection, a claim that is alone. */
static bool has_left(const struct walk *walk)
{
	for (uint32_t i = 0; i < walk->model->claim_count; i++)
		if (walk->model->claims[i].is_alone &&
		    same_flow(&walk->model->claims[i].request, &walk->packet.flow))
			return true;
	return false;
}

static struct model_claim *add_claim(struct walk *walk, const struct address *source)
{
	const __be16 port = choose_port(walk, source);
	const struct flow reply = reply_to(walk, source, port);
	struct model *model = walk->model;
	struct model_claim *left = port ? find_claim_of_reply(model, &reply) : NULL;

	if (port && !left && !has_room(model) && has_left(walk))
		model->is_uncertain =
			true; /* it may have been that port that was tried, and given up */
	if (left)
		drop_claim(model, left);
	if (!port || !has_room(model))
		return NULL;
	model->claims[model->claim_count] = (struct model_claim){
		.request = walk->packet.flow,
		.reply = reply,
		.backend = index_of(walk, walk->backend),
	};
	return &model->claims[model->claim_count++];
}

/* That of the port that the packet is to leave by, else that of any. */
static const struct address *source_of(const struct walk *walk)
{
	const struct model_hop hop = hop_to(walk->model, &walk->backend->address);
	const uint32_t candidates[] = {hop.port, 0};

	for (size_t i = 0; i < 2; i++) {
		const struct masquerade_source *source = &walk->model->sources[candidates[i]];
		const struct address *address =
			walk->packet.is_ipv6 ? &source->ipv6 : &source->ipv4;

		if (address->half[0] | address->half[1])
			return address;
	}
	return NULL;
}

static void leave_as(struct walk *walk, const struct model_claim *claim)
{
	walk->client = claim->request.src;
	walk->known_as = claim->reply.dst;
	walk->client_port = claim->request.src_port;
	walk->alias = claim->reply.dst_port;
}

/* A lone end says nothing to a backend that knows no such client. */
enum verdict masquerade(struct walk *walk, bool is_remembered)
{
	const struct address *source = source_of(walk);
	struct model_claim *claim = claim_of(walk);

	if (is_remembered) {
		if (!source)
			return VERDICT_DROP_MASQUERADE;
		if (!claim || !same_address(&claim->reply.dst, source)) {
			claim = find_claim(walk->model, &walk->packet.flow);
			if (claim)
				drop_claim(walk->model, claim);
			claim = add_claim(walk, source);
		}
		if (claim)
			claim->age = 0;
	}
	if (!claim)
		return VERDICT_DROP_MASQUERADE;
	leave_as(walk, claim);
	return VERDICT_CONTINUE;
}

static struct flow request_of(const struct model *model, const struct model_connection *connection)
{
	const struct service_key *service = &model->backends[connection->backend].service;

	return (struct flow){
		.src = connection->client,
		.dst = service->address,
		.src_port = connection->client_port,
		.dst_port = service->port,
		.protocol = service->protocol,
	};
}

const struct model_claim *model_claim_of(const struct model *model,
					 const struct model_connection *connection)
{
	const struct flow request = request_of(model, connection);

	for (uint32_t i = 0; i < model->claim_count && connection->is_masqueraded; i++) {
		const struct model_claim *claim = &model->claims[i];

		if (!claim->is_alone && claim->backend == connection->backend &&
		    same_flow(&claim->request, &request))
			return claim;
	}
	return NULL;
}

bool leave_as_claimed(struct walk *walk, const struct model_connection *connection)
{
	const struct model_claim *claim = model_claim_of(walk->model, connection);

	if (claim)
		leave_as(walk, claim);
	return claim;
}

#define GRACE_SECONDS 10 /* from when a connection began, or its claim was left alone */

/* It may have none of it any more, and keeps it all the same. */
static bool is_held(const struct model *model, const struct model_claim *claim)
{
	for (uint32_t i = 0; i < model->connection_count; i++) {
		const struct model_connection *connection = &model->connections[i];
		const struct flow request = request_of(model, connection);

		if (connection->is_used && !connection->alias &&
		    connection->backend == claim->backend && !is_expired(model, connection) &&
		    same_flow(&request, &claim->request))
			return true;
	}
	return false;
}

void model_sweep_claims(struct model *model)
{
	for (uint32_t i = model->claim_count; i-- > 0;) {
		struct model_claim *claim = &model->claims[i];

		if (claim->age < GRACE_SECONDS || is_held(model, claim))
			continue;
		if (claim->is_alone) {
			drop_claim(model, claim);
			continue;
		}
		claim->is_alone = true;
		claim->age = 0;
	}
}

bool may_pass_claims(const struct model *model, uint32_t seconds)
{
	for (uint32_t i = 0; i < model->claim_count; i++)
		if (is_near(model->claims[i].age + seconds, GRACE_SECONDS))
			return false;
	return true;
}
