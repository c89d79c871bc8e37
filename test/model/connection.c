/*
 * Connections: whose a packet is, and what it changes of what is remembered.
 */
#include <linux/in.h>
#include <string.h>
#include "test/model/walk.h"

#define FINS (TCP_SEEN_REQUEST_FIN | TCP_SEEN_REPLY_FIN)

bool is_served(const struct model *model, const struct model_connection *connection)
{
	const enum backend_state state = model->backends[connection->backend].state;

	return state == BACKEND_ACTIVE || state == BACKEND_DRAINING;
}

uint8_t protocol_of(const struct model *model, const struct model_connection *connection)
{
	return model->backends[connection->backend].service.protocol;
}

static bool is_closed(const struct model_connection *connection)
{
	return connection->seen & TCP_SEEN_RST || (connection->seen & FINS) == FINS;
}

static uint32_t timeout_of(const struct model *model, const struct model_connection *connection)
{
	if (protocol_of(model, connection) != IPPROTO_TCP)
		return model->timeouts.udp;
	if (is_closed(connection))
		return model->timeouts.tcp_closed;
	if (connection->seen & FINS)
		return model->timeouts.tcp_closing;
	return connection->seen & TCP_SEEN_ESTABLISHED ? model->timeouts.tcp_established
						       : model->timeouts.tcp_opening;
}

bool is_expired(const struct model *model, const struct model_connection *connection)
{
	return connection->idle > timeout_of(model, connection);
}

bool model_is_live(const struct model *model, const struct model_connection *connection)
{
	return connection->is_used && is_served(model, connection) &&
	       !is_expired(model, connection);
}

/* Its port may serve another connection. */
bool is_over(const struct model *model, const struct model_connection *connection)
{
	return !model_is_live(model, connection) || is_closed(connection);
}

bool is_near(uint32_t seconds, uint32_t timeout)
{
	return seconds + 2 > timeout && seconds < timeout + 2;
}

/* A timeout a second away could be one that has just passed, or not yet. */
bool model_may_pass(const struct model *model, uint32_t seconds)
{
	const struct timeouts *timeouts = &model->timeouts;
	const uint32_t all[] = {timeouts->tcp_opening, timeouts->tcp_established,
				timeouts->tcp_closing, timeouts->tcp_closed, timeouts->udp};

	for (uint32_t i = 0; i < model->connection_count; i++)
		for (size_t row = 0; row < sizeof(all) / sizeof(all[0]); row++)
			if (is_near(model->connections[i].idle + seconds, all[row]))
				return false;
	if (!may_pass_claims(model, seconds))
		return false;
	for (uint32_t i = 0; i < model->note_count; i++)
		if (is_near(model->notes[i].age + seconds,
			    model->services[model->notes[i].service].affinity_seconds))
			return false;
	return true;
}

void model_pass(struct model *model, uint32_t seconds)
{
	for (uint32_t i = 0; i < model->connection_count; i++)
		model->connections[i].idle += seconds;
	for (uint32_t i = 0; i < model->claim_count; i++)
		model->claims[i].age += seconds;
	for (uint32_t i = 0; i < model->note_count; i++)
		model->notes[i].age += seconds;
}

__be16 backend_side_port(const struct model_connection *connection)
{
	return connection->alias ? connection->alias : connection->client_port;
}

static bool is_of_client(const struct model *model, const struct model_connection *connection,
			 const struct address *client, uint8_t protocol)
{
	return connection->is_used && protocol_of(model, connection) == protocol &&
	       same_address(&connection->client, client);
}

static struct model_connection *find_by_service(struct model *model, const struct flow *flow)
{
	for (uint32_t i = 0; i < model->connection_count; i++) {
		struct model_connection *connection = &model->connections[i];
		const struct service_key *key = &model->backends[connection->backend].service;

		if (is_of_client(model, connection, &flow->src, flow->protocol) &&
		    connection->client_port == flow->src_port && key->port == flow->dst_port &&
		    same_address(&key->address, &flow->dst))
			return connection;
	}
	return NULL;
}

/*
 * What comes to a client's own end. Not of one that is masqueraded; of one of which it is not known
 * as what, only where there is no other.
 */
static struct model_connection *find_by_backend(struct model *model, const struct flow *flow,
						const struct address *client)
{
	struct model_connection *lost = NULL;

	for (uint32_t i = 0; i < model->connection_count; i++) {
		struct model_connection *connection = &model->connections[i];
		const struct model_backend *backend = &model->backends[connection->backend];

		if (!is_of_client(model, connection, client, flow->protocol) ||
		    backend_side_port(connection) != flow->dst_port ||
		    backend->port != flow->src_port || !same_address(&backend->address, &flow->src))
			continue;
		if (!connection->is_masqueraded)
			return connection;
		lost = model_claim_of(model, connection) ? lost : connection;
	}
	return lost;
}

/* Which is that whose requests they answer, as long as it is known by this. */
static struct model_connection *find_masqueraded(struct model *model,
						 const struct model_claim *claim)
{
	struct model_connection *found = find_by_service(model, &claim->request);

	return found && found->is_masqueraded && found->backend == claim->backend ? found : NULL;
}

/*
 * A pod that is its own backend answers to the hairpin address: the client is who answers. Of what
 * is masqueraded, we.
 */
static struct model_connection *find_reply(struct model *model, const struct flow *flow)
{
	const struct model_claim *claim = find_claim_of_reply(model, flow);

	if (claim)
		return find_masqueraded(model, claim);
	if (same_address(&flow->dst, &model->hairpin.ipv4) ||
	    same_address(&flow->dst, &model->hairpin.ipv6))
		return find_by_backend(model, flow, &flow->src);
	return find_by_backend(model, flow, &flow->dst);
}

/* To the MAC address of the interface it came in by, if that is known. */
bool is_to_us(const struct walk *walk)
{
	return !walk->in || !memcmp(walk->frame->bytes, walk->model->ports[walk->in].mac, ETH_ALEN);
}

void leave_as_own(struct walk *walk, const struct address *client, __be16 port)
{
	const struct hairpin *hairpin = &walk->model->hairpin;

	walk->client = walk->known_as = *client;
	if (same_address(client, &walk->backend->address))
		walk->known_as = walk->packet.is_ipv6 ? hairpin->ipv6 : hairpin->ipv4;
	walk->alias = port;
}

static void use(struct walk *walk, struct model_connection *connection)
{
	walk->connection = connection;
	walk->backend = &walk->model->backends[connection->backend];
	walk->client_port = connection->client_port;
	if (!leave_as_claimed(walk, connection))
		leave_as_own(walk, &connection->client, backend_side_port(connection));
}

static struct model_hop way_back(const struct walk *walk)
{
	struct model_hop hop = {.port = (uint16_t)walk->in};

	memcpy(hop.mac, &walk->frame->bytes[ETH_ALEN], ETH_ALEN);
	take_tags(walk->frame, &hop);
	return hop;
}

static void track(struct walk *walk)
{
	struct model_connection *connection = walk->connection;
	const uint8_t flags = walk->tcp_flags; /* UDP has none */
	const bool reply = walk->direction == DIRECTION_REPLY;
	const struct model_hop way = way_back(walk);

	if (reply)
		connection->seen |= TCP_SEEN_REPLY;
	else if (connection->seen & TCP_SEEN_REPLY && !(flags & SYN))
		connection->seen |= TCP_SEEN_ESTABLISHED;
	if (flags & FIN)
		connection->seen |= reply ? TCP_SEEN_REPLY_FIN : TCP_SEEN_REQUEST_FIN;
	if (flags & RST)
		connection->seen |= TCP_SEEN_RST;
	connection->idle = 0;
	if (!reply && !same_way(&connection->back, &way))
		connection->back = way;
}

/* RFC 9293, 3.6.1: the port is used again. A SYN with ACK answers, it does not open. */
static bool starts_afresh(const struct walk *walk, const struct model_connection *connection)
{
	return walk->packet.protocol == IPPROTO_TCP && (walk->tcp_flags & (SYN | ACK)) == SYN &&
	       (connection->seen & (FINS | TCP_SEEN_RST));
}

/* TCP ends with its backend, at its next packet; a SYN opens another connection. */
static bool ends_with_backend(const struct walk *walk, const struct model_connection *connection)
{
	return walk->packet.protocol == IPPROTO_TCP && (walk->tcp_flags & (SYN | ACK)) != SYN &&
	       !is_expired(walk->model, connection) && !is_served(walk->model, connection);
}

/* Nobody counts it: whose it was is over. */
static enum verdict end(struct walk *walk, struct model_connection *connection)
{
	walk->service = NULL;
	if (!is_to_us(walk))
		return VERDICT_PASS_OTHER_HOST;
	if (walk->packet.part == PART_LATER)
		return VERDICT_DROP_FRAGMENT;
	connection->seen |= TCP_SEEN_RST;
	connection->idle = 0;
	return turn_away(walk, VERDICT_DROP_BACKEND_GONE);
}

static bool takes_request(const struct walk *walk, const struct model_connection *known)
{
	return model_is_live(walk->model, known) && !starts_afresh(walk, known);
}

/* Not what it is known by, but whether it is to be masqueraded, can be told. */
static bool has_lost_claim(struct walk *walk, struct model_connection *known)
{
	const struct model_backend *backend = &walk->model->backends[known->backend];

	if (!known->is_masqueraded || model_claim_of(walk->model, known))
		return false;
	known->is_masqueraded = is_to_be_masqueraded(walk, backend);
	return known->is_masqueraded;
}

static enum verdict meet_request(struct walk *walk, struct model_connection *known)
{
	const bool is_known = known && takes_request(walk, known);

	walk->direction = DIRECTION_REQUEST;
	if (is_known)
		walk->connection = known;
	if (known && ends_with_backend(walk, known))
		return end(walk, known);
	if (!is_to_us(walk))
		return VERDICT_PASS_OTHER_HOST;
	walk->is_lost = is_known && has_lost_claim(walk, known);
	if (!is_known || walk->is_lost)
		return begin_connection(walk, known);
	use(walk, known);
	track(walk);
	return VERDICT_CONTINUE;
}

/* The first that comes goes on to the client, as a reset, if it is whole. */
static enum verdict end_reply(struct walk *walk, struct model_connection *connection)
{
	const bool is_first = !(connection->seen & TCP_SEEN_RST);
	const enum verdict verdict = end(walk, connection);

	if (!is_first || verdict == VERDICT_PASS_OTHER_HOST || walk->packet.part != PART_WHOLE)
		return verdict;
	use(walk, connection);
	walk->becomes_reset = true;
	return VERDICT_CONTINUE;
}

static enum verdict meet_reply(struct walk *walk, struct model_connection *known)
{
	walk->direction = DIRECTION_REPLY;
	if (!known || is_expired(walk->model, known))
		return VERDICT_PASS_NO_SERVICE;
	if (ends_with_backend(walk, known))
		return end_reply(walk, known);
	if (!is_served(walk->model, known))
		return VERDICT_DROP_BACKEND_GONE;
	use(walk, known);
	track(walk);
	return VERDICT_CONTINUE;
}

/* For a service's address, but for a port that is nobody's there. */
static enum verdict meet_stray(struct walk *walk)
{
	walk->direction = DIRECTION_REQUEST;
	if (!is_to_us(walk))
		return VERDICT_PASS_OTHER_HOST;
	if (is_from_nobody(walk))
		return VERDICT_DROP_MARTIAN;
	return turn_away(walk, late(LATE_DROP_NOT_SERVED));
}

static struct model_service *find_service(struct model *model, const struct flow *flow,
					  enum scope scope)
{
	const struct service_key key = {.address = flow->dst,
					.port = flow->dst_port,
					.protocol = flow->protocol,
					.scope = (__u8)scope};

	return model_find_service(model, &key);
}

/* Everybody's, or for clients inside, if they are to have one of their own, that. */
static struct model_service *service_for(const struct walk *walk)
{
	const struct flow *flow = &walk->packet.flow;
	struct model_service *any = find_service(walk->model, flow, SCOPE_ANY), *inside;

	if (!any || !any->has_inside || network_of_source(walk) == NETWORK_NONE)
		return any;
	inside = find_service(walk->model, flow, SCOPE_INSIDE);
	return inside ? inside : any;
}

/*
 * A connection stays what it is, whosoever its client becomes: no scope tells which are of these
 * two ends, as long as either service is there.
 */
static struct model_connection *find_request(struct walk *walk)
{
	const struct flow *flow = &walk->packet.flow;

	if (!find_service(walk->model, flow, SCOPE_ANY) &&
	    !find_service(walk->model, flow, SCOPE_INSIDE))
		return NULL;
	return find_by_service(walk->model, flow);
}

static bool is_request_of(const struct walk *walk, const struct model_connection *known)
{
	return known && (takes_request(walk, known) || ends_with_backend(walk, known));
}

/* To a port of ours that nobody gets yet: it is the stack's, also where there is a service. */
static bool is_left(const struct walk *walk)
{
	return find_claim_of_reply(walk->model, &walk->packet.flow);
}

/* Of a connection, either way; else of a service. */
enum verdict find_connection(struct walk *walk)
{
	const struct flow *flow = &walk->packet.flow;
	struct model_connection *request = find_request(walk);
	struct model_connection *reply = find_reply(walk->model, flow);
	const bool is_reply = (reply && !is_expired(walk->model, reply)) || is_left(walk);

	if (is_request_of(walk, request) || !is_reply)
		walk->service = service_for(walk);
	if (walk->service || is_request_of(walk, request))
		return meet_request(walk, request);
	if (!is_reply && features[FEATURE_REFUSAL] && is_virtual(walk->model, &flow->dst))
		return meet_stray(walk);
	return meet_reply(walk, reply);
}

/*
 * The flow is that of the packet that is quoted, reversed: an error about a reply goes to the
 * backend that sent it, one about a request to the client. Nothing of the connection changes.
 */
enum verdict find_connection_of_error(struct walk *walk)
{
	const struct flow *quoted = &walk->quoted.flow;
	const struct flow flow = {
		.src = quoted->dst,
		.dst = quoted->src,
		.src_port = quoted->dst_port,
		.dst_port = quoted->src_port,
		.protocol = quoted->protocol,
	};
	struct model_connection *known = find_by_service(walk->model, &flow);

	walk->direction = known ? DIRECTION_REQUEST : DIRECTION_REPLY;
	if (!known)
		known = find_reply(walk->model, &flow);
	/* What is not known to be masqueraded, and not to be not, is nobody's. */
	if (walk->direction == DIRECTION_REPLY && known && known->is_masqueraded &&
	    !model_claim_of(walk->model, known))
		known = NULL;
	if (!known || !model_is_live(walk->model, known))
		return VERDICT_PASS_NO_SERVICE;
	if (is_from_nobody(walk))
		return VERDICT_DROP_MARTIAN;
	use(walk, known);
	return VERDICT_CONTINUE;
}

static struct model_connection *free_entry(struct model *model, const struct flow *flow)
{
	uint32_t of_client = 0;
	struct model_connection *found = NULL;

	for (uint32_t i = 0; i < model->connection_count; i++) {
		struct model_connection *connection = &model->connections[i];

		if (!connection->is_used)
			found = connection;
		if (is_of_client(model, connection, &flow->src, flow->protocol))
			of_client += (connection->client_port == flow->src_port) +
				     (connection->alias == flow->src_port);
	}
	if (!found && model->connection_count < MODEL_CONNECTIONS)
		found = &model->connections[model->connection_count++];
	if (of_client >= MODEL_OF_CLIENT || !found)
		model->is_uncertain = true;
	return found ? found : &model->connections[0];
}

struct model_connection *add_connection(struct walk *walk, struct model_connection *old)
{
	const struct flow *flow = &walk->packet.flow;
	struct model_connection *entry = old ? old : free_entry(walk->model, flow);

	const bool is_masqueraded = is_to_be_masqueraded(walk, walk->backend);

	*entry = (struct model_connection){
		.is_used = true,
		.client = flow->src,
		.client_port = flow->src_port,
		.alias = is_masqueraded || walk->alias == flow->src_port ? 0 : walk->alias,
		.backend = (uint32_t)(walk->backend - walk->model->backends),
		.is_masqueraded = is_masqueraded,
		.back = way_back(walk),
	};
	return entry;
}
