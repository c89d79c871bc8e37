/*
 * What of a sequence the kernel is asked, too: see restrict.h.
 */
#include "test/model/restrict.h"

#include <arpa/inet.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <string.h>

#define PACKETS 60         /* of a sequence, with those that are not sent */
#define PORT_STEP 10       /* between backends of a sequence */
#define MOST_EXTENSIONS 5  /* headers that we pass over; of six the last is not looked behind */
#define LEAST_PART 24      /* bytes: the kernel makes a first one larger that lacks headers */
#define NO_FRAGMENT 0xc000 /* of IPv4's flags: don't fragment, and the one that means nothing */

const char *omission_text(enum omission omission)
{
	static const char *const TEXTS[_OMISSION_COUNT] = {
#define OMISSION_TEXT(name, text) text,
		OMISSIONS(OMISSION_TEXT)
#undef OMISSION_TEXT
	};

	return TEXTS[omission];
}

static bool is_same_service(const struct op_service *a, const struct op_service *b)
{
	return a->station == b->station && a->family == b->family && a->protocol == b->protocol &&
	       a->port == b->port;
}

/* No two services share a backend's port: the kernel gives clients other ports than we do. */
static void offer(struct generator *generator, uint32_t i, struct sequence *sequence)
{
	struct op_service *service = &generator->services[i];
	struct op_backend backend = generator->backends[i % generator->backend_count];
	struct op *op = &sequence->ops[sequence->count];

	if (service->protocol == IPPROTO_SCTP)
		service->protocol = IPPROTO_TCP;
	for (uint32_t before = 0; before < sequence->count; before++)
		if (is_same_service(service, &sequence->ops[before].offer.service))
			return;
	if (!backend.port) /* a place in the pool that was not filled */
		backend = generator->backends[0];
	if (backend.station == STATION_F) /* nobody knows the way */
		backend.station = STATION_D;
	backend.port = (uint16_t)(backend.port + PORT_STEP * i);
	backend.weight = 1;
	backend.state = BACKEND_ACTIVE;
	*op = (struct op){.kind = OP_OFFER};
	op->offer.service = *service;
	op->offer.algorithm = ALGORITHM_MAGLEV;
	op->offer.backend_count = 1;
	op->offer.backends[0] = backend;
	sequence->count++;
}

void restrict_begin(struct generator *generator, struct sequence *sequence)
{
	sequence->count = 0;
	for (uint32_t i = 0; i < generator->service_count; i++)
		offer(generator, i, sequence);
	for (uint32_t i = 0; i < generator->call_count; i++)
		generator->calls[i].tag_count = 0;
	generator->sources = generator->networks = generator->setup = 0;
	generator->left = PACKETS;
}

/* An address and a port of a packet's, and what a connection has there. */
static bool is_end(const struct op_segment *segment, enum station station, uint16_t port,
		   const struct address *address, __be16 wanted)
{
	const struct address of_station = station_address(station, segment->family);

	return htons(port) == wanted && address_equal(&of_station, address);
}

/* By its client, who may be a pod that has the hairpin address; NULL: it begins one, or none. */
static const struct model_connection *recall(const struct model *model,
					     const struct op_segment *segment)
{
	for (uint32_t i = 0; i < model->connection_count; i++) {
		const struct model_connection *known = &model->connections[i];
		const struct model_backend *backend = &model->backends[known->backend];
		const struct service_key *service = &backend->service;
		const struct address hairpin = station_address(STATION_H, segment->family);
		const bool is_hairpin = address_equal(&known->client, &backend->address);

		if (!known->is_used || service->protocol != segment->protocol)
			continue;
		if (is_end(segment, segment->src, segment->src_port, &known->client,
			   known->client_port) &&
		    is_end(segment, segment->dst, segment->dst_port, &service->address,
			   service->port))
			return known;
		if (is_end(segment, segment->dst, segment->dst_port,
			   is_hairpin ? &hairpin : &known->client, known->client_port) &&
		    is_end(segment, segment->src, segment->src_port, &backend->address,
			   backend->port))
			return known;
	}
	return NULL;
}

bool is_request(const struct op_segment *segment)
{
	return segment->dst >= STATION_S1 && segment->dst <= STATION_S3;
}

/*
 * Conntrack knows no connection that begins with a FIN, a RST or what makes no sense, forgets one
 * that is reset before it was answered, takes no answer to a SYN but a SYN with ACK, and begins
 * anew by a SYN of either side where we do not. Of a connection that has been answered it may call
 * a packet invalid, but keeps it.
 */
static void restrict_flags(const struct model_connection *known, struct op_segment *segment)
{
	const bool is_opening = (segment->tcp_flags & (SYN | ACK)) == SYN;

	if (known && known->seen & TCP_SEEN_REPLY)
		segment->tcp_flags |= is_opening ? ACK : 0;
	else if (!is_request(segment))
		segment->tcp_flags = SYN | ACK;
	else if (known || (segment->tcp_flags != ACK && segment->tcp_flags != (ACK | PSH)))
		segment->tcp_flags = SYN;
}

static bool is_fragment(const struct op_segment *segment)
{
	if (segment->from || segment->length || segment->protocol == IPPROTO_FRAGMENT ||
	    segment->fragment & (uint16_t)~NO_FRAGMENT)
		return true;
	for (uint8_t i = 0; i < segment->extension_count; i++)
		if (segment->extensions[i].type == IPPROTO_FRAGMENT)
			return true;
	return false;
}

/* RFC 8200, 4.3: others may pass them over. Eight bytes of zeros are padding, more are too much. */
static bool has_hop_by_hop(const struct op_segment *segment)
{
	const struct op_extension *first = &segment->extensions[0];

	return segment->extension_count && first->type == IPPROTO_HOPOPTS &&
	       (first->word || first->units > 1);
}

/* AH (RFC 4302) covers the addresses; with segments left the destination is not the last one. */
bool has_left_header(const struct op_segment *segment)
{
	for (uint8_t i = 0; i < segment->extension_count; i++) {
		const struct op_extension *extension = &segment->extensions[i];

		if (extension->type == IPPROTO_AH ||
		    (extension->type == IPPROTO_ROUTING && extension->word & 0xff))
			return true;
	}
	return segment->extension_count > MOST_EXTENSIONS;
}

/*
 * Of a quoted TCP header that lacks its last bytes the kernel leaves the checksum as it is; we
 * write it where it is there. Nobody can check either: it covers what is not quoted.
 */
static void restrict_quote(struct op_packet *packet)
{
	const struct op_segment *quoted = &packet->quoted;
	const uint16_t header = quoted->family == IPV6 ? 40 : 20 + quoted->options;

	if (quoted->protocol == IPPROTO_TCP && packet->quote >= header + 18 &&
	    packet->quote < header + 20)
		packet->quote = header + 17;
}

static enum omission restrict_packet(const struct generator *generator, struct op_packet *packet)
{
	static struct frame frame;
	const struct model_connection *known;
	struct op_segment *segment = &packet->segment;

	/* The way back is learned by us, and known to the kernel. */
	packet->from = segment->src;
	packet->in = station_home(segment->src) == POD ? POD : UPLINK;
	packet->edit_count = 0;
	if (packet->tag_count)
		return OMIT_TAGS;
	if (is_fragment(segment))
		return OMIT_FRAGMENT;
	if (has_hop_by_hop(segment))
		return OMIT_HOP_BY_HOP;
	if (segment->src == STATION_H && is_request(segment) && !packet->is_error)
		return OMIT_HAIRPIN;
	known = recall(generator->model, segment);
	if (segment->protocol == IPPROTO_TCP)
		restrict_flags(known, segment);
	/* We take a reply to another MAC address for one. */
	if (known && !(known->seen & TCP_SEEN_REPLY) && !is_request(segment))
		packet->to = _STATION_COUNT;
	/* One that has no hops left begins a connection with us, the kernel forgets that. */
	if (!known && segment->hop_limit < 2)
		segment->hop_limit = HOP_LIMIT;
	/* One that we leave to the stack begins a connection with the kernel. */
	if (!known && has_left_header(segment))
		segment->extension_count = 0;
	if (packet->is_error)
		restrict_quote(packet);
	op_build(packet, &frame);
	return frame.length > ETH_HLEN + SCENE_MTU ? OMIT_TOO_LARGE : OMIT_NOTHING;
}

/* Of three that all carry something. */
static bool has_parts(const struct op_segment *segment)
{
	return segment->length >= LEAST_PART && segment->data >= 2 * segment->length &&
	       (segment->protocol == IPPROTO_TCP || segment->protocol == IPPROTO_UDP);
}

/* All of it, nothing but the ports and flags of which is changed. */
static enum omission restrict_parts(struct generator *generator, const struct op_packet *part,
				    struct op_packet packets[RESTRICT_PARTS])
{
	const uint16_t length = part->segment.length ? part->segment.length
						     : part->segment.from / (RESTRICT_PARTS - 1);
	struct op_packet whole = op_packet_of(part->in, &part->segment);
	enum omission omission;

	generator->part_count = 0;
	whole.segment.from = whole.segment.length = 0;
	whole.segment.options = whole.segment.fragment = 0;
	whole.segment.extension_count = 0;
	whole.segment.hop_limit = HOP_LIMIT;
	omission = restrict_packet(generator, &whole);
	for (uint16_t i = 0; i < RESTRICT_PARTS; i++) {
		packets[i] = whole;
		packets[i].segment.from = (uint16_t)(i * length);
		packets[i].segment.length = i < RESTRICT_PARTS - 1 ? length : 0;
	}
	return omission;
}

enum omission restrict_op(struct generator *generator, const struct op *op,
			  struct op_packet packets[RESTRICT_PARTS], uint32_t *count)
{
	if (op->kind == OP_PASS)
		return OMIT_TIME;
	if (op->kind != OP_PACKET)
		return OMIT_TABLES;
	if (has_parts(&op->packet.segment)) {
		*count = RESTRICT_PARTS;
		return restrict_parts(generator, &op->packet, packets);
	}
	*count = 1;
	packets[0] = op->packet;
	return restrict_packet(generator, packets);
}
