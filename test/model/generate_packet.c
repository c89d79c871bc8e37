/*
 * Packets by chance: see generate.h. Here those that are well formed.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <string.h>
#include "test/model/generate.h"

static struct call choose_call(struct generator *generator)
{
	return generator->calls[chance_below(&generator->chance, generator->call_count)];
}

/* What the model remembers of it; NULL: nothing. */
static const struct model_connection *recall(const struct generator *generator,
					     const struct call *call)
{
	const struct op_service *service = &generator->services[call->service];
	const struct address client = station_address(call->client, service->family);
	const struct address address = station_address(service->station, service->family);

	for (uint32_t i = 0; i < generator->model->connection_count; i++) {
		const struct model_connection *connection = &generator->model->connections[i];
		const struct service_key *key =
			&generator->model->backends[connection->backend].service;

		if (connection->is_used && connection->client_port == htons(call->port) &&
		    key->port == htons(service->port) && key->protocol == service->protocol &&
		    address_equal(&key->address, &address) &&
		    address_equal(&connection->client, &client))
			return connection;
	}
	return NULL;
}

/* As a connection goes on where nothing goes wrong. */
static uint8_t choose_next_flags(struct generator *generator, const struct model_connection *known)
{
	static const uint8_t LATER[] = {ACK, ACK | PSH, ACK, FIN | ACK};

	if (!known)
		return SYN;
	return known->seen & TCP_SEEN_ESTABLISHED ? ONE_OF(generator, LATER) : ACK;
}

static uint8_t choose_flags(struct generator *generator, const struct model_connection *known)
{
	static const uint8_t FIRST[] = {SYN, SYN, SYN,       SYN,       SYN,
					SYN, ACK, ACK | PSH, FIN | ACK, RST};
	static const uint8_t LATER[] = {ACK,       ACK,       ACK | PSH, ACK | PSH, SYN,
					FIN | ACK, FIN | ACK, RST | ACK, RST,       SYN | ACK};

	if (chance_percent(&generator->chance, 2))
		return (uint8_t)chance_word(&generator->chance);
	if (chance_percent(&generator->chance, 50))
		return choose_next_flags(generator, known);
	return known ? ONE_OF(generator, LATER) : ONE_OF(generator, FIRST);
}

static uint16_t choose_length(struct chance *chance)
{
	if (chance_percent(chance, 80))
		return (uint16_t)chance_below(chance, 24);
	return (uint16_t)chance_below(chance, chance_percent(chance, 70) ? 200 : 2000);
}

static void choose_payload(struct chance *chance, struct op_segment *segment)
{
	segment->data = choose_length(chance);
	segment->word = (uint16_t)chance_word(chance);
}

/* The client's, as it comes to us. */
static struct op_segment request_of_call(struct generator *generator, const struct call *call,
					 const struct model_connection *known)
{
	const struct op_service *service = &generator->services[call->service];
	struct op_segment segment =
		op_segment_of(service->family, service->protocol, call->client, service->station);

	segment.src_port = call->port;
	segment.dst_port = service->port;
	segment.tcp_flags = choose_flags(generator, known);
	choose_payload(&generator->chance, &segment);
	return segment;
}

/* What its backend knows it by; NULL: its own end. The latest, now and then one of before. */
static const struct model_claim *claim_of(struct generator *generator, const struct call *call,
					  const struct model_connection *known)
{
	const struct model *model = generator->model;
	const struct model_claim *claim = known ? model_claim_of(model, known) : NULL;
	const struct model_claim *other;

	if (!model->claim_count || !chance_percent(&generator->chance, claim ? 5 : 15))
		return claim;
	other = &model->claims[chance_below(&generator->chance, model->claim_count)];
	return other->request.src_port == htons(call->port) ? other : claim;
}

static enum family family_of(const struct address *address)
{
	return address_is_ipv4(address) ? IPV4 : IPV6;
}

/* A packet between the backend and us. */
static struct op_segment segment_of_claim(const struct model_claim *claim, bool is_request)
{
	const struct flow *reply = &claim->reply;
	const enum station backend = station_at(&reply->src), us = station_at(&reply->dst);
	struct op_segment segment =
		op_segment_of(family_of(&reply->src), reply->protocol, is_request ? us : backend,
			      is_request ? backend : us);

	segment.src_port = ntohs(is_request ? reply->dst_port : reply->src_port);
	segment.dst_port = ntohs(is_request ? reply->src_port : reply->dst_port);
	return segment;
}

/* Where the connection leads, or would; a backend of the pool where nothing is known. */
static struct op_backend backend_of_call(struct generator *generator,
					 const struct model_connection *known)
{
	const struct model_backend *backend;

	if (!known || chance_percent(&generator->chance, 5))
		return generator
			->backends[chance_below(&generator->chance, generator->backend_count)];
	backend = &generator->model->backends[known->backend];
	return (struct op_backend){
		.station = station_at(&backend->address),
		.port = ntohs(backend->port),
	};
}

/* The backend's, as it comes to us. One that is its own client knows the hairpin address. */
static struct op_segment reply_of_call(struct generator *generator, const struct call *call,
				       const struct model_connection *known)
{
	const struct op_service *service = &generator->services[call->service];
	const struct model_claim *claim = claim_of(generator, call, known);
	const struct op_backend backend = backend_of_call(generator, known);
	struct op_segment segment =
		op_segment_of(service->family, service->protocol, backend.station,
			      backend.station == call->client ? STATION_H : call->client);

	segment.src_port = backend.port;
	segment.dst_port = call->port;
	if (claim)
		segment = segment_of_claim(claim, false);
	segment.tcp_flags = choose_flags(generator, known);
	if (known && !(known->seen & TCP_SEEN_REPLY) && chance_percent(&generator->chance, 80))
		segment.tcp_flags = SYN | ACK;
	choose_payload(&generator->chance, &segment);
	return segment;
}

static enum interface way_in(enum station station)
{
	return station_home(station) == POD ? POD : UPLINK;
}

/* The same packet on its other side: what a receiver has it as. */
static struct op_segment other_side(struct generator *generator, const struct call *call,
				    const struct model_connection *known, bool is_request)
{
	const struct op_service *service = &generator->services[call->service];
	const struct model_claim *claim = claim_of(generator, call, known);
	const struct op_backend backend = backend_of_call(generator, known);
	const enum station client =
		backend.station == call->client && is_request ? STATION_H : call->client;
	struct op_segment segment = op_segment_of(service->family, service->protocol,
						  is_request ? client : service->station,
						  is_request ? backend.station : call->client);

	segment.src_port = is_request ? call->port : service->port;
	segment.dst_port = is_request ? backend.port : call->port;
	if (claim && is_request)
		segment = segment_of_claim(claim, true);
	segment.hop_limit--;
	choose_payload(&generator->chance, &segment);
	return segment;
}

static void choose_error_type(struct generator *generator, struct op_packet *packet)
{
	static const uint8_t TYPES[_FAMILY_COUNT][8] = {
		[IPV4] = {3, 3, 3, 11, 11, 12, 4, 5}, [IPV6] = {1, 1, 2, 2, 3, 3, 4, 5}};
	static const uint8_t CODES[] = {0, 1, 3, 4};

	packet->icmp_type = ONE_OF(generator, TYPES[packet->segment.family]);
	packet->icmp_code = ONE_OF(generator, CODES);
	if (chance_percent(&generator->chance, 50))
		packet->icmp_rest = (uint32_t)chance_word(&generator->chance);
}

/* How much of it is quoted; few quote less than RFC 792 asks for. */
static uint16_t choose_quote(struct chance *chance)
{
	return (uint16_t)(chance_percent(chance, 60) ? 1500 : 20 + chance_below(chance, 60));
}

static void generate_error(struct generator *generator, const struct call *call,
			   struct op_packet *packet)
{
	static const enum station ROUTERS[] = {STATION_R, STATION_X, STATION_C1, STATION_S1};
	const struct model_connection *known = recall(generator, call);
	const bool is_request = chance_percent(&generator->chance, 50);
	const struct op_segment quoted = other_side(generator, call, known, is_request);
	const uint8_t protocol = quoted.family == IPV6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	struct op_segment envelope = op_segment_of(quoted.family, protocol, quoted.dst, quoted.src);

	if (chance_percent(&generator->chance, 40))
		envelope.src = ONE_OF(generator, ROUTERS);
	*packet = op_packet_of(is_request ? way_in(quoted.dst) : way_in(call->client), &envelope);
	choose_error_type(generator, packet);
	packet->is_error = true;
	packet->quoted = quoted;
	packet->quote = choose_quote(&generator->chance);
	if (quoted.protocol == IPPROTO_UDP)
		packet->quoted.no_checksum = chance_percent(&generator->chance, 20);
}

/* Something that is not about a connection: an echo, another protocol, another port. */
static void generate_stranger(struct generator *generator, const struct call *call,
			      struct op_packet *packet)
{
	static const uint8_t PROTOCOLS[] = {IPPROTO_ICMP,     IPPROTO_ICMPV6, IPPROTO_GRE,
					    IPPROTO_SCTP,     IPPROTO_ESP,    IPPROTO_HOPOPTS,
					    IPPROTO_FRAGMENT, IPPROTO_DSTOPTS};
	static const uint8_t TYPES[] = {0, 8, 128, 129, 133, 135, 137, 3, 1};
	static const enum station OTHERS[] = {STATION_X, STATION_R,  STATION_A,
					      STATION_F, STATION_S1, STATION_S2};
	struct op_segment segment = request_of_call(generator, call, NULL);
	const uint32_t draw = chance_below(&generator->chance, 3);

	if (draw == 0)
		segment.dst_port ^= 1;
	else if (draw == 1)
		segment.dst = ONE_OF(generator, OTHERS);
	else
		segment.protocol = ONE_OF(generator, PROTOCOLS);
	*packet = op_packet_of(way_in(segment.src), &segment);
	packet->icmp_type = ONE_OF(generator, TYPES);
}

/* The packet in parts, in whatever order; the first is sent at once. */
static void split(struct generator *generator, struct op_packet *packet)
{
	struct chance *chance = &generator->chance;
	const uint16_t length = (uint16_t)(8 * (1 + chance_below(chance, 100)));

	packet->segment.data = (uint16_t)(2 * length + chance_below(chance, length));
	packet->segment.id = OP_ID + chance_below(chance, 3);
	packet->segment.length = length;
	for (generator->part_count = 0; generator->part_count < GENERATOR_PARTS;) {
		struct op_packet *part = &generator->parts[generator->part_count];

		*part = *packet;
		part->segment.from = (uint16_t)(length * generator->part_count++);
	}
	generator->parts[GENERATOR_PARTS - 1].segment.length = 0;
	generate_part(generator, packet);
}

void generate_part(struct generator *generator, struct op_packet *packet)
{
	const uint32_t i = chance_percent(&generator->chance, 70)
				   ? 0
				   : chance_below(&generator->chance, generator->part_count);

	*packet = generator->parts[i];
	generator->part_count--;
	for (uint32_t at = i; at < generator->part_count; at++)
		generator->parts[at] = generator->parts[at + 1];
}

static void put_into_vlan(const struct call *call, struct op_packet *packet)
{
	packet->tag_count = call->tag_count;
	memcpy(packet->tags, call->tags, sizeof(packet->tags));
}

void generate_packet(struct generator *generator, struct op_packet *packet)
{
	const struct call call = choose_call(generator);
	const struct model_connection *known = recall(generator, &call);
	struct chance *chance = &generator->chance;
	const uint32_t draw = chance_below(chance, 100);
	struct op_segment segment;

	if (draw < 82 || (draw < 92 && !known)) {
		segment = draw < (known ? 40 : 76) ? request_of_call(generator, &call, known)
						   : reply_of_call(generator, &call, known);
		*packet = op_packet_of(way_in(segment.src), &segment);
		if (segment.src == call.client)
			put_into_vlan(&call, packet);
	} else if (draw < 94) {
		generate_error(generator, &call, packet);
	} else {
		generate_stranger(generator, &call, packet);
	}
	if (packet->segment.protocol == IPPROTO_UDP)
		packet->segment.no_checksum = chance_percent(chance, 10);
	if (draw < 82 && !generator->part_count &&
	    chance_percent(chance, features[FEATURE_FRAGMENTS] ? 5 : 1))
		split(generator, packet);
	if (chance_percent(chance, 20))
		mutate_packet(generator, packet);
}
